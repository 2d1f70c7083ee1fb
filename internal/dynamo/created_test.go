package dynamo_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// audienceAt returns the audience of a mailing that started at an instant, from all
// slices, in the order of ids.
func audienceAt(t *testing.T, s *dynamo.Store, f mailing.Filter, started time.Time) []mailing.ClientID {
	t.Helper()
	var ids []mailing.ClientID
	for slice := range mailing.Slices {
		clients, _, done, err := s.Audience(t.Context(), slice, f, started, 0, 1000)
		if err != nil || !done {
			t.Fatalf("done %v, %v", done, err)
		}
		for _, c := range clients {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestAnAudienceIsTheClientsThatExistedAtTheStart(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clock := dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	old := client(1)
	old.ID = 7
	seed(t, e, []mailing.Client{old}) // stored before the attribute existed
	created := create(t, s, client(2))
	clock.Advance(time.Millisecond)
	imported := func(n int) mailing.ClientID {
		zone := "UTC"
		row := mailing.ClientRow{Phone: phone(n), Timezone: &zone}
		if _, err := s.UpsertClients(t.Context(), []mailing.ClientRow{row}); err != nil {
			t.Fatal(err)
		}
		page, err := s.ListClients(t.Context(), mailing.ClientQuery{Phone: phone(n), Limit: 1})
		if err != nil || len(page.Items) != 1 {
			t.Fatalf("%d clients, %v", len(page.Items), err)
		}
		return page.Items[0].ID
	}(3)

	want := func(when string, started time.Time, f mailing.Filter, ids ...mailing.ClientID) {
		t.Helper()
		slices.Sort(ids)
		if diff := cmp.Diff(ids, audienceAt(t, s, f, started)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	all := mailing.Filter{}
	want("before all", noon.Add(-time.Millisecond), all, 7)
	want("at the creation of the first", noon, all, 7, created.ID)
	want("at the import of the second", noon.Add(time.Millisecond), all, 7, created.ID, imported)
	want("without a start", time.Time{}, all, 7, created.ID, imported)
	want("by tag", noon.Add(time.Hour), mailing.Filter{Tags: []string{"vip"}}, 7, created.ID)

	// An edit of the tag, an edit of the phone, and an import of the same phone do not
	// change the instant of creation.
	clock.Advance(time.Hour)
	for _, id := range []mailing.ClientID{7, created.ID, imported} {
		for _, edit := range []func(*mailing.Client){
			func(c *mailing.Client) { c.Tag = "edited" },
			func(c *mailing.Client) { *c = c.WithPhone("7950" + c.Phone[4:]) },
		} {
			if _, err := s.UpdateClient(t.Context(), id, func(c mailing.Client) (mailing.Client, error) {
				edit(&c)
				return c, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	tag := "imported"
	rows := []mailing.ClientRow{{Phone: "79500000003", Tag: &tag}}
	if _, err := s.UpsertClients(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	want("after edits", noon, all, 7, created.ID)
	want("after edits, later", noon.Add(time.Millisecond), all, 7, created.ID, imported)
}

func TestTheInstantOfAMailingsStartIsStored(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m, err := s.Mailing(t.Context(), newMailing(t, s, noon).ID)
	if err != nil || !m.StartedAt.Equal(noon) {
		t.Errorf("it started at %s, %v", m.StartedAt, err)
	}
}

func TestAPreviewCountsClientsWhateverTheirAge(t *testing.T) {
	t.Parallel()
	clock := dynamotest.NewClock(noon)
	s := dynamotest.Store(t, clock.Option())
	create(t, s, client(1))
	clock.Advance(time.Hour)
	create(t, s, client(2))
	if n, err := s.CountAudience(t.Context(), mailing.Filter{Tags: []string{"vip"}}); err != nil || n != 2 {
		t.Errorf("%d clients, %v", n, err)
	}
}
