package dynamo_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// row returns a row of a file with all columns.
func row(c mailing.Client) mailing.ClientRow {
	return mailing.ClientRow{Phone: c.Phone, OperatorCode: &c.OperatorCode, Tag: &c.Tag, Timezone: &c.Timezone}
}

func rowsOf(from, to int) []mailing.ClientRow {
	rows := make([]mailing.ClientRow, 0, to-from)
	for n := from; n < to; n++ {
		rows = append(rows, row(client(n)))
	}
	return rows
}

func outcomes(results []mailing.RowResult) map[mailing.RowOutcome]int {
	n := map[mailing.RowOutcome]int{}
	for _, r := range results {
		n[r.Outcome]++
	}
	return n
}

// byPhone returns the whole directory by phone, without ids.
func byPhone(t *testing.T, s *dynamo.Store) map[string]mailing.Client {
	t.Helper()
	found := map[string]mailing.Client{}
	for _, c := range all(t, 100, func(cursor string) (mailing.List[mailing.Client], error) {
		return s.ListClients(t.Context(), mailing.ClientQuery{Limit: 100, Cursor: cursor})
	}) {
		if _, twice := found[c.Phone]; twice {
			t.Errorf("phone %s is there twice", c.Phone)
		}
		c.ID = 0
		found[c.Phone] = c
	}
	return found
}

func TestEachRowIsStoredIndependentlyOfTheOthers(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	same, changed := create(t, s, client(1)), create(t, s, client(2))
	kept := create(t, s, mailing.Client{Phone: phone(3), OperatorCode: "999", Tag: "old", Timezone: "UTC"})
	gold := "gold"
	got, err := s.UpsertClients(t.Context(), []mailing.ClientRow{
		row(same),
		{Phone: changed.Phone, Tag: &gold},
		{Phone: phone(4), Tag: &gold}, // no client has it yet, and it has no time zone
		row(client(5)),
		{Phone: kept.Phone, OperatorCode: new(string), Tag: new(string)},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, got[2].Err, mailing.KindInvalid)
	got[2].Err = nil
	want := []mailing.RowResult{
		{Outcome: mailing.RowUnchanged},
		{Outcome: mailing.RowUpdated},
		{Outcome: mailing.RowRejected},
		{Outcome: mailing.RowCreated},
		{Outcome: mailing.RowUpdated},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	wantStored := map[string]mailing.Client{
		phone(1): client(1), phone(2): {Phone: phone(2), OperatorCode: "900", Tag: "gold", Timezone: "Europe/Moscow"},
		phone(3): {Phone: phone(3), OperatorCode: "900", Timezone: "UTC"}, phone(5): client(5),
	}
	if diff := cmp.Diff(wantStored, byPhone(t, s)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if c, err := s.Client(t.Context(), changed.ID); err != nil || c.Tag != "gold" {
		t.Errorf("a change gave the client another id: %v, %v", c, err)
	}
}

func TestRowsCostFewCalls(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	for _, c := range []struct {
		what                string
		rows                []mailing.ClientRow
		reads, transactions int
		want                mailing.RowOutcome
	}{
		// 33 to a transaction. Besides, each store reads the markers of tag and operator
		// code, and the first one writes them.
		{"1,000 new ones", rowsOf(0, 1000), 11, 32, mailing.RowCreated},
		{"1,000 as they are", rowsOf(0, 1000), 21, 0, mailing.RowUnchanged},
		{"1,000 changes", func() []mailing.ClientRow {
			rows, tag := rowsOf(0, 1000), "gold"
			for i := range rows {
				rows[i].Tag = &tag
			}
			return rows
		}(), 21, 11, mailing.RowUpdated},
		{"as many as an import reads at a time", rowsOf(1000, 1000+mailing.ImportRows), 5, 12, mailing.RowCreated},
		{"none", nil, 0, 0, mailing.RowOpen},
	} {
		faults := dynamotest.NewFaults(e.Client)
		got, err := e.StoreOver(faults).UpsertClients(t.Context(), c.rows)
		if n := outcomes(got)[c.want]; err != nil || n != len(c.rows) {
			t.Errorf("%s: %v, %v", c.what, outcomes(got), err)
		}
		reads, transactions := faults.Calls(dynamotest.BatchGetItem), faults.Calls(dynamotest.TransactWriteItems)
		if reads > c.reads || transactions > c.transactions {
			t.Errorf("%s: %d batch reads and %d transactions, want at most %d and %d", c.what, reads, transactions, c.reads, c.transactions)
		}
		if n := faults.Calls(dynamotest.GetItem) + faults.Calls(dynamotest.UpdateItem) + faults.Calls(dynamotest.Query); n > 0 {
			t.Errorf("%s: %d other calls", c.what, n)
		}
	}
}

func TestACallThatFailsInTheMiddleLosesNoRow(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]dynamotest.Fault{
		"refused":            {Refuse: errors.New("no")},
		"its answer is lost": {Lose: errors.New("no")},
	} {
		e := dynamotest.Start(t)
		faults := dynamotest.NewFaults(e.Client)
		faults.On(dynamotest.TransactWriteItems, 3, fault)
		rows := rowsOf(0, 400)
		got, err := e.StoreOver(faults).UpsertClients(t.Context(), rows)
		wantKind(t, err, mailing.KindInternal)
		if diff := cmp.Diff(map[mailing.RowOutcome]int{mailing.RowCreated: 367, mailing.RowOpen: 33}, outcomes(got)); diff != "" {
			t.Errorf("%s: results (-want +got):\n%s", name, diff)
		}
		stored := byPhone(t, e.Store())
		again, err := e.Store().UpsertClients(t.Context(), rows)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range got {
			want := mailing.RowUnchanged
			if _, there := stored[rows[i].Phone]; !there {
				want = mailing.RowCreated
			}
			if r.Outcome == mailing.RowCreated && want != mailing.RowUnchanged {
				t.Errorf("%s: row %d is reported as created, but no client has its phone", name, i)
			}
			if again[i].Outcome != want {
				t.Errorf("%s: row %d is %d the second time, want %d", name, i, again[i].Outcome, want)
			}
		}
	}
}

func TestAReadThatFailsLeavesAllRowsOpen(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.BatchGetItem, 1, dynamotest.Fault{Refuse: errors.New("no")})
	got, err := e.StoreOver(faults).UpsertClients(t.Context(), rowsOf(0, 3))
	wantKind(t, err, mailing.KindInternal)
	if diff := cmp.Diff(make([]mailing.RowResult, 3), got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestARowWhoseClientChangesMeanwhileIsDecidedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		overtake func(*testing.T, *dynamo.Store, mailing.Client)
		// want is the outcome of the row with the phone of the old client.
		want mailing.RowOutcome
	}{
		"another caller makes the same change": {func(t *testing.T, s *dynamo.Store, old mailing.Client) {
			t.Helper()
			editing(t, s, old.ID, func(c *mailing.Client) { c.Tag = "gold" })
		}, mailing.RowUnchanged},
		"another caller makes another change": {func(t *testing.T, s *dynamo.Store, old mailing.Client) {
			t.Helper()
			editing(t, s, old.ID, func(c *mailing.Client) { c.Timezone = "Asia/Tomsk" })
		}, mailing.RowUpdated},
		"it is deleted": {func(t *testing.T, s *dynamo.Store, old mailing.Client) {
			t.Helper()
			if err := s.DeleteClient(t.Context(), old.ID); err != nil {
				t.Fatal(err)
			}
		}, mailing.RowRejected}, // a new client needs a time zone
		"its phone becomes another's": {func(t *testing.T, s *dynamo.Store, old mailing.Client) {
			t.Helper()
			editing(t, s, old.ID, func(c *mailing.Client) { c.Phone = phone(99) })
			create(t, s, client(1))
		}, mailing.RowUpdated},
	} {
		for _, op := range []struct {
			dynamotest.Op
			n int
		}{{dynamotest.BatchGetItem, 1}, {dynamotest.BatchGetItem, 2}, {dynamotest.TransactWriteItems, 1}} {
			e := dynamotest.Start(t)
			old, gold := create(t, e.Store(), client(1)), "gold"
			rows := append(rowsOf(10, 20), mailing.ClientRow{Phone: old.Phone, Tag: &gold})
			faults := dynamotest.NewFaults(e.Client)
			faults.On(op.Op, op.n, dynamotest.Fault{Before: func() { c.overtake(t, e.Store(), old) }})
			got, err := e.StoreOver(faults).UpsertClients(t.Context(), rows)
			if err != nil {
				t.Fatal(err)
			}
			if got[10].Outcome != c.want || outcomes(got)[mailing.RowCreated] != 10 {
				t.Errorf("%s before %s %d: %v, the client %v", name, op.Op, op.n, outcomes(got), got[10])
			}
		}
	}
}

func editing(t *testing.T, s *dynamo.Store, id mailing.ClientID, how func(*mailing.Client)) {
	t.Helper()
	if _, err := s.UpdateClient(t.Context(), id, func(c mailing.Client) (mailing.Client, error) {
		how(&c)
		return c, nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestARowWhosePhoneIsTakenMeanwhileBecomesAnUpdate(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() {
		create(t, e.Store(), mailing.Client{Phone: phone(3), OperatorCode: "900", Timezone: "UTC"})
	}})
	got, err := e.StoreOver(faults).UpsertClients(t.Context(), rowsOf(0, 10))
	want := map[mailing.RowOutcome]int{mailing.RowCreated: 9, mailing.RowUpdated: 1}
	if diff := cmp.Diff(want, outcomes(got)); diff != "" || err != nil || got[3].Outcome != mailing.RowUpdated {
		t.Errorf("%v, results (-want +got):\n%s", err, diff)
	}
}

func TestNewClientsOfAnImportNeverGetAnIDThatWasGivenOut(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	for n, id := range []mailing.ClientID{5, 6} {
		if _, err := s.CreateClientWithIDs(t.Context(), client(n), ids(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteClient(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	// A client has id 5, a deleted client had id 6, and id 7 is drawn twice.
	got, err := s.UpsertClientsWithIDs(t.Context(), rowsOf(10, 13), ids(5, 6, 7, 7, 8, 9, 10, 11))
	if err != nil || outcomes(got)[mailing.RowCreated] != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	if first, err := s.Client(t.Context(), 5); err != nil || first.Phone != phone(0) {
		t.Errorf("the client that had the id before is %v, %v", first, err)
	}
	if _, err := s.Client(t.Context(), 6); mailing.KindOf(err) != mailing.KindNotFound {
		t.Errorf("the deleted client's id was given out again: %v", err)
	}
}

func TestAClientThatOthersKeepChangingDoesNotStopOtherRows(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	old, gold := create(t, e.Store(), client(1)), "gold"
	faults := dynamotest.NewFaults(e.Client)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Before: func() {
		editing(t, e.Store(), old.ID, func(c *mailing.Client) {
			c.Timezone = map[string]string{"UTC": "Asia/Tomsk"}[c.Timezone]
			if c.Timezone == "" {
				c.Timezone = "UTC"
			}
		})
	}})
	got, err := e.StoreOver(faults).UpsertClients(t.Context(), append(rowsOf(10, 20), mailing.ClientRow{Phone: old.Phone, Tag: &gold}))
	if err != nil || outcomes(got)[mailing.RowCreated] != 10 {
		t.Fatalf("%v, %v", outcomes(got), err)
	}
	wantKind(t, got[10].Err, mailing.KindConflict)
}

func TestFourImportsOfTheSameFileAtOnceCreateEachClientOnce(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	rows := rowsOf(0, 200)
	var group sync.WaitGroup
	results := make([][]mailing.RowResult, 4)
	for i := range results {
		group.Go(func() {
			got, err := s.UpsertClients(t.Context(), rows)
			if err != nil {
				t.Error(err)
			}
			results[i] = got
		})
	}
	group.Wait()
	created := map[int]int{}
	for _, got := range results {
		for i, r := range got {
			if r.Outcome == mailing.RowCreated {
				created[i]++
			}
		}
	}
	for i := range rows {
		if created[i] != 1 {
			t.Errorf("row %d was created %d times", i, created[i])
		}
	}
	if n := len(byPhone(t, s)); n != 200 {
		t.Errorf("%d clients, want 200", n)
	}
}
