package api_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"postrider/internal/mailing"
)

// metricUse is a metric in an expression, with its label matchers.
var (
	metricUse = regexp.MustCompile(`postrider_[a-z_]+(\{[^}]*\})?`)
	matcher   = regexp.MustCompile(`([a-z_]+)(=~?)"([^"]*)"`)
)

// TestTheGrafanaFilesAskOnlyForMetricsThatThereAre compares the expressions of the example
// dashboard and of the alert rules with an answer of GET /metrics: each metric, and each
// value of a label, must be there. It does not parse PromQL.
func TestTheGrafanaFilesAskOnlyForMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{overall: func(mailing.Status) (mailing.Overall, error) { return mailing.Overall{}, nil }})
	for _, name := range []string{mailing.TasksQueue, mailing.DeliveriesQueue, mailing.DeadLettersQueue, mailing.DeadTasksQueue} {
		v.queues.depths = append(v.queues.depths, mailing.QueueDepth{Name: name})
	}
	metrics := v.call(http.MethodGet, "/metrics", "").Body.String()
	expressions := append(dashboardExpressions(t), alertExpressions(t)...)
	if len(expressions) < 10 {
		t.Fatalf("only %d expressions", len(expressions))
	}
	for _, expression := range expressions {
		uses := metricUse.FindAllString(expression, -1)
		if len(uses) == 0 {
			t.Errorf("%s has no metric", expression)
		}
		for _, use := range uses {
			name, labels, _ := strings.Cut(use, "{")
			if !strings.Contains(metrics, "# TYPE "+name+" ") {
				t.Errorf("%s: there is no metric %s", expression, name)
			}
			for _, m := range matcher.FindAllStringSubmatch(labels, -1) {
				for value := range strings.SplitSeq(m[3], "|") {
					if !strings.Contains(metrics, m[1]+`="`+value+`"`) {
						t.Errorf("%s: no metric has %s=%q", expression, m[1], value)
					}
				}
			}
		}
	}
}

func grafanaFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "infra", "grafana", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func dashboardExpressions(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(grafanaFile(t, "dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, panel := range dashboard.Panels {
		if panel.Title == "" || len(panel.Targets) == 0 {
			t.Errorf("a panel has no title or no query: %+v", panel)
		}
		for _, target := range panel.Targets {
			found = append(found, target.Expr)
		}
	}
	return found
}

func alertExpressions(t *testing.T) []string {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(grafanaFile(t, "alerts.yaml"), &rules); err != nil {
		t.Fatal(err)
	}
	runbook, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	headings := strings.ToLower(strings.ReplaceAll(string(runbook), " ", "-"))
	var found []string
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			_, heading, _ := strings.Cut(rule.Annotations["runbook"], "#")
			if rule.Alert == "" || rule.Annotations["summary"] == "" || heading == "" || !strings.Contains(headings, "###-"+heading+"\n") {
				t.Errorf("alert %q has no summary, or no section %q in docs/operations.md", rule.Alert, heading)
			}
			found = append(found, rule.Expr)
		}
	}
	return found
}
