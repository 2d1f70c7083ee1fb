package deliver_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/deliver"
	"postrider/internal/mailing"
)

// tallies collects the metrics that senders report of their invocations.
type tallies []mailing.Tally

func (ts *tallies) Delivered(t mailing.Tally) { *ts = append(*ts, t) }

// metered returns a sender in a new execution environment, which reports its metrics to
// ts.
func (w *world) metered(ts *tallies) *deliver.Sender { return w.sender(w.store, deliver.WithMeter(ts)) }

func TestASettlementWithALostLeaseCountsNoNewStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(1)...)
	var first, second tallies
	w.api.answer = func(mailing.Handover) mailing.Outcome {
		if len(w.api.requests()) == 1 {
			w.clock.Advance(time.Minute)
			w.metered(&second).Deliver(t.Context(), []mailing.Delivery{d})
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
	w.metered(&first).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Retrying, 1, 1)
	oneSent := map[mailing.OutcomeKind]int64{mailing.OutcomeSent: 1}
	if diff := cmp.Diff(tallies{{Attempts: oneSent, Latencies: []time.Duration{time.Minute}}}, first); diff != "" {
		t.Errorf("the sender that lost the lease (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tallies{{Settled: mailing.Counts{Queued: -1, Retrying: 1}}}, second); diff != "" {
		t.Errorf("the sender that got the lease (-want +got):\n%s", diff)
	}
}

func TestEachInvocationIsReportedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var reported tallies
	s := w.metered(&reported)
	d, _ := w.batch(moscow(3)...)
	s.Deliver(t.Context(), []mailing.Delivery{d})
	s.Deliver(t.Context(), []mailing.Delivery{d}) // the batch is done already
	s.Deliver(t.Context(), nil)
	if len(reported) != 3 || reported[0].Settled.Sent != 3 || len(reported[0].Latencies) != 3 {
		t.Fatalf("reported: %+v", reported)
	}
	if diff := cmp.Diff(tallies{{}, {}}, reported[1:]); diff != "" {
		t.Errorf("an invocation without work (-want +got):\n%s", diff)
	}
}

// first stores the first batch of a slice and returns its delivery.
func (w *world) first() mailing.Delivery {
	w.t.Helper()
	d, _ := w.batchAs(w.mailing.MarkStart, moscow(2)...)
	return d
}

// lags makes an invocation with a delivery, five seconds from now, and returns the start
// lags that the invocation reports.
func (w *world) lags(d mailing.Delivery) map[mailing.ID]time.Duration {
	w.t.Helper()
	w.clock.Advance(5 * time.Second)
	var reported tallies
	w.metered(&reported).Deliver(w.t.Context(), []mailing.Delivery{d})
	if len(reported) != 1 {
		w.t.Fatalf("reported: %+v", reported)
	}
	return reported[0].Lags
}

func TestAStartLagIsReportedForTheFirstHandOverOnly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		outcome mailing.OutcomeKind
		// before changes the world before the invocation.
		before   func(w *world, d mailing.Delivery)
		reported bool
	}{
		{name: "nothing", outcome: mailing.OutcomeSent, reported: true},
		{name: "nothing, and the sending API fails", outcome: mailing.OutcomeRetry, reported: true},
		{name: "nothing, and no request is made", outcome: mailing.OutcomeNotTried},
		{"another sender has claimed the batch, and was killed", mailing.OutcomeSent, func(w *world, d mailing.Delivery) {
			if _, ok, err := w.store.Claim(t.Context(), d.Key, "killed", monday, monday.Add(time.Second)); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}, false},
		{"a pause of eight hours", mailing.OutcomeSent, func(w *world, _ mailing.Delivery) {
			w.change(func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(w.clock.Now()) })
			w.clock.Advance(8 * time.Hour)
			w.change(func(m mailing.Mailing) (mailing.Mailing, error) { return m.Resumed(w.clock.Now()) })
		}, false},
		{"an edit", mailing.OutcomeSent, func(w *world, _ mailing.Delivery) {
			w.change(func(m mailing.Mailing) (mailing.Mailing, error) {
				d := m.Draft
				d.Text = "good day"
				return m.Edit(d, w.clock.Now())
			})
		}, false},
	} {
		w := newWorld(t)
		w.api.answer = always(test.outcome, "")
		d := w.first()
		if test.before != nil {
			test.before(w, d)
		}
		got := w.lags(d)
		var want map[mailing.ID]time.Duration
		if test.reported {
			want = map[mailing.ID]time.Duration{w.mailing.ID: 5 * time.Second}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("before: %s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestAnOpenBreakerIsReportedUntilAProbeSucceeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var reported tallies
	s := w.metered(&reported)
	d, _ := w.batch(moscow(3)...)
	for _, step := range []struct {
		name       string
		after      time.Duration
		outcome    mailing.OutcomeKind
		deliveries []mailing.Delivery
		open       bool
	}{
		{"the sending API is misconfigured", 0, mailing.OutcomeMisconfigured, []mailing.Delivery{d}, true},
		{"no delivery before the probe is due", mailing.ParkTime / 2, mailing.OutcomeMisconfigured, nil, true},
		{"no delivery when the probe is due", mailing.ParkTime, mailing.OutcomeMisconfigured, nil, true},
		{"the probe fails", time.Second, mailing.OutcomeMisconfigured, []mailing.Delivery{d}, true},
		{"the probe succeeds", 2 * mailing.ParkTime, mailing.OutcomeSent, []mailing.Delivery{d}, false},
	} {
		w.clock.Advance(step.after)
		w.api.answer = always(step.outcome, "")
		reported = nil
		s.Deliver(t.Context(), step.deliveries)
		if len(reported) != 1 || reported[0].BreakerOpen != step.open || (len(reported[0].Attempts) > 0) != (len(step.deliveries) > 0) {
			t.Errorf("%s: reported %+v, want open %t", step.name, reported, step.open)
		}
	}
	w.want(d.Key, mailing.Sent, 1, 0)
}
