package faults_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/cfn"
	"postrider/internal/mailing"
	"postrider/internal/metrics"
)

// measured is the sum of all lines of metrics so far.
type measured struct {
	deliveries, attempts map[string]int64
	latencies, lags      []float64
	expanded             int64
	lines                int
	unsettled            int64
	breaker, answered    []sample
}

// sample is the value of a metric that one invocation wrote.
type sample struct {
	at time.Time
	n  int64
}

// measure reads the lines that the functions wrote.
func (w *world) measure() measured {
	w.t.Helper()
	m := measured{deliveries: map[string]int64{}, attempts: map[string]int64{}}
	for text := range strings.Lines(w.metered.String()) {
		var line struct {
			Stage           string    `json:"Stage"`
			Outcome         string    `json:"Outcome"`
			Deliveries      int64     `json:"Deliveries"`
			Attempts        int64     `json:"Attempts"`
			ProviderLatency []float64 `json:"ProviderLatency"`
			StartLag        []float64 `json:"StartLag"`
			Expanded        []int64   `json:"Expanded"`
			Answered        *int64    `json:"Answered"`
			BreakerOpen     *int64    `json:"BreakerOpen"`
			Unsettled       int64     `json:"SettlementsFailed"`
			AWS             struct {
				Timestamp         int64           `json:"Timestamp"`
				CloudWatchMetrics json.RawMessage `json:"CloudWatchMetrics"`
			} `json:"_aws"`
		}
		read := json.NewDecoder(strings.NewReader(text))
		read.DisallowUnknownFields() // a line has no other fields than these
		if err := read.Decode(&line); err != nil || line.Stage != "test" {
			w.t.Fatalf("%v: %s", err, text)
		}
		m.lines++
		m.unsettled += line.Unsettled
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
		at := time.UnixMilli(line.AWS.Timestamp)
		if line.BreakerOpen != nil {
			m.breaker = append(m.breaker, sample{at, *line.BreakerOpen})
		}
		if line.Answered != nil {
			m.answered = append(m.answered, sample{at, *line.Answered})
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

func TestMetricsCountDeliveriesAndAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.clients(60)
	tries := map[string]int{}
	w.provider.behave(func(h mailing.Handover) (mailing.Outcome, bool) {
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
		if ms < 2 { // concurrent hand-overs move the clock, too
			t.Errorf("%s of %v ms", metrics.ProviderLatency, ms)
		}
	}
	if got.expanded != 60 {
		t.Errorf("%s: %d", metrics.Expanded, got.expanded)
	}
	// Two invocations claim the first batches of all slices.
	if n := len(got.lags); n != 2 {
		t.Errorf("%d of %s", n, metrics.StartLag)
	}
	for _, ms := range got.lags {
		if ms < 30_000 || ms > 31_000 {
			t.Errorf("%s of %v ms, of some 30 s", metrics.StartLag, ms)
		}
	}
	for _, open := range got.breaker {
		if open.n != 0 {
			t.Errorf("%s: %d", metrics.BreakerOpen, open.n)
		}
	}
	for _, secret := range []string{made[0].Phone, m.Text} {
		if bytes.Contains(w.metered.Bytes(), []byte(secret)) {
			t.Errorf("metrics hold %q", secret)
		}
	}
}

func TestARetryIsNotMeasuredAsAStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(5)
	m := w.failedMailing(5)
	lags := len(w.measure().lags)
	w.provider.behave(nil)
	w.clock.Advance(time.Hour)
	w.update(m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Retried(true, false, w.clock.Now()) })
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
	w.provider.behave(always(mailing.OutcomeMisconfigured, "http_401"))
	m := w.create(nil)
	w.sweep()
	w.drain()
	got := w.measure()
	if len(got.breaker) == 0 || got.breaker[len(got.breaker)-1].n != 1 || len(got.deliveries) != 0 || got.attempts["misconfigured"] == 0 {
		t.Errorf("while it fails: %+v", got)
	}
	w.provider.behave(nil)
	w.run(time.Hour, w.finished(m.ID))
	got = w.measure()
	if got.breaker[len(got.breaker)-1].n != 0 || got.deliveries["sent"] != 100 || got.attempts["sent"] != 100 {
		t.Errorf("afterwards: %+v", got)
	}
}

// alarm holds the fields of an alarm of infra/alarms.yaml that define when it rings.
type alarm struct {
	MetricName         string `json:"MetricName"`
	Statistic          string `json:"Statistic"`
	Period             int    `json:"Period"`
	EvaluationPeriods  int    `json:"EvaluationPeriods"`
	DatapointsToAlarm  int    `json:"DatapointsToAlarm"`
	ComparisonOperator string `json:"ComparisonOperator"`
	Threshold          int64  `json:"Threshold"`
	TreatMissingData   string `json:"TreatMissingData"`
}

func readAlarm(t *testing.T, name string) alarm {
	t.Helper()
	var a alarm
	template, err := cfn.Read("../../infra/alarms.yaml")
	if err == nil {
		err = cfn.Decode(cfn.At(template["Resources"], name, "Properties"), &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// rings reports whether the alarm rings at an instant, for these values.
func (a alarm) rings(t *testing.T, values []sample, at time.Time) bool {
	t.Helper()
	breaching := 0
	for range a.EvaluationPeriods {
		from := at.Add(-time.Duration(a.Period) * time.Second)
		var within []int64
		for _, v := range values {
			if v.at.After(from) && !v.at.After(at) {
				within = append(within, v.n)
			}
		}
		if len(within) > 0 && a.breaches(t, within) {
			breaching++
		}
		at = from
	}
	return breaching >= a.DatapointsToAlarm
}

// breaches reports whether the values of one period breach the threshold.
func (a alarm) breaches(t *testing.T, values []int64) bool {
	t.Helper()
	var sum int64
	for _, n := range values {
		sum += n
	}
	switch how := a.Statistic + " " + a.ComparisonOperator + " " + a.TreatMissingData; how {
	case "Sum LessThanThreshold notBreaching":
		return sum < a.Threshold
	case "Maximum GreaterThanOrEqualToThreshold notBreaching":
		return slices.Max(values) >= a.Threshold
	default:
		t.Fatalf("an alarm of another kind: %s", how)
		return false
	}
}

func TestAnOutageRaisesTheBreakersAlarmUntilItEnds(t *testing.T) {
	t.Parallel()
	alarm := readAlarm(t, "BreakerOpen")
	w := newWorld(t)
	w.clients(100)
	w.provider.behave(always(mailing.OutcomeRetry, "http_503"))
	m := w.create(nil)
	w.sweep()
	w.run(time.Hour, nil)
	got := w.measure()
	for minute := 5; minute <= 60; minute++ {
		if !alarm.rings(t, got.breaker, begin.Add(time.Duration(minute)*time.Minute)) {
			t.Errorf("after %d minutes it does not ring", minute)
		}
	}
	w.provider.behave(nil)
	w.run(time.Hour, w.finished(m.ID))
	over := w.clock.Now().Add(3 * time.Minute)
	w.run(time.Hour, nil)
	if got := w.measure(); alarm.rings(t, got.breaker, over) || got.breaker[len(got.breaker)-1].n != 0 {
		t.Error("the alarm rings after the outage")
	}
}

func TestAnOutageThatDoesNotOpenTheBreakerRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	alarm := readAlarm(t, "NoValidAnswer")
	for _, test := range []struct {
		name    string
		clients int
		outcome mailing.Outcome
	}{
		{"each answer asks for the longest wait", 50, mailing.Outcome{Kind: mailing.OutcomeThrottled, Code: "http_429", RetryAfter: 15 * time.Minute}},
	} {
		w := newWorld(t)
		w.clients(test.clients)
		w.provider.behave(func(mailing.Handover) (mailing.Outcome, bool) { return test.outcome, false })
		m := w.create(nil)
		w.sweep()
		w.run(2*time.Hour, nil)
		got := w.measure()
		for _, open := range got.breaker {
			if open.n != 0 {
				t.Fatalf("%s: the breaker opens", test.name)
			}
		}
		for minute := 45; minute <= 120; minute++ {
			if !alarm.rings(t, got.answered, begin.Add(time.Duration(minute)*time.Minute)) {
				t.Errorf("%s: after %d minutes it does not ring", test.name, minute)
			}
		}
		if alarm.rings(t, got.answered, begin.Add(10*time.Minute)) {
			t.Errorf("%s: it rings after ten minutes", test.name)
		}
		w.provider.behave(nil)
		w.run(time.Hour, w.finished(m.ID))
		over := w.clock.Now()
		w.run(time.Hour, nil)
		if got := w.measure(); alarm.rings(t, got.answered, over.Add(time.Duration(2*alarm.Period)*time.Second)) {
			t.Errorf("%s: the alarm rings after the outage", test.name)
		}
	}
}

func TestMessagesThatAreExpandedTooLateAreMeasured(t *testing.T) {
	t.Parallel()
	for status, end := range map[mailing.MessageStatus]func(*world, mailing.ID){
		mailing.Expired:   func(w *world, _ mailing.ID) { w.clock.Advance(25 * time.Hour) },
		mailing.Cancelled: func(w *world, id mailing.ID) { w.must(id, "cancel") },
	} {
		w := newWorld(t)
		w.clients(60)
		m := w.create(nil)
		w.update(m.ID, func(m mailing.Mailing) (mailing.Mailing, error) {
			m, _ = m.Started(w.clock.Now())
			return m, nil
		})
		end(w, m.ID)
		w.sweep()
		w.run(time.Hour, w.finished(m.ID))
		got := w.measure()
		if diff := cmp.Diff(map[string]int64{string(status): 60}, got.deliveries); diff != "" || got.expanded != 60 || len(got.attempts) != 0 {
			t.Errorf("%s: expanded %d, attempts %v, deliveries (-want +got):\n%s", status, got.expanded, got.attempts, diff)
		}
		w.countsAtMost(t, w.counts(m.ID))
	}
}

func TestAPauseIsNotMeasuredAsStartLag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(60)
	m := w.create(nil)
	w.sweep()
	w.doTasks()
	w.must(m.ID, "pause")
	w.run(8*time.Hour, nil)
	w.must(m.ID, "resume")
	w.run(time.Hour, w.finished(m.ID))
	if got := w.measure(); len(got.lags) != 0 || got.deliveries["sent"] != 60 {
		t.Errorf("%s of a mailing that was paused for eight hours: %v; %v", metrics.StartLag, got.lags, got.deliveries)
	}
}
