package deliver_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/deliver"
	"postrider/internal/mailing"
)

// tallies are what senders told of their invocations.
type tallies []mailing.Tally

func (ts *tallies) Delivered(t mailing.Tally) { *ts = append(*ts, t) }

// metered is an execution environment that tells what happens.
func (w *world) metered(ts *tallies, holder string) *deliver.Sender {
	return deliver.New(w.store, w.api, &w.letters, w.config, senderClock{w.clock, nil}, deliver.Randomness{
		Jitter: func(d time.Duration) time.Duration { return d / 2 },
		Holder: func() string { return holder },
	}, deliver.WithMeter(ts))
}

func TestASettlementThatLostItsLeaseCountsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(1)...)
	var first, second tallies
	w.api.mood = func(mailing.Handover) mailing.Outcome {
		if len(w.api.asked()) == 1 {
			w.clock.Advance(time.Minute)
			w.metered(&second, "second").Deliver(t.Context(), []mailing.Delivery{d})
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
	w.metered(&first, "first").Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Sent, 2, 1)
	once := map[mailing.OutcomeKind]int64{mailing.OutcomeSent: 1}
	if diff := cmp.Diff(tallies{{Attempts: once, Latencies: []time.Duration{time.Minute}}}, first); diff != "" {
		t.Errorf("who lost the lease (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tallies{{Settled: mailing.Counts{Queued: -1, Sent: 1}, Attempts: once, Latencies: []time.Duration{0}}}, second); diff != "" {
		t.Errorf("who got it (-want +got):\n%s", diff)
	}
}

func TestEachInvocationIsToldOfOnceHoweverItGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var told tallies
	s := w.metered(&told, "one")
	d, _ := w.batch(moscow(3)...)
	s.Deliver(t.Context(), []mailing.Delivery{d})
	s.Deliver(t.Context(), []mailing.Delivery{d}) // it is done
	s.Deliver(t.Context(), nil)
	if len(told) != 3 || told[0].Settled.Sent != 3 || len(told[0].Latencies) != 3 {
		t.Fatalf("told: %+v", told)
	}
	if diff := cmp.Diff(tallies{{}, {}}, told[1:]); diff != "" {
		t.Errorf("nothing happened (-want +got):\n%s", diff)
	}
}
