// Package metrics tells CloudWatch how the service does, in its embedded metric
// format: lines of JSON in a function's log, which cost no call. A line holds
// numbers and names of ours, and nothing of a message, a client or a mailing.
//
// A library for it would be larger than what it writes, and those that are there
// keep metrics in a context and write at a time of their own; here it is one
// line for what one invocation reports at its end.
//
// Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
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

// Namespace is where all metrics are.
const Namespace = "Postrider"

// Names of the metrics.
const (
	// Deliveries are messages that reached a terminal status, by that.
	Deliveries = "Deliveries"
	// Attempts are hand-overs to the sending API, by outcome.
	Attempts = "Attempts"
	// Answered is how many of them had a valid answer. Where there were any it is
	// told even if it is 0: an alarm can watch that, and not what is missing.
	Answered = "Answered"
	// ProviderLatency is how long hand-overs took, in milliseconds.
	ProviderLatency = "ProviderLatency"
	// StartLag is how long after its start a mailing was first handed over, in
	// milliseconds.
	StartLag = "StartLag"
	// Expanded are messages written by expansion, a value a task.
	Expanded = "Expanded"
	// SettlementsFailed are settlements that failed until their invocation's time was
	// over. It is written only where there are any: no other value has to be told
	// from silence, and an alarm on its sum takes silence for 0.
	SettlementsFailed = "SettlementsFailed"
	// BreakerOpen is 1 if the breaker was open at the end of an invocation of the
	// sender, or at a sweep, else 0.
	BreakerOpen = "BreakerOpen"
)

// Names are all of them.
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

// maxValues is how many values of one metric a line may have.
const maxValues = 100

// Log writes metrics as lines of a log. It is safe for concurrent use.
type Log struct {
	stage string
	now   func() time.Time

	mu  sync.Mutex
	out io.Writer
}

// New writes to out, each line at once. stage is the deployment's name.
func New(out io.Writer, stage string, now func() time.Time) *Log {
	return &Log{stage: stage, now: now, out: out}
}

// metric is one metric in a line.
type metric struct {
	name, unit string
	value      any
	// byOutcome: it also has the line's outcome for a dimension.
	byOutcome bool
}

// Swept writes whether the sending API is down, as a sweep has read it: senders
// that have nothing to do write nothing.
func (l *Log) Swept(down bool) { l.write("", []metric{breaker(down)}) }

func breaker(open bool) metric {
	m := metric{name: BreakerOpen, unit: none, value: 0}
	if open {
		m.value = 1
	}
	return m
}

// Delivered writes what happened in an invocation of the sender.
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

// Expanded writes what tasks of the scheduler wrote: each how many messages, and
// all of them what came to its end by it at once.
func (l *Log) Expanded(wrote []mailing.Counts) {
	var sum mailing.Counts
	totals := make([]float64, len(wrote))
	for i, counts := range wrote {
		totals[i], sum = float64(counts.Total), sum.Plus(counts)
	}
	l.writeAll(nil, terminal(sum), nil, series{Expanded, count, totals})
}

// series are the values of a metric that has several.
type series struct {
	name, unit string
	values     []float64
}

// writeAll writes one invocation's metrics. An outcome is a dimension, of which a
// line has one value: so there is a line an outcome, which is nearly always one,
// and the first also has what has no outcome. Of a series a line has maxValues;
// the rest has lines of its own, so that an invocation weighs by what it did.
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

// terminal are the terminal statuses in which messages ended.
func terminal(c mailing.Counts) map[string]int64 {
	ended := map[string]int64{}
	for _, status := range mailing.MessageStatuses {
		if n := c.Of(status); n != nil && *n > 0 && !status.Pending() {
			ended[string(status)] = *n
		}
	}
	return ended
}

// inMillis are durations in milliseconds, in order.
func inMillis(ds []time.Duration) []float64 {
	ms := make([]float64, len(ds))
	for i, d := range ds {
		ms[i] = float64(d.Microseconds()) / 1000
	}
	slices.Sort(ms)
	return ms
}

// The parts of a line that tell CloudWatch what its other keys are.
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

// write writes one line: nothing else is in it, and nothing comes between.
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
