package dynamo_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func listMessages(t *testing.T, s *dynamo.Store, q mailing.MessageQuery) []mailing.MessageID {
	t.Helper()
	messages := all(t, q.Limit, func(cursor string) (mailing.List[mailing.Message], error) {
		q.Cursor = cursor
		return s.ListMessages(t.Context(), q)
	})
	got := make([]mailing.MessageID, 0, len(messages))
	for _, msg := range messages {
		got = append(got, msg.ID)
	}
	return got
}

// mixed returns a status: of a hundred messages one is failed, and of seven one is
// queued. In slice 2 all are expired.
func mixed(id mailing.ClientID) mailing.MessageStatus {
	switch n := id / mailing.Slices; {
	case id.Slice() == 2:
		return mailing.Expired
	case n%100 == 1:
		return mailing.Failed
	case n%7 == 0:
		return mailing.Queued
	}
	return mailing.Sent
}

// messagesIn returns the ids of the messages of a mailing that have a status, in
// storage order.
func messagesIn(m mailing.Mailing, to []mailing.ClientID, status mailing.MessageStatus) []mailing.MessageID {
	var want []mailing.MessageID
	for _, id := range inStorageOrder(to) {
		if status == "" || mixed(id) == status {
			want = append(want, mailing.NewMessageID(m.ID, id))
		}
	}
	return want
}

var messageFilters = []mailing.MessageStatus{"", mailing.Sent, mailing.Failed, mailing.Queued, mailing.Expired, mailing.Skipped, mailing.Sending}

func TestMessagesOfAMailingAreListedOnceEachWithAnyLimit(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clock := dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	to := someIDs(sized(220, 90), mailing.Slices)
	for _, shape := range []struct{ perPage, size int }{{1000, 50}, {11, 3}} {
		m := newMailing(t, s, noon)
		expand(t, s, m, noon, to, shape.perPage, shape.size, mixed)
		for _, status := range messageFilters {
			want := messagesIn(m, to, status)
			for _, limit := range []int{1, 9, 100} {
				if limit == 1 && len(want) > 30 {
					continue
				}
				// With pages of three batches, each slice takes several pages.
				for _, api := range []dynamo.API{e.Client, smallPages{e.Client, 3}} {
					got := listMessages(t, e.StoreOver(api, clock.Option()), mailing.MessageQuery{Mailing: m.ID, Status: status, Limit: limit})
					if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("batches of %d, status %q, limit %d: %s", shape.size, status, limit, diff)
					}
				}
			}
		}
	}
}

func TestMessagesOfAllMailingsAreListedNewestMailingFirst(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clock := dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	mailings := make([]mailing.Mailing, 0, 12)
	audiences := make([][]mailing.ClientID, 0, 12)
	for n := range 12 {
		m := newMailing(t, s, noon)
		to := someIDs(1+n*7, mailing.Slices)
		if n%4 == 3 {
			to = nil
		} else {
			expand(t, s, m, noon, to, 1000, 4, mixed)
		}
		if n%3 == 0 {
			finish(t, s, m.ID, countsOf(to))
		}
		mailings, audiences = append(mailings, m), append(audiences, to)
	}
	for _, status := range messageFilters {
		var want []mailing.MessageID
		for n := range slices.Backward(mailings) {
			want = append(want, messagesIn(mailings[n], audiences[n], status)...)
		}
		for _, limit := range []int{9, 100} {
			if diff := cmp.Diff(want, listMessages(t, s, mailing.MessageQuery{Status: status, Limit: limit}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("status %q, limit %d: %s", status, limit, diff)
			}
		}
	}
}

func countsOf(to []mailing.ClientID) mailing.Counts {
	var c mailing.Counts
	for _, id := range to {
		c.Count(mixed(id), 1)
	}
	return c
}

func TestMessagesToOneClientAreFoundInAllMailings(t *testing.T) {
	t.Parallel()
	clock := dynamotest.NewClock(noon)
	s := dynamotest.Store(t, clock.Option())
	const addressee mailing.ClientID = 16*100 + 5
	var want, failed []mailing.MessageID
	for n := range 23 {
		m := newMailing(t, s, noon)
		status := mailing.Sent
		if n%4 == 0 {
			status = mailing.Failed
		}
		to := []mailing.ClientID{addressee - 16, addressee + 16}
		if n%3 != 0 {
			to = append(to, addressee)
			want = append(want, mailing.NewMessageID(m.ID, addressee))
			if status == mailing.Failed {
				failed = append(failed, mailing.NewMessageID(m.ID, addressee))
			}
		}
		expand(t, s, m, noon, to, 2, 2, everyone(status))
	}
	slices.Reverse(want)
	slices.Reverse(failed)
	for _, limit := range []int{1, 5, 100} {
		if diff := cmp.Diff(want, listMessages(t, s, mailing.MessageQuery{Client: addressee, Limit: limit}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
		if diff := cmp.Diff(failed, listMessages(t, s, mailing.MessageQuery{Client: addressee, Status: mailing.Failed, Limit: limit})); diff != "" {
			t.Errorf("failed, limit %d: %s", limit, diff)
		}
	}
	one := mailing.MessageQuery{Mailing: failed[0].Mailing(), Client: addressee, Limit: 10}
	for status, n := range map[mailing.MessageStatus]int{"": 1, mailing.Failed: 1, mailing.Sent: 0} {
		one.Status = status
		if got := listMessages(t, s, one); len(got) != n {
			t.Errorf("of one mailing, status %q: %v", status, got)
		}
	}
}

func TestAListShowsEachMessageOnceWhileStatusesChange(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clock := dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	m := newMailing(t, s, noon)
	to := make([]mailing.ClientID, 30)
	for n := range to {
		to[n] = mailing.ClientID(16 * (n + 1))
	}
	expand(t, s, m, noon, to, 1000, 10, everyone(mailing.Queued))
	q := mailing.MessageQuery{Mailing: m.ID, Status: mailing.Queued, Limit: 7}
	first, err := s.ListMessages(t.Context(), q)
	if err != nil || len(first.Items) != 7 {
		t.Fatal(first, err)
	}
	// Now ten messages are sent: those of the first page, and three that it did not
	// show.
	send(t, s, m, mailing.BatchKey{Mailing: m.ID, Batch: mailing.BatchID{First: 16}})
	q.Cursor = first.Next
	rest := all(t, 7, func(cursor string) (mailing.List[mailing.Message], error) {
		if cursor != "" {
			q.Cursor = cursor
		}
		return s.ListMessages(t.Context(), q)
	})
	got := make([]mailing.ClientID, 0, len(rest))
	for _, msg := range rest {
		got = append(got, msg.Member.Client)
	}
	if diff := cmp.Diff(to[10:], got); diff != "" {
		t.Error(diff)
	}
}

// send settles a batch with all messages sent.
func send(t *testing.T, s *dynamo.Store, m mailing.Mailing, k mailing.BatchKey) {
	t.Helper()
	b, ok, err := s.Claim(t.Context(), k, "me", noon, noon.Add(time.Minute))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	before := mailing.CountRecipients(b.Recipients)
	for i := range b.Recipients {
		b.Recipients[i].Status = mailing.Sent
	}
	b.Holder, b.LeaseUntil, b.DueAt = "", time.Time{}, time.Time{}
	lost, err := s.Settle(t.Context(), m, k.Slice, []mailing.Settlement{
		{Batch: b, Holder: "me", Change: mailing.CountRecipients(b.Recipients).Minus(before)},
	})
	if err != nil || len(lost) > 0 {
		t.Fatal(lost, err)
	}
}

func TestARareStatusIsFoundByReadingOnlyTheSlicesThatHoldIt(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clock := dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	m := newMailing(t, s, noon)
	to := someIDs(320, mailing.Slices)
	expand(t, s, m, noon, to, 1000, 50, func(id mailing.ClientID) mailing.MessageStatus {
		if id == to[7] {
			return mailing.Failed
		}
		return mailing.Sent
	})
	faults := dynamotest.NewFaults(e.Client)
	page, err := e.StoreOver(faults, clock.Option()).ListMessages(t.Context(), mailing.MessageQuery{Mailing: m.ID, Status: mailing.Failed, Limit: 50})
	if err != nil || len(page.Items) != 1 || page.Next != "" {
		t.Errorf("%+v, %v", page, err)
	}
	if n := faults.Calls(dynamotest.Query); n != 1 {
		t.Errorf("it took %d queries, want 1", n)
	}
}

func TestAPageOfMessagesReadsABoundedNumberOfDynamoDBPages(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clock := dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	m := newMailing(t, s, noon)
	to := someIDs(1600, mailing.Slices)
	// In each slice only the last message is queued.
	last := map[mailing.ClientID]bool{}
	ordered := inStorageOrder(to)
	for i, id := range ordered {
		last[id] = i == len(ordered)-1 || ordered[i+1].Slice() != id.Slice()
	}
	// These are more batches than one call reads by their keys.
	expand(t, s, m, noon, to, 1000, 10, func(id mailing.ClientID) mailing.MessageStatus {
		if last[id] {
			return mailing.Queued
		}
		return mailing.Sent
	})
	faults := dynamotest.NewFaults(smallPages{e.Client, 1})
	q := mailing.MessageQuery{Mailing: m.ID, Status: mailing.Queued, Limit: 50}
	page, err := e.StoreOver(faults, clock.Option()).ListMessages(t.Context(), q)
	if err != nil || len(page.Items) != 0 || page.Next == "" {
		t.Errorf("%d messages, next %q, %v", len(page.Items), page.Next, err)
	}
	if n := faults.Calls(dynamotest.Query); n > 20 {
		t.Errorf("it took %d queries", n)
	}
	if got := listMessages(t, e.StoreOver(smallPages{e.Client, 2}, clock.Option()), q); len(got) != mailing.Slices {
		t.Errorf("%d messages were found, want %d", len(got), mailing.Slices)
	}
}

func TestAPageOfOneClientsMessagesLooksAtAHundredMailingsAtMost(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clock := dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	const addressee mailing.ClientID = 16*100 + 5
	first := newMailing(t, s, noon)
	expand(t, s, first, noon, []mailing.ClientID{addressee}, 2, 2, everyone(mailing.Sent))
	for range 120 {
		expand(t, s, newMailing(t, s, noon), noon, []mailing.ClientID{addressee + 16}, 2, 2, everyone(mailing.Sent))
	}
	faults := dynamotest.NewFaults(e.Client)
	s = e.StoreOver(faults, clock.Option())
	page, err := s.ListMessages(t.Context(), mailing.MessageQuery{Client: addressee, Limit: 50})
	if err != nil || len(page.Items) != 0 || page.Next == "" {
		t.Errorf("%d messages, next %q, %v", len(page.Items), page.Next, err)
	}
	// There is one query for each mailing, and one or two for the list of mailings.
	if n := faults.Calls(dynamotest.Query); n > 102 {
		t.Errorf("a page took %d queries", n)
	}
	page, err = s.ListMessages(t.Context(), mailing.MessageQuery{Client: addressee, Limit: 50, Cursor: page.Next})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != mailing.NewMessageID(first.ID, addressee) || page.Next != "" {
		t.Errorf("then %d messages, next %q, %v", len(page.Items), page.Next, err)
	}
}
