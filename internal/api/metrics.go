package api

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"math"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"postrider/internal/mailing"
)

const (
	metricsPath = "/metrics"
	// metricsType is the media type of Prometheus' text format.
	metricsType = "text/plain"
)

// metricsAnswer is the answer to a scrape by Prometheus.
type metricsAnswer struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

//go:embed texts/get-metrics.md
var aboutMetrics string

// routeMetrics registers the metrics. Their example is written by the code that
// writes the real ones.
func (s *server) routeMetrics() {
	queues := exampleQueues().Queues
	depths := make([]mailing.QueueDepth, len(queues))
	for i, q := range queues {
		depths[i] = mailing.QueueDepth{Name: q.Name, Waiting: q.Waiting, InFlight: q.InFlight, Delayed: q.Delayed}
	}
	overall := mailing.Overall{
		Totals: mailing.Counts(exampleCounts()), Mailings: map[mailing.Status]int64{mailing.StatusRunning: 1},
	}
	example, err := metricsText(overall, depths, 12.5)
	if err != nil {
		panic(err) // writing to memory has no errors
	}
	register(s, operation{
		id: "get-metrics", method: http.MethodGet, path: metricsPath, tag: serviceTag,
		summary: "Read metrics for Prometheus",
		about:   aboutMetrics, answerType: metricsType,
		success: "The metrics, as `text/plain; version=0.0.4; charset=utf-8`.", answer: string(example),
	}, s.metrics)
}

// metrics returns the metrics of the service. It reads only data that may be read at
// any frequency. It does not read dead letters, because that hides them for a second
// from other readers.
func (s *server) metrics(ctx context.Context, _ *struct{}) (*metricsAnswer, error) {
	overall, err := s.mailings.Overall(ctx, "")
	if err != nil {
		return nil, err
	}
	depths, err := s.queues.Depths(ctx)
	if err != nil {
		return nil, err
	}
	oldest, known, err := s.mailings.OldestWaiting(ctx)
	if err != nil {
		return nil, err
	}
	age := 0.0
	switch {
	case !known:
		age = math.NaN() // 0 would mean that no batch waits
	case !oldest.IsZero():
		// The result is 0 if the clock was set back, never negative.
		age = max(0, s.now().Sub(oldest).Seconds())
	}
	body, err := metricsText(overall, depths, age)
	if err != nil {
		return nil, err
	}
	return &metricsAnswer{metricsType + "; version=0.0.4; charset=utf-8", body}, nil
}

// metricsText returns all metrics in Prometheus' text format. age is in seconds,
// NaN if it is unknown. All metrics are gauges, because the number of messages in a
// status can fall: after a retry, or when a mailing is deleted.
func metricsText(o mailing.Overall, depths []mailing.QueueDepth, age float64) ([]byte, error) {
	messages := family("postrider_messages", "Messages of all mailings that are not deleted, by status.")
	for _, status := range mailing.MessageStatuses {
		// Of returns nil for statuses that are not counted.
		if n := o.Totals.Of(status); n != nil {
			messages.add(float64(*n), label{"status", string(status)})
		}
	}
	mailings := family("postrider_mailings", "Mailings that are not deleted, by status.")
	for _, status := range mailing.Statuses {
		mailings.add(float64(o.Mailings[status]), label{"status", string(status)})
	}
	entries := family("postrider_queue_messages",
		"Approximate number of entries of the queues. An entry is a batch of messages, a task, or a dead letter.")
	for _, d := range depths {
		queue := label{"queue", d.Name}
		entries.add(float64(d.Waiting), queue, label{"state", "waiting"})
		entries.add(float64(d.InFlight), queue, label{"state", "in_flight"})
		entries.add(float64(d.Delayed), queue, label{"state", "delayed"})
	}
	oldest := family("postrider_queue_oldest_age_seconds",
		"Seconds for which the oldest batch of running mailings that can be sent has waited. "+
			"0 if no batch waits, NaN if it is unknown.")
	oldest.add(age, label{"queue", mailing.DeliveriesQueue})
	build := family("postrider_build_info", "Always 1. The label is the version of the API.")
	build.add(1, label{"version", Version})

	var body bytes.Buffer
	for _, f := range []*gauges{build, mailings, messages, entries, oldest} {
		if _, err := expfmt.MetricFamilyToText(&body, &f.MetricFamily); err != nil {
			return nil, fmt.Errorf("write metrics: %w", err)
		}
	}
	return body.Bytes(), nil
}

// gauges is a metric family of gauges.
type gauges struct{ dto.MetricFamily }

// family returns an empty family.
func family(name, help string) *gauges {
	return &gauges{dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_GAUGE.Enum()}}
}

// label is a label of a metric.
type label struct{ name, value string }

// add adds a gauge to the family.
func (g *gauges) add(value float64, labels ...label) {
	m := &dto.Metric{Gauge: &dto.Gauge{Value: &value}}
	for _, l := range labels {
		m.Label = append(m.Label, &dto.LabelPair{Name: &l.name, Value: &l.value})
	}
	g.Metric = append(g.Metric, m)
}
