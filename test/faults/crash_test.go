package faults_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postrider/internal/mailing"
	"postrider/test/invariants"
)

// story runs a mailing from its creation to its end: one message is refused for good, one
// fails at first, and the outcome of two is unknown at first. Then the refused message is
// tried again, is refused again, and goes out after a redrive. story returns how many
// calls the functions made, and the name of the call to which the accident happened.
func story(t *testing.T, at int, kind accident) (calls int, name string) {
	t.Helper()
	w := newWorld(t)
	made := w.clients(24)
	tries := map[string]int{}
	w.provider.behave(func(h mailing.Handover) (mailing.Outcome, bool) {
		tries[h.Phone]++
		first := tries[h.Phone] == 1
		switch {
		case h.Phone == made[3].Phone && tries[h.Phone] <= 2:
			return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}, false
		case h.Phone == made[5].Phone && first:
			return mailing.Outcome{Kind: mailing.OutcomeRetry, Code: "http_503"}, false
		case h.Phone == made[7].Phone && first:
			return mailing.Outcome{Kind: mailing.OutcomeAmbiguous, Code: "timeout"}, true
		case h.Phone == made[9].Phone && first:
			return mailing.Outcome{Kind: mailing.OutcomeAmbiguous, Code: "timeout"}, false
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}, true
	})
	w.gate.at, w.gate.kind = at, kind
	answer := w.call(http.MethodPost, "/api/mailings", w.posted(nil))
	// A request without an answer may have been carried out.
	list, err := w.store.Live(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Code == http.StatusCreated && len(list) != 1 {
		t.Errorf("%s %d: created, and there are %d", accidents[kind], at, len(list))
	}
	for _, m := range list {
		w.history[m.ID] = invariants.Timeline{{From: m.CreatedAt, Mailing: m}}
	}
	w.toTheEnd()
	for id := range w.history {
		// A refusal does not make an earlier attempt certain whose answer or sender
		// was lost.
		if c := w.counts(id); c.Total != 24 || c.Sent != 23 || c.Failed+c.Uncertain != 1 || (c.Uncertain == 1 && kind == refused) {
			t.Errorf("%s %d: counts %+v", accidents[kind], at, c)
		}
		w.countsAtMost(t, w.counts(id))
		w.triedAgain(id)
		if c := w.counts(id); c.Total != 24 || c.Sent < 23 || c.Sent+c.Uncertain != 24 {
			t.Errorf("%s %d: tried again, counts %+v", accidents[kind], at, c)
		}
	}
	w.check()
	if at > 0 && at <= len(w.gate.calls) {
		name = w.gate.calls[at-1]
	}
	return len(w.gate.calls), name
}

// toTheEnd advances the clock until all mailings are finished.
func (w *world) toTheEnd() {
	w.t.Helper()
	w.run(3*time.Hour, func() bool {
		live, err := w.store.Live(w.ctx)
		return err == nil && len(live) == 0
	})
}

// triedAgain tries the failures of a mailing again: by a retry, then by a redrive, and by
// one more retry if the dead letter was lost.
func (w *world) triedAgain(id mailing.ID) {
	w.t.Helper()
	retry := fmt.Sprintf("/api/mailings/%d/retry", id)
	for _, path := range []string{retry, "/api/queues/dead-letters/redrive", retry} {
		if w.mailing(id).Counts.Failed == 0 {
			return
		}
		w.clock.Advance(time.Minute)
		for range 2 { // a caller that gets no answer asks again
			if w.call(http.MethodPost, path, "").Code < 500 {
				break
			}
		}
		w.rememberAll()
		w.toTheEnd()
	}
}

// TestAFaultAtAnyCallLosesNoMessage lets each call that the functions make in a story be refused,
// be unanswered, or be the worker's last: the worker is killed before or after it. Then
// all environments start again, and the story goes on. A recorded run gives the number of
// calls.
func TestAFaultAtAnyCallLosesNoMessage(t *testing.T) {
	t.Parallel()
	recorded, _ := story(t, 0, refused)
	step := stride()
	if sampled() {
		step *= 3
	}
	var points atomic.Int64
	var wg sync.WaitGroup
	for kind := range accidents {
		wg.Go(func() {
			for at := 1 + int(kind)*(step/4); at <= recorded && !t.Failed(); at += step {
				if _, name := story(t, at, kind); t.Failed() {
					t.Errorf("%s, call %d of %d, %s", accidents[kind], at, recorded, name)
				}
				points.Add(1)
			}
		})
	}
	wg.Wait()
	if n := points.Load(); n < int64(recorded/step) {
		t.Errorf("only %d points", n)
	}
	t.Logf("figure: %d crash points (%d calls, each refused, unanswered, killed before and after), nothing lost", points.Load(), recorded)
}
