// Package metrics reports the service's metrics to CloudWatch in its embedded metric
// format: lines of JSON in a function's log, which cost no call. A line contains numbers
// and our own names, and nothing of a message, a client or a mailing.
//
// A library for this format would be larger than this package. The existing ones keep
// metrics in a context and write them at a time of their own; here an invocation writes
// its line at its end.
//
// Format:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
package metrics

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// Namespace is the namespace of all metrics.
const Namespace = "Postrider"

// Names of the metrics.
const (
	// Deliveries counts messages that reached a terminal status, by that status.
	Deliveries = "Deliveries"
	// Attempts counts hand-overs to the sending API, by outcome.
	Attempts = "Attempts"
	// Answered counts the hand-overs with a valid answer. If there were any hand-overs,
	// it is written even if it is 0: an alarm can watch a value of 0, but not a missing
	// value.
	Answered = "Answered"
	// ProviderLatency is the duration of hand-overs, in milliseconds.
	ProviderLatency = "ProviderLatency"
	// StartLag is the time from a mailing's start to its first hand-over, in
	// milliseconds.
	StartLag = "StartLag"
	// Expanded counts messages written by expansion, one value for each task.
	Expanded = "Expanded"
	// SettlementsFailed counts settlements that failed until their invocation's time was
	// over. It is written only if there are any: no reader has to distinguish 0 from a
	// missing value, and an alarm on the sum takes a missing value for 0.
	SettlementsFailed = "SettlementsFailed"
	// BreakerOpen is 1 if the breaker was open at the end of an invocation of the sender,
	// or at a sweep, else 0.
	BreakerOpen = "BreakerOpen"
)

// Names returns the names of all metrics.
func Names() []string {
	return []string{Answered, Attempts, BreakerOpen, Deliveries, Expanded, ProviderLatency, SettlementsFailed, StartLag}
}

// Names of the dimensions.
const (
	Stage   = "Stage"
	Outcome = "Outcome"
)

// Units, as CloudWatch names them.
const (
	count        = "Count"
	milliseconds = "Milliseconds"
	none         = "None"
)

// maxValues is the maximum number of values of one metric in a line, a limit of
// CloudWatch.
const maxValues = 100

// Log writes metrics as lines of a log. It is safe for concurrent use.
type Log struct {
	stage string
	now   func() time.Time

	mu  sync.Mutex
	out io.Writer
}

// New returns a Log that writes each line to out at once. stage is the deployment's name.
func New(out io.Writer, stage string, now func() time.Time) *Log {
	return &Log{stage: stage, now: now, out: out}
}

// metric is one metric in a line.
type metric struct {
	name, unit string
	value      any
	// byOutcome is true if the line's outcome is a dimension of the metric, too.
	byOutcome bool
}

// Swept writes whether a sweep has found the sending API down. Senders that receive no
// deliveries write nothing, so the sweep does.
func (l *Log) Swept(down bool) { l.write("", []metric{breaker(down)}) }

// breaker returns the metric [BreakerOpen].
func breaker(open bool) metric {
	m := metric{name: BreakerOpen, unit: none, value: 0}
	if open {
		m.value = 1
	}
	return m
}

// Delivered writes the events of one invocation of the sender.
func (l *Log) Delivered(t mailing.Tally) {
	first := []metric{breaker(t.BreakerOpen)}
	if t.SettlementsFailed > 0 {
		first = append(first, metric{name: SettlementsFailed, unit: count, value: t.SettlementsFailed})
	}
	tried, answered := map[string]int64{}, int64(0)
	for kind, n := range t.Attempts {
		tried[kind.String()] = n
		if (mailing.Outcome{Kind: kind}).Valid() {
			answered += n
		}
	}
	if len(tried) > 0 {
		first = append(first, metric{name: Answered, unit: count, value: answered})
	}
	lags := slices.Collect(maps.Values(t.Lags))
	l.writeAll(first, terminal(t.Settled), tried,
		series{ProviderLatency, milliseconds, inMillis(t.Latencies)}, series{StartLag, milliseconds, inMillis(lags)})
}

// Expanded writes how many messages each of the scheduler's tasks wrote, and, summed over
// the tasks, how many of them got a terminal status at once.
func (l *Log) Expanded(wrote []mailing.Counts) {
	var sum mailing.Counts
	totals := make([]float64, len(wrote))
	for i, counts := range wrote {
		totals[i], sum = float64(counts.Total), sum.Plus(counts)
	}
	l.writeAll(nil, terminal(sum), nil, series{Expanded, count, totals})
}

// series is a metric with several values.
type series struct {
	name, unit string
	values     []float64
}

// writeAll writes one invocation's metrics. An outcome is a dimension, and a line has one
// value for a dimension. So there is one line for each outcome, which is nearly always
// one line; the first line also has the metrics without an outcome. A line holds at most
// maxValues of a series. The rest get lines of their own, so that each invocation counts
// by its number of values.
func (l *Log) writeAll(first []metric, ended, tried map[string]int64, all ...series) {
	var rest []metric
	for _, s := range all {
		for i, values := range slices.Collect(slices.Chunk(s.values, maxValues)) {
			m := metric{name: s.name, unit: s.unit, value: values}
			if i == 0 {
				first = append(first, m)
			} else {
				rest = append(rest, m)
			}
		}
	}
	both := map[string]int64{}
	maps.Copy(both, tried)
	maps.Copy(both, ended)
	for _, outcome := range slices.Sorted(maps.Keys(both)) {
		line := first
		if n := ended[outcome]; n > 0 {
			line = append(line, metric{Deliveries, count, n, true})
		}
		if n := tried[outcome]; n > 0 {
			line = append(line, metric{Attempts, count, n, true})
		}
		l.write(outcome, line)
		first = nil
	}
	if len(first) > 0 {
		l.write("", first)
	}
	for _, m := range rest {
		l.write("", []metric{m})
	}
}

// terminal returns the number of messages by terminal status.
func terminal(c mailing.Counts) map[string]int64 {
	ended := map[string]int64{}
	for _, status := range mailing.MessageStatuses {
		if n := c.Of(status); n != nil && *n > 0 && !status.Pending() {
			ended[string(status)] = *n
		}
	}
	return ended
}

// inMillis returns durations in milliseconds, in ascending order.
func inMillis(ds []time.Duration) []float64 {
	ms := make([]float64, len(ds))
	for i, d := range ds {
		ms[i] = float64(d.Microseconds()) / 1000
	}
	slices.Sort(ms)
	return ms
}

// The parts of a line that explain its other keys to CloudWatch.
type (
	header struct {
		Timestamp         int64       `json:"Timestamp"`
		CloudWatchMetrics []directive `json:"CloudWatchMetrics"`
	}
	directive struct {
		Namespace  string       `json:"Namespace"`
		Dimensions [][]string   `json:"Dimensions"`
		Metrics    []definition `json:"Metrics"`
	}
	definition struct {
		Name string `json:"Name"`
		Unit string `json:"Unit"`
	}
)

// write writes one line in a single call of Write: a line holds nothing else, and
// concurrent lines do not mix.
func (l *Log) write(outcome string, metrics []metric) {
	line := map[string]any{Stage: l.stage}
	plain := directive{Namespace: Namespace, Dimensions: [][]string{{Stage}}}
	split := directive{Namespace: Namespace, Dimensions: [][]string{{Stage}, {Stage, Outcome}}}
	if outcome != "" {
		line[Outcome] = outcome
	}
	for _, m := range metrics {
		line[m.name] = m.value
		of := &plain
		if m.byOutcome {
			of = &split
		}
		of.Metrics = append(of.Metrics, definition{m.name, m.unit})
	}
	h := header{Timestamp: l.now().UnixMilli()}
	for _, d := range []directive{plain, split} {
		if len(d.Metrics) > 0 {
			h.CloudWatchMetrics = append(h.CloudWatchMetrics, d)
		}
	}
	line["_aws"] = h
	text, err := json.Marshal(line)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, err = l.out.Write(append(text, '\n'))
	}
	if err != nil {
		slog.Warn("write metrics", "error", err)
	}
}
