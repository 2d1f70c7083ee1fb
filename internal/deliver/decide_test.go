package deliver_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"postrider/internal/deliver"
	"postrider/internal/mailing"
)

func TestEachRecipientOfABatchIsDecidedOnSeparately(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, clients := w.batch("Europe/Moscow", "Asia/Vladivostok", "Europe/Moscow", "Asia/Vladivostok", "Europe/Moscow")
	// By the time of the hand-over, a window is open in Moscow and closed in
	// Vladivostok, and one client is deleted.
	w.change(func(m mailing.Mailing) (mailing.Mailing, error) {
		edited := m.Draft
		edited.Window = &mailing.Window{From: mailing.ClockTime(9 * time.Hour), To: mailing.ClockTime(18 * time.Hour)}
		return m.Edit(edited, w.clock.Now())
	})
	want := map[mailing.ClientID]mailing.MessageStatus{}
	gone := false
	for _, c := range clients {
		switch {
		case c.Timezone != "Europe/Moscow":
			want[c.ID] = mailing.Deferred
		case !gone:
			gone = true
			want[c.ID] = mailing.Skipped
			if err := w.store.DeleteClient(t.Context(), c.ID); err != nil {
				t.Fatal(err)
			}
		default:
			want[c.ID] = mailing.Sent
		}
	}
	w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	for _, rec := range w.read(d.Key).Recipients {
		if rec.Status != want[rec.Client] {
			t.Errorf("client %d: %s, want %s", rec.Client, rec.Status, want[rec.Client])
		}
	}
	for _, c := range w.api.requests() {
		if want[c.to] != mailing.Sent {
			t.Errorf("handed over to client %d, which must become %s", c.to, want[c.to])
		}
	}
}

func TestAMessageThatWaitedForTheRateLimitIsDecidedOnAgain(t *testing.T) {
	t.Parallel()
	const effectiveWithin = 2 * time.Second
	for name, change := range map[string]func(mailing.Mailing, time.Time) (mailing.Mailing, error){
		"paused":    func(m mailing.Mailing, now time.Time) (mailing.Mailing, error) { return m.Paused(now) },
		"cancelled": func(m mailing.Mailing, now time.Time) (mailing.Mailing, error) { return m.Cancelled(now) },
		"ended": func(m mailing.Mailing, now time.Time) (mailing.Mailing, error) {
			edited := m.Draft
			edited.EndAt = now.Add(time.Second)
			return m.Edit(edited, now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.config.MaxRate = 10
			d, _ := w.batch(moscow(5)...)
			// The first message does not wait. Then the mailing is changed. After
			// effectiveWithin, no other hand-over may begin.
			var first, once sync.Once
			var at time.Time
			begun := make(chan struct{})
			w.api.answer = func(mailing.Handover) mailing.Outcome {
				first.Do(func() { close(begun) })
				return mailing.Outcome{Kind: mailing.OutcomeSent}
			}
			asleep := func() {
				once.Do(func() {
					<-begun
					at = w.clock.Now()
					w.change(func(m mailing.Mailing) (mailing.Mailing, error) { return change(m, at) })
					w.clock.Advance(effectiveWithin)
				})
			}
			w.config.Clock = senderClock{w.clock, asleep}
			w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
			for _, c := range w.api.requests() {
				if after := c.at.Sub(at); after >= effectiveWithin {
					t.Errorf("a hand-over began %s after the mailing was %s", after, name)
				}
			}
			if at.IsZero() {
				t.Error("no message waited for the rate limit")
			}
		})
	}
}

func TestAMessageThatWaitedForAConnectionIsDecidedOnAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failures int // the number of tries that end without a connection
		change   func(mailing.Mailing, time.Time) (mailing.Mailing, error)
		want     mailing.MessageStatus
		tries    int
	}{
		"a slow handshake":                  {2, nil, mailing.Sent, 3},
		"a slow handshake, and a cancel":    {2, func(m mailing.Mailing, now time.Time) (mailing.Mailing, error) { return m.Cancelled(now) }, mailing.Cancelled, 1},
		"a slow handshake, and a pause":     {2, func(m mailing.Mailing, now time.Time) (mailing.Mailing, error) { return m.Paused(now) }, mailing.Queued, 1},
		"an address that takes no requests": {99, nil, mailing.Retrying, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			d, _ := w.batch(moscow(1)...)
			w.api.answer = func(h mailing.Handover) mailing.Outcome {
				if limit := h.Before.Sub(w.clock.Now()); limit > mailing.Trust || limit <= 0 {
					t.Errorf("the request may begin for %s, want up to %s", limit, mailing.Trust)
				}
				if len(w.api.requests()) > test.failures {
					return mailing.Outcome{Kind: mailing.OutcomeSent}
				}
				if test.change != nil {
					w.change(func(m mailing.Mailing) (mailing.Mailing, error) { return test.change(m, w.clock.Now()) })
				}
				w.clock.Advance(h.Before.Sub(w.clock.Now()))
				return mailing.Outcome{Kind: mailing.OutcomeNotTried, Code: "too_late"}
			}
			w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
			if got := w.read(d.Key).Recipients[0]; got.Status != test.want || len(w.api.requests()) != test.tries || got.Uncertain > 0 {
				t.Errorf("%+v after %d tries, want %s after %d", got, len(w.api.requests()), test.want, test.tries)
			}
		})
	}
}

func TestABatchWaitsByTheOldestGenerationOfItsPendingMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config.MaxInFlight = 1
	d, _ := w.batch("Europe/Moscow", "Asia/Vladivostok")
	// The first message is decided before the edit of the mailing. Before the decision on
	// the second message, the mailing gets a window that is closed for both.
	w.api.answer = func(mailing.Handover) mailing.Outcome {
		w.change(func(m mailing.Mailing) (mailing.Mailing, error) {
			edited := m.Draft
			edited.Window = &mailing.Window{From: mailing.ClockTime(3 * time.Hour), To: mailing.ClockTime(4 * time.Hour)}
			return m.Edit(edited, w.clock.Now())
		})
		w.clock.Advance(2 * time.Second)
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
	w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	b := w.read(d.Key)
	if c := mailing.CountRecipients(b.Recipients); c.Sent != 1 || c.Deferred != 1 || b.Generation != 1 {
		t.Errorf("the batch waits by generation %d, want 1; its counts are %+v", b.Generation, c)
	}
}

// unreadable is a store whose clients cannot be read.
type unreadable struct{ deliver.Store }

func (unreadable) Recipients(context.Context, []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error) {
	return nil, errors.New("throttled")
}

func TestClientsThatCannotBeReadAreNotTreatedAsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(3)...)
	handling := w.sender(unreadable{w.store}).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Queued, 0, 0)
	if !handling[0].Again {
		t.Error("the delivery does not come back")
	}
	w.clock.Advance(handling[0].After)
	w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Sent, 1, 0)
}

func TestARequestThatDoesNotFitIntoTheInvocationDoesNotBegin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config.MaxInFlight = 1
	d, _ := w.batch(moscow(5)...)
	w.api.answer = func(mailing.Handover) mailing.Outcome {
		w.clock.Advance(providerTimeout - time.Second)
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
	handling := w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	// Requests begin at 0 and 9 s. A request that begins at 18 s may take until 28 s of
	// the invocation's 30 s, which leaves too little time to settle.
	if n := len(w.api.requests()); n != 2 {
		t.Errorf("%d requests were begun", n)
	}
	if !handling[0].Again {
		t.Error("the delivery does not come back for the other messages")
	}
	if b := w.read(d.Key); b.Holder != "" || !b.Pending() {
		t.Errorf("the batch is held by %q, pending %t", b.Holder, b.Pending())
	}
}
