package dynamo_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func TestLargePagesOfADirectoryReadNotMuchMoreThanTheyShow(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	want, random := make([]mailing.Client, sized(6400, 2000)), rand.New(rand.NewPCG(1, 2))
	for i := range want {
		want[i] = client(i)
		want[i].ID = mailing.ClientID(random.Uint32())
	}
	seed(t, e, want)
	for _, limit := range []int{100, 150, 1000, 5000} {
		counter := &countLooked{API: e.Client}
		got := listClients(t, e.StoreOver(counter), mailing.ClientQuery{Limit: limit})
		if len(got) != len(want) {
			t.Errorf("limit %d: %d clients, want %d", limit, len(got), len(want))
		}
		if pages := len(want)/limit + 1; counter.looked > len(want)*3/2 || counter.queries > pages+2*mailing.Slices {
			t.Errorf("limit %d: %d queries looked at %d clients of %d", limit, counter.queries, counter.looked, len(want))
		}
	}
}

func TestLargePagesOfMessagesReadNotMuchMoreThanTheyShow(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s, now := e.Store(), time.Now()
	m := newMailing(t, s, now)
	clients := make([]mailing.ClientID, 12_800) // 16 batches in each slice
	for i := range clients {
		clients[i] = mailing.ClientID(i + 1)
	}
	expand(t, s, m, now, clients, 800, mailing.BatchSize, func(id mailing.ClientID) mailing.MessageStatus {
		if id/mailing.Slices%2 == 0 {
			return mailing.Failed
		}
		return mailing.Sent
	})
	batches := len(clients) / mailing.BatchSize
	for _, c := range []struct {
		status mailing.MessageStatus
		limit  int
		want   int
		// looked is how many batches all pages together may look at.
		looked int
	}{
		{"", 5000, 12_800, 2 * batches},
		{"", 1000, 12_800, 2 * batches},
		{mailing.Failed, 5000, 6400, 2 * batches},
		{mailing.Failed, 300, 6400, 4 * batches}, // each page first reads all batches of a slice
	} {
		counter := &countLooked{API: e.Client}
		store := e.StoreOver(counter)
		seen := map[mailing.MessageID]bool{}
		for _, msg := range all(t, c.limit, func(cursor string) (mailing.List[mailing.Message], error) {
			return store.ListMessages(t.Context(), mailing.MessageQuery{Mailing: m.ID, Status: c.status, Limit: c.limit, Cursor: cursor})
		}) {
			seen[msg.ID] = true
		}
		if diff := cmp.Diff(c.want, len(seen)); diff != "" {
			t.Errorf("status %q, limit %d (-want +got):\n%s", c.status, c.limit, diff)
		}
		if counter.looked > c.looked {
			t.Errorf("status %q, limit %d: %d queries looked at %d batches of %d", c.status, c.limit, counter.queries, counter.looked, batches)
		}
	}
}
