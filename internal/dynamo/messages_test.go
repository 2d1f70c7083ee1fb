package dynamo_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func everyone(s mailing.MessageStatus) func(mailing.ClientID) mailing.MessageStatus {
	return func(mailing.ClientID) mailing.MessageStatus { return s }
}

// someIDs returns n ids of clients in the given number of slices.
func someIDs(n, slices int) []mailing.ClientID {
	random := rand.New(rand.NewPCG(3, uint64(n)))
	seen := map[mailing.ClientID]bool{}
	var found []mailing.ClientID
	for len(found) < n {
		id := mailing.ClientID(random.Uint32N(1<<24))<<4 | mailing.ClientID(random.IntN(slices))
		if id > 0 && !seen[id] {
			seen[id] = true
			found = append(found, id)
		}
	}
	return found
}

func TestEachMessageIsFoundByItsID(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clock := dynamotest.NewClock(noon)
	s := e.Store(clock.Option())
	to := someIDs(sized(150, 100), 3)
	there := map[mailing.ClientID]bool{}
	for _, id := range to {
		there[id] = true
	}
	newMailing(t, s, noon)
	for _, m := range []struct {
		name          string
		mailing       mailing.Mailing
		perPage, size int
	}{
		{"many pages", newMailing(t, s, noon), 17, 5},
		{"one page of full batches", newMailing(t, s, noon), 1000, 50},
		{"a page with more batches than a look-up reads at once", newMailing(t, s, noon), 90, 1},
		{"a page per client", newMailing(t, s, noon), 1, 1},
	} {
		expand(t, s, m.mailing, noon, to, m.perPage, m.size, everyone(mailing.Queued))
		for _, id := range to {
			got, err := s.Message(t.Context(), mailing.NewMessageID(m.mailing.ID, id))
			if err != nil || got.Member.Client != id || got.ID.Mailing() != m.mailing.ID || !got.CreatedAt.Equal(noon) {
				t.Fatalf("%s: client %d: %+v, %v", m.name, id, got, err)
			}
		}
		for _, id := range to[:20] {
			for _, other := range []mailing.ClientID{id - mailing.Slices, id + mailing.Slices, id + 8} {
				if !there[other] && other > 0 {
					_, err := s.Message(t.Context(), mailing.NewMessageID(m.mailing.ID, other))
					wantKind(t, err, mailing.KindNotFound)
				}
			}
		}
	}
}

func TestAnImpossibleMessageIDIsNotFound(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	for _, id := range []mailing.MessageID{0, -1, 5, 1 << 32, 1<<53 + 1, mailing.NewMessageID(9, 9)} {
		_, err := s.Message(t.Context(), id)
		wantKind(t, err, mailing.KindNotFound)
	}
}

func TestAMessageShowsThePhoneWhileItsClientExists(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	c := create(t, s, client(1))
	m := newMailing(t, s, time.Now())
	expand(t, s, m, time.Now(), []mailing.ClientID{c.ID}, 10, 10, everyone(mailing.Sent))
	id := mailing.NewMessageID(m.ID, c.ID)
	if got, err := s.Message(t.Context(), id); err != nil || got.Phone != c.Phone {
		t.Errorf("the phone is %q, %v", got.Phone, err)
	}
	if err := s.DeleteClient(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Message(t.Context(), id); err != nil || got.Phone != "" || got.Member.Status != mailing.Sent {
		t.Errorf("after the deletion of its client the message is %+v, %v", got, err)
	}
}

func TestAPendingMessageShowsAsSendingWhileItsBatchIsHeld(t *testing.T) {
	t.Parallel()
	clock := dynamotest.NewClock(noon)
	s := dynamotest.Store(t, clock.Option())
	m := newMailing(t, s, noon)
	expand(t, s, m, noon, []mailing.ClientID{16, 32}, 10, 10, func(id mailing.ClientID) mailing.MessageStatus {
		if id == 16 {
			return mailing.Sent
		}
		return mailing.Retrying
	})
	status := func(client mailing.ClientID) mailing.MessageStatus {
		t.Helper()
		got, err := s.Message(t.Context(), mailing.NewMessageID(m.ID, client))
		if err != nil {
			t.Fatal(err)
		}
		return got.Member.Status
	}
	if got := status(32); got != mailing.Retrying {
		t.Errorf("before the claim the message is %s", got)
	}
	k := mailing.BatchKey{Mailing: m.ID, Batch: mailing.BatchID{First: 16}}
	if _, ok, err := s.Claim(t.Context(), k, "me", noon, noon.Add(time.Minute)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got := status(32); got != mailing.Sending {
		t.Errorf("during the lease the message is %s", got)
	}
	if got := status(16); got != mailing.Sent {
		t.Errorf("a sent message of the same batch is %s", got)
	}
	for wanted, n := range map[mailing.MessageStatus]int{mailing.Sending: 1, mailing.Retrying: 0, mailing.Sent: 1, "": 2} {
		if got := listMessages(t, s, mailing.MessageQuery{Mailing: m.ID, Status: wanted, Limit: 9}); len(got) != n {
			t.Errorf("the list of %q has %d messages, want %d", wanted, len(got), n)
		}
	}
	clock.Advance(time.Minute)
	if got := status(32); got != mailing.Retrying {
		t.Errorf("after the lease the message is %s", got)
	}
}

func TestMessagesOfADeletedMailingAreNotFound(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	m := newMailing(t, s, time.Now())
	expand(t, s, m, time.Now(), []mailing.ClientID{5}, 10, 10, everyone(mailing.Sent))
	change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.AsDeleted(time.Now()), nil })
	_, err := s.Message(t.Context(), mailing.NewMessageID(m.ID, 5))
	wantKind(t, err, mailing.KindNotFound)
	for _, q := range []mailing.MessageQuery{{Mailing: m.ID}, {Mailing: m.ID, Client: 5}, {Mailing: m.ID + 1}} {
		q.Limit = 10
		_, err = s.ListMessages(t.Context(), q)
		wantKind(t, err, mailing.KindNotFound)
	}
	for _, q := range []mailing.MessageQuery{{}, {Client: 5}} {
		q.Limit = 10
		if got := listMessages(t, s, q); len(got) != 0 {
			t.Errorf("%+v lists %v", q, got)
		}
	}
}

func TestMessagesAreHiddenWhenTheirRetentionIsOver(t *testing.T) {
	t.Parallel()
	// A pending message has no time to live of its own.
	for _, status := range []mailing.MessageStatus{mailing.Sent, mailing.Queued} {
		clock := dynamotest.NewClock(noon)
		s := dynamotest.Store(t, clock.Option())
		m := newMailing(t, s, noon)
		expand(t, s, m, noon, []mailing.ClientID{5, 21, 22}, 10, 10, everyone(status))

		clock.Advance(m.EndAt.Sub(noon) + dynamotest.Retention - time.Second)
		wantMessages(t, s, m, status, 3)
		clock.Advance(time.Second)
		wantMessages(t, s, m, status, 0)
	}
}

func TestTheRetentionBeginsAtThePresentEndOfTheMailing(t *testing.T) {
	t.Parallel()
	for _, moved := range []time.Duration{48 * time.Hour, -12 * time.Hour} {
		e := dynamotest.Start(t)
		clock := dynamotest.NewClock(noon)
		s := e.Store(clock.Option())
		m := newMailing(t, s, noon)
		expand(t, s, m, noon, []mailing.ClientID{5, 21, 22}, 10, 10, everyone(mailing.Sent))
		m = moveEnd(t, s, m, moved)
		clock.Advance(m.EndAt.Sub(noon) + dynamotest.Retention - time.Second)
		wantMessages(t, s, m, mailing.Sent, 3)
		clock.Advance(time.Second)
		wantMessages(t, s, m, mailing.Sent, 0)
	}
}

// moveEnd moves the end of a mailing by a duration, in an edit at noon.
func moveEnd(t *testing.T, s *dynamo.Store, m mailing.Mailing, by time.Duration) mailing.Mailing {
	t.Helper()
	return change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) {
		other := m.Draft
		other.EndAt = m.EndAt.Add(by)
		return m.Edit(other, noon)
	})
}

// wantMessages reads the messages of a mailing to clients 5, 21 and 22 in all ways that
// the store has. It expects n messages, all of one status.
func wantMessages(t *testing.T, s *dynamo.Store, m mailing.Mailing, status mailing.MessageStatus, n int) {
	t.Helper()
	for _, to := range []mailing.ClientID{5, 21, 22} {
		_, err := s.Message(t.Context(), mailing.NewMessageID(m.ID, to))
		if n == 0 {
			wantKind(t, err, mailing.KindNotFound)
		} else if err != nil {
			t.Error(err)
		}
		if got := listMessages(t, s, mailing.MessageQuery{Client: to, Limit: 10}); len(got) != min(n, 1) {
			t.Errorf("%d messages to client %d are listed", len(got), to)
		}
	}
	for _, q := range []mailing.MessageQuery{{}, {Mailing: m.ID}, {Mailing: m.ID, Status: status}, {Status: status}} {
		q.Limit = 10
		if got := listMessages(t, s, q); len(got) != n {
			t.Errorf("%+v lists %d messages, want %d", q, len(got), n)
		}
	}
}
