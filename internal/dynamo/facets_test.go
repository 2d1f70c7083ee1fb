package dynamo_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func facets(t *testing.T, s *dynamo.Store, prefix string) mailing.Facets {
	t.Helper()
	f, err := s.Facets(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func wantFacets(t *testing.T, s *dynamo.Store, tags, codes []string) {
	t.Helper()
	want := mailing.Facets{Tags: tags, OperatorCodes: codes}
	if diff := cmp.Diff(want, facets(t, s, ""), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("facets (-want +got):\n%s", diff)
	}
}

func TestTagsAndOperatorCodesOfClientsAreListedInOrder(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	wantFacets(t, s, nil, nil)
	c := client(1)
	c.Tag, c.OperatorCode = "b", "911"
	created := create(t, s, c)
	c = client(2)
	c.Tag, c.OperatorCode = "", "900" // an empty tag is none
	create(t, s, c)
	wantFacets(t, s, []string{"b"}, []string{"900", "911"})
	editing(t, s, created.ID, func(c *mailing.Client) { c.Tag, c.OperatorCode = "a", "905" })
	wantFacets(t, s, []string{"a", "b"}, []string{"900", "905", "911"})
	tag, code := "очень важный", "777"
	rows := rowsOf(2, 5)
	rows[0].Tag, rows[1].OperatorCode = &tag, &code // a change and a new client
	if _, err := s.UpsertClients(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	wantFacets(t, s, []string{"a", "b", "vip", tag}, []string{code, "900", "905", "911"})
	// A marker outlives its last client.
	if err := s.DeleteClient(t.Context(), created.ID); err != nil {
		t.Fatal(err)
	}
	wantFacets(t, s, []string{"a", "b", "vip", tag}, []string{code, "900", "905", "911"})
}

func TestTagsAreFoundByTheirBeginning(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	many := mailing.MaxFacetTags + 3
	rows := make([]mailing.ClientRow, many)
	for i := range rows {
		c := client(i)
		c.Tag = fmt.Sprintf("tag %03d", i)
		rows[i] = row(c)
	}
	for part := range slices.Chunk(rows, mailing.ImportRows) {
		if _, err := s.UpsertClients(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		prefix string
		want   int
		more   bool
		first  string
	}{
		{"", mailing.MaxFacetTags, true, "tag 000"},
		{"tag", mailing.MaxFacetTags, true, "tag 000"},
		{"tag 1", 100, false, "tag 100"},
		{"tag 50", 3, false, "tag 500"},
		{"tag 502", 1, false, "tag 502"},
		{"Tag", 0, false, ""},
		{"ag", 0, false, ""},
	} {
		got := facets(t, s, c.prefix)
		if len(got.Tags) != c.want || got.MoreTags != c.more || len(got.Tags) > 0 && got.Tags[0] != c.first {
			t.Errorf("%q: %d tags, more %t: %.3q", c.prefix, len(got.Tags), got.MoreTags, got.Tags)
		}
		for _, tag := range got.Tags {
			if !strings.HasPrefix(tag, c.prefix) {
				t.Errorf("%q finds %q", c.prefix, tag)
			}
		}
		if diff := cmp.Diff([]string{"900"}, got.OperatorCodes); diff != "" {
			t.Errorf("%q: operator codes (-want +got):\n%s", c.prefix, diff)
		}
	}
}

// calls returns how many calls a store has made.
func calls(f *dynamotest.Faults) (n int) {
	for _, op := range []dynamotest.Op{
		dynamotest.GetItem, dynamotest.UpdateItem, dynamotest.Query, dynamotest.Scan, dynamotest.BatchGetItem, dynamotest.TransactWriteItems,
	} {
		n += f.Calls(op)
	}
	return n
}

// TestMarkersCostAHandfulOfCallsOnce imports 10,000 rows with three tags: as new clients,
// and three times as they are, once by another process.
func TestMarkersCostAHandfulOfCallsOnce(t *testing.T) {
	t.Parallel()
	e := dynamotest.StartMemory(t)
	rows := rowsOf(0, 10_000)
	tags := []string{"gold", "silver", "vip"}
	for i := range rows {
		rows[i].Tag = &tags[i%3]
	}
	last := mailing.ClientID(0)
	next := func() mailing.ClientID { // of so many random ids, two may be equal, which costs further calls
		last++
		return last
	}
	upsert := func(s *dynamo.Store) {
		t.Helper()
		for part := range slices.Chunk(rows, mailing.ImportRows) {
			if _, err := s.UpsertClientsWithIDs(t.Context(), part, next); err != nil {
				t.Fatal(err)
			}
		}
	}
	faults := dynamotest.NewFaults(e.Client)
	s := e.StoreOver(faults)
	upsert(s)
	// Per 396 rows: four reads of phones, and twelve transactions of 33 new clients.
	first, without := calls(faults), 25*(4+12)+(1+4)
	upsert(s)
	second, unchanged := calls(faults)-first, 25*8+2
	other := dynamotest.NewFaults(e.Client)
	upsert(e.StoreOver(other))
	if first-without != 2 || second-unchanged != 0 || calls(other)-unchanged != 1 {
		t.Errorf("%d calls more than %d for new clients, then %d more than %d; by another process %d more",
			first-without, without, second-unchanged, unchanged, calls(other)-unchanged)
	}
	t.Logf("figure: 10,000 new rows with 3 tags: %d calls, %d of them for markers; the same rows again: %d and %d; by another process: %d and %d",
		first, first-without, second, second-unchanged, calls(other), calls(other)-unchanged)
	wantFacets(t, s, tags, []string{"900"})
}

func TestAKnownMarkerCostsNoCall(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	faults := dynamotest.NewFaults(e.Client)
	s := e.StoreOver(faults)
	create(t, s, client(1))
	made := calls(faults)
	c := create(t, s, client(2))
	if n := calls(faults) - made; n != 1 {
		t.Errorf("a second client cost %d calls", n)
	}
	editing(t, s, c.ID, func(c *mailing.Client) { c.Phone = phone(3) })
	if n := calls(faults) - made; n != 3 {
		t.Errorf("its edit cost %d calls", n-1)
	}
}

// TestNoClientHasATagWithoutAMarker breaks each call off that a client with a new tag and a
// new operator code costs, and lets the answer of each get lost.
func TestNoClientHasATagWithoutAMarker(t *testing.T) {
	t.Parallel()
	tag, code := "new", "999"
	write := map[string]func(*testing.T, *dynamo.Store, mailing.Client) error{
		"create": func(t *testing.T, s *dynamo.Store, _ mailing.Client) error {
			t.Helper()
			c := client(7)
			c.Tag, c.OperatorCode = tag, code
			_, err := s.CreateClient(t.Context(), c, mailing.Idempotency{})
			return err
		},
		"edit": func(t *testing.T, s *dynamo.Store, old mailing.Client) error {
			t.Helper()
			_, err := s.UpdateClient(t.Context(), old.ID, func(c mailing.Client) (mailing.Client, error) {
				c.Tag, c.OperatorCode = tag, code
				return c, nil
			})
			return err
		},
		"import": func(t *testing.T, s *dynamo.Store, old mailing.Client) error {
			t.Helper()
			rows := append(rowsOf(20, 22), mailing.ClientRow{Phone: old.Phone})
			for i := range rows {
				rows[i].Tag, rows[i].OperatorCode = &tag, &code
			}
			_, err := s.UpsertClients(t.Context(), rows)
			return err
		},
	}
	broken, points := errors.New("no"), 0
	for name, do := range write {
		for _, op := range []dynamotest.Op{dynamotest.GetItem, dynamotest.BatchGetItem, dynamotest.TransactWriteItems} {
			for _, fault := range []dynamotest.Fault{{Refuse: broken}, {Lose: broken}} {
				for n := 1; n <= 4; n++ {
					e := dynamotest.StartMemory(t)
					old := create(t, e.Store(), client(1))
					faults := dynamotest.NewFaults(e.Client)
					faults.On(op, n, fault)
					s := e.StoreOver(faults)
					err := do(t, s, old)
					if faults.Calls(op) < n {
						continue // there is no such call
					}
					points++
					if !errors.Is(err, broken) {
						t.Errorf("%s: %s %d failed, and the write gives %v", name, op, n, err)
					}
					wantMarked(t, e.Store())
					// The same process tries again.
					if err := do(t, s, old); err != nil && mailing.KindOf(err) != mailing.KindConflict {
						t.Errorf("%s: after %s %d the second try gives %v", name, op, n, err)
					}
					wantMarked(t, e.Store())
					wantFacets(t, e.Store(), []string{tag, "vip"}, []string{"900", code})
				}
			}
		}
	}
	if points < 14 {
		t.Errorf("only %d faults", points)
	}
	t.Logf("figure: %d calls refused or unanswered around markers: no client without one", points)
}

// wantMarked checks that all tags and operator codes of clients are listed.
func wantMarked(t *testing.T, s *dynamo.Store) {
	t.Helper()
	listed := facets(t, s, "")
	for _, c := range byPhone(t, s) {
		if !slices.Contains(listed.Tags, c.Tag) || !slices.Contains(listed.OperatorCodes, c.OperatorCode) {
			t.Errorf("%+v is not in %+v", c, listed)
		}
	}
}

func TestClientsFromBeforeTheMarkersAreListedAfterAnImport(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	olds := []mailing.Client{client(1), client(2)}
	olds[0].ID, olds[1].ID, olds[1].Tag = 1, 2, "old"
	seed(t, e, olds)
	wantFacets(t, e.Store(), nil, nil)
	got, err := e.Store().UpsertClients(t.Context(), []mailing.ClientRow{row(olds[0])})
	if err != nil || got[0].Outcome != mailing.RowUnchanged {
		t.Fatal(got, err)
	}
	wantFacets(t, e.Store(), []string{"vip"}, []string{"900"})
	editing(t, e.Store(), 2, func(*mailing.Client) {}) // nor does this change anything
	wantFacets(t, e.Store(), []string{"old", "vip"}, []string{"900"})
}

func TestARejectedRowHasNoMarker(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	rows := rowsOf(0, 2)
	tag, zone := "unused", ""
	rows[1].Tag, rows[1].Timezone = &tag, &zone
	if _, err := s.UpsertClients(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	wantFacets(t, s, []string{"vip"}, []string{"900"})
}

func TestProcessesThatWriteTheSameMarkersDoNotHinderEachOther(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			s := e.Store()
			if _, err := s.UpsertClients(t.Context(), rowsOf(100*i, 100*i+50)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	wantFacets(t, e.Store(), []string{"vip"}, []string{"900"})
}

// TestAProcessRemembersABoundedNumberOfMarkers uses more tags than a process remembers.
// Forgotten ones are looked up again.
func TestAProcessRemembersABoundedNumberOfMarkers(t *testing.T) {
	t.Parallel()
	s := dynamotest.StartMemory(t).Store() // eleven thousand writes would take long over DynamoDB Local
	clients := make([]mailing.Client, dynamo.MaxKnownFacets+100)
	for i := range clients {
		clients[i].Tag = fmt.Sprintf("%05d", i)
	}
	for part := range slices.Chunk(clients, 100) {
		if err := s.MarkFacets(t.Context(), part...); err != nil {
			t.Fatal(err)
		}
		if n := s.KnownFacets(); n > dynamo.MaxKnownFacets {
			t.Fatalf("%d markers are remembered", n)
		}
	}
	if n := s.KnownFacets(); n != 100 {
		t.Errorf("%d markers are remembered after the others were forgotten", n)
	}
	if got := facets(t, s, "100"); len(got.Tags) != 100 {
		t.Errorf("%d tags", len(got.Tags))
	}
}
