package deliver_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestOnlyFailedMessagesBecomeDeadLetters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, clients := w.batch(moscow(3)...)
	w.api.answer = func(h mailing.Handover) mailing.Outcome {
		if h.ID.Client() == clients[1].ID {
			return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
	w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	if len(w.letters.all) != 1 {
		t.Fatalf("dead letters %+v", w.letters.all)
	}
	letter := w.letters.all[0]
	if letter.Message != mailing.NewMessageID(w.mailing.ID, clients[1].ID) || letter.Reason != "http_400" || letter.Attempts != 1 {
		t.Errorf("dead letter %+v", letter)
	}
	if failed := w.read(d.Key).Recipients[1]; !letter.Is(failed) {
		t.Errorf("the letter is not about the failure %+v", failed)
	}
}

func TestAnAttemptIsChargedOnlyIfTheAPIIsKnownToWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sender(w.store)
	d, _ := w.batch(moscow(2)...)
	w.api.answer = always(mailing.OutcomeRetry, "refused")
	if h := s.Deliver(t.Context(), []mailing.Delivery{d}); h[0].Again {
		t.Error("a delivery that waits for the provider stays in the queue")
	}
	w.want(d.Key, mailing.Retrying, 0, 0)

	other, _ := w.batch(moscow(1)...)
	w.api.answer = nil
	s.Deliver(t.Context(), []mailing.Delivery{other})
	w.clock.Advance(mailing.ParkTime)
	w.api.answer = always(mailing.OutcomeRetry, "refused")
	s.Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Retrying, 1, 0)

	// A valid answer does not count any more when it is five minutes old.
	w.clock.Advance(5 * time.Minute)
	s.Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Retrying, 1, 0)
}

func TestAFailingAPIReceivesOnlyProbes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sender(w.store)
	first, _ := w.batch(moscow(20)...)
	w.api.answer = always(mailing.OutcomeRetry, "http_503")
	s.Deliver(t.Context(), []mailing.Delivery{first})
	sent := len(w.api.requests())

	second, _ := w.batch(moscow(3)...)
	before := w.read(second.Key)
	if h := s.Deliver(t.Context(), []mailing.Delivery{second}); h[0].Again {
		t.Error("a delivery that cannot go stays in the queue")
	}
	if more := len(w.api.requests()) - sent; more != 0 {
		t.Errorf("%d more requests", more)
	}
	if diff := cmp.Diff(before, w.read(second.Key)); diff != "" {
		t.Errorf("a batch that cannot be handed over was changed (-want +got):\n%s", diff)
	}

	// One probe finds that the API still fails, another one that it works again.
	w.clock.Advance(time.Minute)
	sent = len(w.api.requests())
	s.Deliver(t.Context(), []mailing.Delivery{second})
	if more := len(w.api.requests()) - sent; more != 1 {
		t.Errorf("%d probes", more)
	}
	w.clock.Advance(2 * time.Minute)
	w.api.answer = nil
	s.Deliver(t.Context(), []mailing.Delivery{second})
	w.want(second.Key, mailing.Sent, 1, 0)
	if w.sweeps != 1 {
		t.Errorf("%d sweeps were requested after the outage, want 1", w.sweeps)
	}
}

func TestEachProbeOfAnOutageUsesAnotherMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sender(w.store)
	d, clients := w.batch(moscow(5)...)
	w.api.answer = always(mailing.OutcomeAmbiguous, "http_504")
	for range 6 {
		s.Deliver(t.Context(), []mailing.Delivery{d})
		w.clock.Advance(15 * time.Minute)
	}
	tries := map[mailing.ClientID]int{}
	for _, c := range w.api.requests() {
		tries[c.to]++
	}
	// The five messages, handed over at the same time, opened the breaker. Each of the
	// five probes took another message.
	for _, c := range clients {
		if tries[c.ID] != 2 {
			t.Errorf("client %d was tried %d times, want 2", c.ID, tries[c.ID])
		}
	}
	w.want(d.Key, mailing.Retrying, 2, 2)
}

func TestAMisconfiguredAPIReceivesNoMoreRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sender(w.store)
	first, _ := w.batch(moscow(1)...)
	second, _ := w.batch(moscow(3)...)
	w.api.answer = always(mailing.OutcomeMisconfigured, "http_401")
	s.Deliver(t.Context(), []mailing.Delivery{first})
	s.Deliver(t.Context(), []mailing.Delivery{second})
	if n := len(w.api.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	w.want(first.Key, mailing.Retrying, 0, 0)
	w.want(second.Key, mailing.Queued, 0, 0)
}

func TestADeliveryLeavesTheQueueAtItsLastReceive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.answer = always(mailing.OutcomeAmbiguous, "timeout")
	for receives, again := range map[int]bool{1: true, w.config.MaxReceives - 1: true, w.config.MaxReceives: false} {
		d, _ := w.batch(moscow(1)...)
		d.Receives = receives
		if h := w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d}); h[0].Again != again {
			t.Errorf("after %d receives the delivery comes back: %t", receives, h[0].Again)
		}
		if b := w.read(d.Key); !b.DueAt.After(w.clock.Now()) {
			t.Errorf("after %d receives the batch is due at %s", receives, b.DueAt)
		}
	}
}

func TestAPanicIsAnAmbiguousOutcomeOfOneMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, clients := w.batch(moscow(3)...)
	w.api.answer = func(h mailing.Handover) mailing.Outcome {
		if h.ID.Client() == clients[2].ID {
			panic("a bug")
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
	w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	for i, rec := range w.read(d.Key).Recipients {
		want := mailing.Recipient{Client: clients[i].ID, Status: mailing.Sent, Attempts: 1, At: monday}
		if i == 2 {
			want.Status, want.Uncertain, want.Error = mailing.Retrying, 1, "panic"
			want.NotBefore = rec.NotBefore
		}
		if rec != want {
			t.Errorf("got %+v, want %+v", rec, want)
		}
	}
}
