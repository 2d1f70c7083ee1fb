package faults_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
	"postrider/internal/metrics"
)

// measured is what all lines of metrics so far add up to.
type measured struct {
	deliveries, attempts map[string]int64
	latencies, lags      []float64
	expanded             int64
	breaker              []int
	lines                int
}

// measure reads the lines that the functions wrote.
func (w *world) measure() measured {
	w.t.Helper()
	m := measured{deliveries: map[string]int64{}, attempts: map[string]int64{}}
	for text := range strings.Lines(w.metered.String()) {
		var line struct {
			Stage           string          `json:"Stage"`
			Outcome         string          `json:"Outcome"`
			Deliveries      int64           `json:"Deliveries"`
			Attempts        int64           `json:"Attempts"`
			ProviderLatency []float64       `json:"ProviderLatency"`
			StartLag        []float64       `json:"StartLag"`
			Expanded        []int64         `json:"Expanded"`
			BreakerOpen     *int            `json:"BreakerOpen"`
			AWS             json.RawMessage `json:"_aws"`
		}
		read := json.NewDecoder(strings.NewReader(text))
		read.DisallowUnknownFields() // nothing is in it but what is said here
		if err := read.Decode(&line); err != nil || line.Stage != "test" {
			w.t.Fatalf("%v: %s", err, text)
		}
		m.lines++
		if line.Deliveries > 0 {
			m.deliveries[line.Outcome] += line.Deliveries
		}
		if line.Attempts > 0 {
			m.attempts[line.Outcome] += line.Attempts
		}
		m.latencies, m.lags = append(m.latencies, line.ProviderLatency...), append(m.lags, line.StartLag...)
		for _, n := range line.Expanded {
			m.expanded += n
		}
		if line.BreakerOpen != nil {
			m.breaker = append(m.breaker, *line.BreakerOpen)
		}
	}
	return m
}

// countsAtMost demands that no message was counted twice as delivered.
func (w *world) countsAtMost(t *testing.T, c mailing.Counts) {
	t.Helper()
	for outcome, n := range w.measure().deliveries {
		if p := c.Of(mailing.MessageStatus(outcome)); p == nil || n > *p {
			t.Errorf("%s: %d %s, of %+v", metrics.Deliveries, n, outcome, c)
		}
	}
}

func TestMetricsSayWhatHappened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.clients(60)
	tries := map[string]int{}
	w.provider.feels(func(h mailing.Handover) (mailing.Outcome, bool) {
		tries[h.Phone]++
		w.clock.Advance(2 * time.Millisecond)
		switch first := tries[h.Phone] == 1; {
		case h.Phone == made[3].Phone:
			return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}, false
		case h.Phone == made[5].Phone && first:
			return mailing.Outcome{Kind: mailing.OutcomeRetry, Code: "http_503"}, false
		case h.Phone == made[6].Phone && first:
			return mailing.Outcome{Kind: mailing.OutcomeThrottled, Code: "http_429"}, false
		case h.Phone == made[7].Phone && first:
			return mailing.Outcome{Kind: mailing.OutcomeAmbiguous, Code: "timeout"}, true
		case h.Phone == made[8].Phone && first:
			return mailing.Outcome{Kind: mailing.OutcomeNotTried, Code: "no_time"}, false
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}, true
	})
	m := w.create(nil)
	w.clock.Advance(20 * time.Second)
	w.sweep()
	w.doTasks()
	w.deleteClient(made[9].ID)
	w.clock.Advance(10 * time.Second)
	w.run(time.Hour, w.finished(m.ID))

	got := w.measure()
	if diff := cmp.Diff(map[string]int64{"sent": 58, "failed": 1, "skipped": 1}, got.deliveries); diff != "" {
		t.Errorf("%s (-want +got):\n%s", metrics.Deliveries, diff)
	}
	if diff := cmp.Diff(map[string]int64{"sent": 58, "rejected": 1, "retry": 1, "throttled": 1, "ambiguous": 1}, got.attempts); diff != "" {
		t.Errorf("%s (-want +got):\n%s", metrics.Attempts, diff)
	}
	if len(got.latencies) != 62 {
		t.Errorf("%d of %s", len(got.latencies), metrics.ProviderLatency)
	}
	for _, ms := range got.latencies {
		if ms < 2 { // the clock is moved by others meanwhile
			t.Errorf("%s of %v ms", metrics.ProviderLatency, ms)
		}
	}
	if got.expanded != 60 {
		t.Errorf("%s: %d", metrics.Expanded, got.expanded)
	}
	// All slices' first batches are in two invocations.
	if n := len(got.lags); n != 2 {
		t.Errorf("%d of %s", n, metrics.StartLag)
	}
	for _, ms := range got.lags {
		if ms < 30_000 || ms > 31_000 {
			t.Errorf("%s of %v ms, of some 30 s", metrics.StartLag, ms)
		}
	}
	for _, open := range got.breaker {
		if open != 0 {
			t.Errorf("%s: %d", metrics.BreakerOpen, open)
		}
	}
	for _, secret := range []string{made[0].Phone, m.Text} {
		if bytes.Contains(w.metered.Bytes(), []byte(secret)) {
			t.Errorf("metrics hold %q", secret)
		}
	}
}

func TestARetryOfFailuresIsNoStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(5)
	m := w.failedMailing(5)
	lags := len(w.measure().lags)
	w.provider.feels(nil)
	w.clock.Advance(time.Hour)
	w.update(m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Retried(w.clock.Now()) })
	w.sweep()
	w.run(time.Hour, w.finished(m.ID))
	got := w.measure()
	if got.deliveries["sent"] != 5 || got.deliveries["failed"] != 5 {
		t.Errorf("%s: %v", metrics.Deliveries, got.deliveries)
	}
	if lags == 0 || len(got.lags) != lags {
		t.Errorf("%d of %s, before the retry %d", len(got.lags), metrics.StartLag, lags)
	}
	if got.expanded != 5 {
		t.Errorf("%s: %d", metrics.Expanded, got.expanded)
	}
}

func TestAnOpenBreakerIsMeasured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(100)
	w.provider.feels(always(mailing.OutcomeMisconfigured, "http_401"))
	m := w.create(nil)
	w.sweep()
	w.drain()
	got := w.measure()
	if len(got.breaker) == 0 || got.breaker[len(got.breaker)-1] != 1 || len(got.deliveries) != 0 || got.attempts["misconfigured"] == 0 {
		t.Errorf("while it fails: %+v", got)
	}
	w.provider.feels(nil)
	w.run(time.Hour, w.finished(m.ID))
	got = w.measure()
	if got.breaker[len(got.breaker)-1] != 0 || got.deliveries["sent"] != 100 || got.attempts["sent"] != 100 {
		t.Errorf("afterwards: %+v", got)
	}
}
