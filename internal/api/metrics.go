package api

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
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

// routeMetrics registers the metrics.
func (s *server) routeMetrics() {
	op := operation("get-metrics", http.MethodGet, metricsPath, "service", "The service's numbers, for Prometheus")
	op.Responses = map[string]*huma.Response{strconv.Itoa(http.StatusOK): {
		Content: map[string]*huma.MediaType{metricsType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	handle(s, op, s.metrics)
}

// metrics returns the service's numbers. It reads only what may be read at any
// frequency. So it does not look at dead letters: that hides them for a second from
// other readers.
func (s *server) metrics(ctx context.Context, _ *struct{}) (*metricsAnswer, error) {
	overall, err := s.Mailings.Overall(ctx, "")
	if err != nil {
		return nil, err
	}
	depths, err := s.Queues.Depths(ctx)
	if err != nil {
		return nil, err
	}
	oldest, known, err := s.Mailings.OldestWaiting(ctx)
	if err != nil {
		return nil, err
	}
	age := 0.0
	switch {
	case !known:
		age = math.NaN() // 0 would mean that no batch waits
	case !oldest.IsZero():
		// The result is 0 if the clock was set back, never negative.
		age = max(0, s.Now().Sub(oldest).Seconds())
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
	held := family("postrider_queue_messages", "Entries of the queues, roughly: a batch of messages, a task, or a dead letter each.")
	for _, d := range depths {
		queue := label{"queue", d.Name}
		held.add(float64(d.Waiting), queue, label{"state", "waiting"})
		held.add(float64(d.InFlight), queue, label{"state", "in_flight"})
		held.add(float64(d.Delayed), queue, label{"state", "delayed"})
	}
	waits := family("postrider_queue_oldest_age_seconds", "How long the batch that could go out and has waited longest has waited, of running mailings; 0 if none waits, NaN if that cannot be said.")
	waits.add(age, label{"queue", mailing.DeliveriesQueue})
	build := family("postrider_build_info", "Always 1; the label is the version of the API.")
	build.add(1, label{"version", Version})

	var body bytes.Buffer
	for _, f := range []*gauges{build, mailings, messages, held, waits} {
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
