package api_test

import (
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"postrider/internal/api"
	"postrider/internal/mailing"
)

// busy returns a service with mailings and messages in many statuses, and entries
// in all queues.
func busy(t *testing.T) service {
	t.Helper()
	v := serve(t, &stores{
		oldest: now.Add(-90 * time.Second),
		overall: func(mailing.Status) (mailing.Overall, error) {
			return mailing.Overall{
				Totals:   mailing.Counts{Total: 2_000_055, Queued: 1, Retrying: 2, Deferred: 3, Sent: 2_000_000, Failed: 5, Expired: 6, Cancelled: 7, Skipped: 8, Uncertain: 23},
				Mailings: map[mailing.Status]int64{mailing.StatusRunning: 2, mailing.StatusCompleted: 40},
			}, nil
		},
	})
	v.queues.depths = []mailing.QueueDepth{
		{Name: "tasks", Waiting: 1}, {Name: "deliveries", Waiting: 40, InFlight: 5, Delayed: 6}, {Name: "dead-letters", Waiting: 4},
	}
	return v
}

func TestTheMetricsMatchTheTablesAndQueues(t *testing.T) {
	t.Parallel()
	v := busy(t)
	// Looking at dead letters would hide them for a second.
	v.queues.fail["peek"] = errors.New("dead letters are looked at")
	answer := v.call(http.MethodGet, "/metrics", "")
	if got := answer.Header().Get("Content-Type"); answer.Code != http.StatusOK || got != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("status %d, %q", answer.Code, got)
	}
	var numbers []string
	for line := range strings.Lines(answer.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			numbers = append(numbers, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff([]string{
		`postrider_build_info{version="` + api.Version + `"} 1`,
		`postrider_mailings{status="scheduled"} 0`,
		`postrider_mailings{status="running"} 2`,
		`postrider_mailings{status="paused"} 0`,
		`postrider_mailings{status="completed"} 40`,
		`postrider_mailings{status="cancelled"} 0`,
		`postrider_messages{status="queued"} 1`,
		`postrider_messages{status="retrying"} 2`,
		`postrider_messages{status="deferred"} 3`,
		`postrider_messages{status="sent"} 2e+06`,
		`postrider_messages{status="failed"} 5`,
		`postrider_messages{status="expired"} 6`,
		`postrider_messages{status="cancelled"} 7`,
		`postrider_messages{status="skipped"} 8`,
		`postrider_messages{status="uncertain"} 23`,
		`postrider_queue_messages{queue="tasks",state="waiting"} 1`,
		`postrider_queue_messages{queue="tasks",state="in_flight"} 0`,
		`postrider_queue_messages{queue="tasks",state="delayed"} 0`,
		`postrider_queue_messages{queue="deliveries",state="waiting"} 40`,
		`postrider_queue_messages{queue="deliveries",state="in_flight"} 5`,
		`postrider_queue_messages{queue="deliveries",state="delayed"} 6`,
		`postrider_queue_messages{queue="dead-letters",state="waiting"} 4`,
		`postrider_queue_messages{queue="dead-letters",state="in_flight"} 0`,
		`postrider_queue_messages{queue="dead-letters",state="delayed"} 0`,
		`postrider_queue_oldest_age_seconds{queue="deliveries"} 90`,
	}, numbers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPrometheusReadsTheMetrics(t *testing.T) {
	t.Parallel()
	text := busy(t).call(http.MethodGet, "/metrics", "").Body.String()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil || len(families) != 5 {
		t.Fatalf("%d families, %v:\n%s", len(families), err, text)
	}
	series := 0
	for name, f := range families {
		series += len(f.GetMetric())
		if f.GetHelp() == "" || !strings.HasPrefix(name, "postrider_") {
			t.Errorf("%s: %q", name, f.GetHelp())
		}
	}
	t.Logf("figure: GET /metrics: %d families, %d series; accepted by Prometheus' own parser of text, expfmt", len(families), series)
	// If Prometheus is installed, its linter checks the text, too.
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		return
	}
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if said, err := check.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, said)
	}
	t.Log("figure: accepted by promtool check metrics, without a remark")
}

func TestPrometheusReadsTheMetricsWithAViewersKey(t *testing.T) {
	t.Parallel()
	v := busy(t)
	for key, want := range map[string]int{"": http.StatusUnauthorized, "Bearer unknown": http.StatusUnauthorized, "Bearer " + viewerKey: http.StatusOK} {
		if got := v.call(http.MethodGet, "/metrics", "", "Authorization", key); got.Code != want {
			t.Errorf("%q: status %d, want %d", key, got.Code, want)
		}
	}
}

func TestMetricsThatCannotBeReadAreAnInternalError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for what, fail := range map[string]func(*stores, *queues){
		"the tables": func(s *stores, _ *queues) {
			s.overall = func(mailing.Status) (mailing.Overall, error) { return mailing.Overall{}, broken }
		},
		"the queues":      func(_ *stores, q *queues) { q.fail["depths"] = broken },
		"what is pending": func(s *stores, _ *queues) { s.fail = broken },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			v := busy(t)
			fail(v.stores, v.queues)
			wantProblem(t, v.call(http.MethodGet, "/metrics", ""), http.StatusInternalServerError)
		})
	}
}

func TestTheAgeMetricIsNeverNegativeAndNaNIfUnknown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		since   time.Time
		unknown bool
		want    string
	}{
		"nothing waits":   {want: "0"},
		"clocks differ":   {since: now.Add(time.Second), want: "0"},
		"it waits":        {since: now.Add(-time.Hour), want: "3600"},
		"it is not known": {unknown: true, want: "NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := busy(t)
			v.stores.oldest, v.stores.unknown = c.since, c.unknown
			w := v.call(http.MethodGet, "/metrics", "")
			if want := `postrider_queue_oldest_age_seconds{queue="deliveries"} ` + c.want + "\n"; w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
				t.Errorf("status %d, and no line %q in\n%s", w.Code, want, w.Body)
			}
		})
	}
}
