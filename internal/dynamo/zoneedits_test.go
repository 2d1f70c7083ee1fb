package dynamo_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// zoneEdits returns the stored edits of time zones of all slices.
func zoneEdits(t *testing.T, s *dynamo.Store) []mailing.ZoneEdit {
	t.Helper()
	var all []mailing.ZoneEdit
	for slice := range mailing.Slices {
		edits, err := s.ZoneEdits(t.Context(), slice, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, edits...)
	}
	return all
}

func wantZoneEdits(t *testing.T, s *dynamo.Store, want ...mailing.ZoneEdit) {
	t.Helper()
	if diff := cmp.Diff(want, zoneEdits(t, s), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("edited zones (-want +got):\n%s", diff)
	}
}

func editClient(t *testing.T, s *dynamo.Store, id mailing.ClientID, edit func(*mailing.Client)) {
	t.Helper()
	_, err := s.UpdateClient(t.Context(), id, func(c mailing.Client) (mailing.Client, error) {
		edit(&c)
		return c, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnlyAnEditOfTheZoneIsStored(t *testing.T) {
	t.Parallel()
	clock := dynamotest.NewClock(noon)
	s := dynamotest.Store(t, clock.Option())
	c := create(t, s, client(1))
	other := create(t, s, client(2))
	editClient(t, s, c.ID, func(c *mailing.Client) { c.Tag = "gold" })
	editClient(t, s, c.ID, func(c *mailing.Client) { c.Phone = phone(7) })
	editClient(t, s, c.ID, func(*mailing.Client) {})
	wantZoneEdits(t, s)
	editClient(t, s, c.ID, func(c *mailing.Client) { c.Timezone, c.Phone = "UTC", phone(8) })
	wantZoneEdits(t, s, mailing.ZoneEdit{Client: c.ID, Version: 4, At: noon})
	clock.Advance(time.Second)
	editClient(t, s, c.ID, func(c *mailing.Client) { c.Timezone = "Asia/Vladivostok" })
	wantZoneEdits(t, s, mailing.ZoneEdit{Client: c.ID, Version: 5, At: noon.Add(time.Second)})
	// A refused edit leaves no trace.
	_, err := s.UpdateClient(t.Context(), other.ID, func(o mailing.Client) (mailing.Client, error) {
		o.Phone, o.Timezone = phone(8), "UTC"
		return o, nil
	})
	wantKind(t, err, mailing.KindConflict)
	wantZoneEdits(t, s, mailing.ZoneEdit{Client: c.ID, Version: 5, At: noon.Add(time.Second)})
}

func TestAnImportStoresTheEditedZones(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store(atNoon())
	const n = 120
	if _, err := s.UpsertClients(t.Context(), rowsOf(0, n)); err != nil {
		t.Fatal(err)
	}
	wantZoneEdits(t, s)
	rows, zone := rowsOf(0, n), "Asia/Vladivostok"
	for i := range rows {
		if i%3 > 0 {
			rows[i].Timezone = &zone
		}
	}
	faults := dynamotest.NewFaults(e.Client)
	results, err := e.StoreOver(faults, atNoon()).UpsertClients(t.Context(), rows)
	if err != nil || outcomes(results)[mailing.RowUpdated] != n*2/3 {
		t.Fatalf("%v, %v", outcomes(results), err)
	}
	edits := zoneEdits(t, s)
	ids := make([]mailing.ClientID, len(edits))
	for i, e := range edits {
		ids[i] = e.Client
	}
	found, err := s.Clients(t.Context(), ids)
	if err != nil || len(found) != n*2/3 {
		t.Errorf("%d edits of zones are stored, of %d clients, %v", len(edits), len(found), err)
	}
	for id, c := range found {
		if c.Timezone != zone {
			t.Errorf("the edit of client %d is stored, but its zone is %s", id, c.Timezone)
		}
	}
	if n := faults.Calls(dynamotest.TransactWriteItems); n != 2 { // 50 to a transaction
		t.Errorf("it took %d transactions", n)
	}
}

func TestZoneEditsAreReadPageByPageAndDeletedUnlessEditedAgain(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	n := mailing.ClientID(0)
	for i := range 130 {
		_, err := s.CreateClientWithIDs(t.Context(), client(i), func() mailing.ClientID { n += mailing.Slices; return n })
		if err != nil {
			t.Fatal(err)
		}
		editClient(t, s, n, func(c *mailing.Client) { c.Timezone = "UTC" })
	}
	var read []mailing.ZoneEdit
	for after := mailing.ClientID(0); ; {
		some, err := s.ZoneEdits(t.Context(), 0, after, 50)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		read, after = append(read, some...), some[len(some)-1].Client
	}
	if diff := cmp.Diff(zoneEdits(t, s), read); diff != "" || len(read) != 130 {
		t.Errorf("%d were read (-want +got):\n%s", len(read), diff)
	}
	editClient(t, s, 32, func(c *mailing.Client) { c.Timezone = "Europe/Berlin" })
	for range 2 {
		if err := s.DeleteZoneEdits(t.Context(), 0, read); err != nil {
			t.Fatal(err)
		}
		wantZoneEdits(t, s, mailing.ZoneEdit{Client: 32, Version: 3, At: noon})
	}
}

func TestABatchIsPlannedAgainOnlyIfItHasNotChanged(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t, atNoon())
	m := newMailing(t, s, noon)
	deferred := mailing.Recipient{Client: 19, Status: mailing.Deferred, At: noon, NotBefore: noon.Add(time.Hour)}
	b := writeSlice(t, s, m, 3, []mailing.Recipient{deferred, queuedTo(35)})[0]
	mustClaim(t, s, b.Key, "a sender that defers", noon, noon.Add(time.Minute))
	mustUnclaim(t, s, b.Key, "a sender that defers", noon.Add(time.Hour))
	seen, ok, err := s.BatchOf(t.Context(), m, 19)
	if err != nil || !ok || seen.Key != b.Key {
		t.Fatalf("%+v, %t, %v", seen, ok, err)
	}
	if _, ok, err := s.BatchOf(t.Context(), m, 51); ok || err != nil {
		t.Errorf("a client without a message has a batch, %v", err)
	}
	replanned, _ := seen.Replanned(func(mailing.ClientID) bool { return true }, noon)
	replan := func() bool {
		t.Helper()
		written, err := s.Replan(t.Context(), seen, replanned)
		if err != nil {
			t.Fatal(err)
		}
		return written
	}
	wantUnclaimable(t, s, b.Key, noon)
	if !replan() {
		t.Error("it is not planned again")
	}
	if replan() {
		t.Error("it is planned again although its recipients have changed")
	}
	if got := readBatch(t, s, b.Key); !cmp.Equal(got, replanned) {
		t.Errorf("batch (-want +got):\n%s", cmp.Diff(replanned, got))
	}
	seen = mustClaim(t, s, b.Key, "me", noon, noon.Add(time.Minute))
	if replan() {
		t.Error("it is planned again although it is held")
	}
	settleAs(t, s, m, seen, sentTo(19), sentTo(35))
	seen.Recipients = []mailing.Recipient{sentTo(19), sentTo(35)}
	if replan() {
		t.Error("it is planned again although no message is pending")
	}
}
