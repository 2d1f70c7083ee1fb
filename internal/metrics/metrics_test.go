package metrics_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
	"postrider/internal/metrics"
)

// monday is 1772443800000 ms after 1970.
var monday = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// written returns the text that do writes to a log.
func written(do func(*metrics.Log)) string {
	var out bytes.Buffer
	do(metrics.New(&out, "prod", func() time.Time { return monday }))
	return out.String()
}

func TestLinesAreInTheEmbeddedMetricFormat(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		do   func(*metrics.Log)
		want string
	}{
		{"all were sent: one line", func(l *metrics.Log) {
			l.Delivered(mailing.Tally{
				Settled: mailing.Counts{Queued: -2, Sent: 2}, Attempts: map[mailing.OutcomeKind]int64{mailing.OutcomeSent: 2},
				Latencies: []time.Duration{30 * time.Millisecond, 1500 * time.Microsecond}, Lags: map[mailing.ID]time.Duration{7: time.Second},
			})
		}, `{"Answered":2,"Attempts":2,"BreakerOpen":0,"Deliveries":2,"Outcome":"sent","ProviderLatency":[1.5,30],"Stage":"prod","StartLag":[1000],` +
			`"_aws":{"Timestamp":1772443800000,"CloudWatchMetrics":[` +
			`{"Namespace":"Postrider","Dimensions":[["Stage"]],"Metrics":[{"Name":"BreakerOpen","Unit":"None"},{"Name":"Answered","Unit":"Count"},{"Name":"ProviderLatency","Unit":"Milliseconds"},{"Name":"StartLag","Unit":"Milliseconds"}]},` +
			`{"Namespace":"Postrider","Dimensions":[["Stage"],["Stage","Outcome"]],"Metrics":[{"Name":"Deliveries","Unit":"Count"},{"Name":"Attempts","Unit":"Count"}]}]}}` + "\n"},
		{"several outcomes: a line each, and the rest once", func(l *metrics.Log) {
			l.Delivered(mailing.Tally{
				Settled:   mailing.Counts{Queued: -3, Retrying: 1, Expired: 2},
				Attempts:  map[mailing.OutcomeKind]int64{mailing.OutcomeRetry: 1},
				Latencies: []time.Duration{time.Second}, BreakerOpen: true,
			})
		}, `{"Answered":0,"BreakerOpen":1,"Deliveries":2,"Outcome":"expired","ProviderLatency":[1000],"Stage":"prod",` +
			`"_aws":{"Timestamp":1772443800000,"CloudWatchMetrics":[` +
			`{"Namespace":"Postrider","Dimensions":[["Stage"]],"Metrics":[{"Name":"BreakerOpen","Unit":"None"},{"Name":"Answered","Unit":"Count"},{"Name":"ProviderLatency","Unit":"Milliseconds"}]},` +
			`{"Namespace":"Postrider","Dimensions":[["Stage"],["Stage","Outcome"]],"Metrics":[{"Name":"Deliveries","Unit":"Count"}]}]}}` + "\n" +
			`{"Attempts":1,"Outcome":"retry","Stage":"prod",` +
			`"_aws":{"Timestamp":1772443800000,"CloudWatchMetrics":[` +
			`{"Namespace":"Postrider","Dimensions":[["Stage"],["Stage","Outcome"]],"Metrics":[{"Name":"Attempts","Unit":"Count"}]}]}}` + "\n"},
		{
			"nothing but that the breaker is closed", func(l *metrics.Log) { l.Delivered(mailing.Tally{}) },
			`{"BreakerOpen":0,"Stage":"prod","_aws":{"Timestamp":1772443800000,"CloudWatchMetrics":[` +
				`{"Namespace":"Postrider","Dimensions":[["Stage"]],"Metrics":[{"Name":"BreakerOpen","Unit":"None"}]}]}}` + "\n",
		},
		{
			"settlements that failed", func(l *metrics.Log) { l.Delivered(mailing.Tally{SettlementsFailed: 2, BreakerOpen: true}) },
			`{"BreakerOpen":1,"SettlementsFailed":2,"Stage":"prod","_aws":{"Timestamp":1772443800000,"CloudWatchMetrics":[` +
				`{"Namespace":"Postrider","Dimensions":[["Stage"]],"Metrics":[{"Name":"BreakerOpen","Unit":"None"},{"Name":"SettlementsFailed","Unit":"Count"}]}]}}` + "\n",
		},
		{
			"an expansion by two tasks", func(l *metrics.Log) {
				l.Expanded([]mailing.Counts{{Total: 1000, Queued: 900, Deferred: 100}, {Total: 50, Queued: 50}})
			},
			`{"Expanded":[1000,50],"Stage":"prod","_aws":{"Timestamp":1772443800000,"CloudWatchMetrics":[` +
				`{"Namespace":"Postrider","Dimensions":[["Stage"]],"Metrics":[{"Name":"Expanded","Unit":"Count"}]}]}}` + "\n",
		},
		{"an expansion after the end", func(l *metrics.Log) {
			l.Expanded([]mailing.Counts{{Total: 40, Queued: 10, Expired: 30}, {Total: 5, Expired: 5}})
		}, `{"Deliveries":35,"Expanded":[40,5],"Outcome":"expired","Stage":"prod","_aws":{"Timestamp":1772443800000,"CloudWatchMetrics":[` +
			`{"Namespace":"Postrider","Dimensions":[["Stage"]],"Metrics":[{"Name":"Expanded","Unit":"Count"}]},` +
			`{"Namespace":"Postrider","Dimensions":[["Stage"],["Stage","Outcome"]],"Metrics":[{"Name":"Deliveries","Unit":"Count"}]}]}}` + "\n"},
		{"no expansion: no line", func(l *metrics.Log) { l.Expanded(nil) }, ""},
	} {
		if diff := cmp.Diff(test.want, written(test.do)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// latencies returns the latencies in the lines of a log, line by line. It also returns
// the numbers of attempts: CloudWatch adds them up, so only one line may have them.
func latencies(t *testing.T, text string) (all [][]float64, attempts []int) {
	t.Helper()
	for line := range strings.Lines(text) {
		var has struct {
			ProviderLatency []float64 `json:"ProviderLatency"`
			Attempts        int       `json:"Attempts"`
		}
		if err := json.Unmarshal([]byte(line), &has); err != nil {
			t.Fatal(err)
		}
		all = append(all, has.ProviderLatency)
		if has.Attempts > 0 {
			attempts = append(attempts, has.Attempts)
		}
	}
	return all, attempts
}

func TestALineHasAtMostAHundredValuesAndTheRestHasItsOwn(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 99, 100, 101, 500, 10_000} {
		var tally mailing.Tally
		var want []float64
		for i := range n {
			tally.Attempt(mailing.OutcomeSent, time.Duration(n-i)*time.Millisecond)
			want = append(want, float64(i+1))
		}
		got, attempts := latencies(t, written(func(l *metrics.Log) { l.Delivered(tally) }))
		if diff := cmp.Diff(want, slices.Concat(got...)); diff != "" {
			t.Errorf("of %d (-want +got):\n%s", n, diff)
		}
		if !slices.Equal(attempts, []int{n}) || len(got) != (n+99)/100 {
			t.Errorf("of %d: attempts %v in %d lines", n, attempts, len(got))
		}
		for _, line := range got {
			if len(line) > 100 {
				t.Errorf("of %d: %d values in a line", n, len(line))
			}
		}
	}
}

func TestAnInvocationWeighsByWhatItDid(t *testing.T) {
	t.Parallel()
	text := written(func(l *metrics.Log) {
		for i := range 10 {
			var tally mailing.Tally
			if i < 9 {
				for range 500 {
					tally.Attempt(mailing.OutcomeSent, 100*time.Millisecond)
				}
			} else {
				for range 40 {
					tally.Attempt(mailing.OutcomeSent, 9*time.Second)
				}
			}
			l.Delivered(tally)
		}
	})
	lines, _ := latencies(t, text)
	all := slices.Sorted(slices.Values(slices.Concat(lines...)))
	// 40 of 4,540 are slow: less than one in a hundred.
	if p99 := all[len(all)*99/100]; p99 != 100 {
		t.Errorf("of %d: p99 is %v ms", len(all), p99)
	}
}

// lines records the calls of Write.
type lines struct {
	calls []string
	err   error
}

func (l *lines) Write(b []byte) (int, error) {
	l.calls = append(l.calls, string(b))
	return len(b), l.err
}

func TestEachLineIsWrittenAtOnce(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("closed")} {
		out := &lines{err: err}
		metrics.New(out, "prod", func() time.Time { return monday }).Delivered(mailing.Tally{Settled: mailing.Counts{Sent: 1, Failed: 1}})
		if len(out.calls) != 2 {
			t.Fatalf("%d writes", len(out.calls))
		}
		for _, call := range out.calls {
			if strings.Count(call, "\n") != 1 || !strings.HasSuffix(call, "}\n") {
				t.Errorf("it is no line: %q", call)
			}
		}
	}
}

func TestNamesAreThoseThatAreWritten(t *testing.T) {
	t.Parallel()
	out := written(func(l *metrics.Log) {
		l.Expanded([]mailing.Counts{{Total: 1, Queued: 1}})
		l.Delivered(mailing.Tally{
			Settled: mailing.Counts{Sent: 1}, Attempts: map[mailing.OutcomeKind]int64{mailing.OutcomeSent: 1},
			Latencies: []time.Duration{time.Second}, Lags: map[mailing.ID]time.Duration{7: time.Second},
			SettlementsFailed: 1,
		})
	})
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`"Name":"([^"]*)"`).FindAllStringSubmatch(out, -1) {
		seen[m[1]] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(seen)), metrics.Names()); diff != "" {
		t.Errorf("(-written +names):\n%s", diff)
	}
}
