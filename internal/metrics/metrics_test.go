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

// written is what is written to a log.
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
				Latencies: []time.Duration{30 * time.Millisecond, 1500 * time.Microsecond}, Lags: map[mailing.MailingID]time.Duration{7: time.Second},
			})
		}, `{"Attempts":2,"BreakerOpen":0,"Deliveries":2,"Outcome":"sent","ProviderLatency":[1.5,30],"Stage":"prod","StartLag":[1000],` +
			`"_aws":{"Timestamp":1772443800000,"CloudWatchMetrics":[` +
			`{"Namespace":"Postrider","Dimensions":[["Stage"]],"Metrics":[{"Name":"BreakerOpen","Unit":"None"},{"Name":"ProviderLatency","Unit":"Milliseconds"},{"Name":"StartLag","Unit":"Milliseconds"}]},` +
			`{"Namespace":"Postrider","Dimensions":[["Stage"],["Stage","Outcome"]],"Metrics":[{"Name":"Deliveries","Unit":"Count"},{"Name":"Attempts","Unit":"Count"}]}]}}` + "\n"},
		{"several outcomes: a line each, and the rest once", func(l *metrics.Log) {
			l.Delivered(mailing.Tally{
				Settled:   mailing.Counts{Queued: -3, Retrying: 1, Expired: 2},
				Attempts:  map[mailing.OutcomeKind]int64{mailing.OutcomeRetry: 1},
				Latencies: []time.Duration{time.Second}, BreakerOpen: true,
			})
		}, `{"BreakerOpen":1,"Deliveries":2,"Outcome":"expired","ProviderLatency":[1000],"Stage":"prod",` +
			`"_aws":{"Timestamp":1772443800000,"CloudWatchMetrics":[` +
			`{"Namespace":"Postrider","Dimensions":[["Stage"]],"Metrics":[{"Name":"BreakerOpen","Unit":"None"},{"Name":"ProviderLatency","Unit":"Milliseconds"}]},` +
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
			"an expansion by two tasks", func(l *metrics.Log) { l.Expanded([]int64{1000, 50}) },
			`{"Expanded":[1000,50],"Stage":"prod","_aws":{"Timestamp":1772443800000,"CloudWatchMetrics":[` +
				`{"Namespace":"Postrider","Dimensions":[["Stage"]],"Metrics":[{"Name":"Expanded","Unit":"Count"}]}]}}` + "\n",
		},
		{"no expansion: no line", func(l *metrics.Log) { l.Expanded(nil) }, ""},
	} {
		if diff := cmp.Diff(test.want, written(test.do)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestALineHasAtMostAHundredValuesFromTheLeastToTheGreatest(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 99, 100, 101, 500, 10_000} {
		var tally mailing.Tally
		for i := range n {
			tally.Attempt(mailing.OutcomeSent, time.Duration(n-i)*time.Millisecond)
		}
		text := written(func(l *metrics.Log) { l.Delivered(tally) })
		var line struct {
			ProviderLatency []float64 `json:"ProviderLatency"`
			Attempts        int       `json:"Attempts"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		got := line.ProviderLatency
		if len(got) != min(n, 100) || got[0] != 1 || got[len(got)-1] != float64(n) || line.Attempts != n {
			t.Errorf("of %d: %d values from %v to %v, %d attempts", n, len(got), got[0], got[len(got)-1], line.Attempts)
		}
		if middle := got[len(got)/2]; middle < float64(n)*0.45 || middle > float64(n)*0.55+1 {
			t.Errorf("of %d: the middle is %v", n, middle)
		}
	}
}

// lines counts the calls that write.
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
		l.Expanded([]int64{1})
		l.Delivered(mailing.Tally{
			Settled: mailing.Counts{Sent: 1}, Attempts: map[mailing.OutcomeKind]int64{mailing.OutcomeSent: 1},
			Latencies: []time.Duration{time.Second}, Lags: map[mailing.MailingID]time.Duration{7: time.Second},
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
