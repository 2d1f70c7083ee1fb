package template_test

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/cfn"
	"postrider/internal/mailing"
	"postrider/internal/queue"
)

// work records what the scheduler is asked to do.
type work struct{ asked []string }

func (w *work) Sweep(context.Context) error {
	w.asked = append(w.asked, "sweep")
	return nil
}

func (w *work) Report(context.Context) error {
	w.asked = append(w.asked, "report")
	return nil
}

func (w *work) Replan(context.Context, time.Time) error {
	w.asked = append(w.asked, "replan")
	return nil
}

func (w *work) Do(_ context.Context, tasks []mailing.Task) []error {
	if len(tasks) > 0 {
		w.asked = append(w.asked, "tasks")
	}
	return make([]error, len(tasks))
}

// asksFor returns what the scheduler does for an event.
func asksFor(t *testing.T, event string) []string {
	t.Helper()
	w := &work{}
	if _, err := queue.SchedulerHandler(w, w)(t.Context(), json.RawMessage(event)); err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return w.asked
}

// ofARule is the event of a rule without an input, with the fields that identify it.
const ofARule = `{"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}`

func schedules(t *testing.T, template cfn.Template) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, event := range cfn.Each(cfn.At(template["Resources"], "SchedulerFunction", "Properties", "Events")) {
		if cfn.At(event, "Type") != "Schedule" {
			continue
		}
		input, ok := cfn.At(event, "Properties", "Input").(string)
		if !ok {
			input = ofARule
		}
		for _, what := range asksFor(t, input) {
			found[what] = cfn.At(event, "Properties", "Schedule")
		}
	}
	return found
}

func TestTheSchedulerSweepsEachMinuteAndReportsEachHourFromReportHour(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	if diff := cmp.Diff(map[string]any{
		"sweep": "rate(1 minute)",
		// At minute 0 of each hour from ReportHour to 23, every day.
		"report": map[string]any{"Fn::Sub": "cron(0 ${ReportHour}-23 * * ? *)"},
	}, schedules(t, template)); diff != "" {
		t.Errorf("schedules (-want +got):\n%s", diff)
	}
	hour := cfn.At(template["Parameters"], "ReportHour")
	if diff := cmp.Diff([]any{"Number", 0.0, 23.0}, []any{cfn.At(hour, "Type"), cfn.At(hour, "MinValue"), cfn.At(hour, "MaxValue")}); diff != "" {
		t.Errorf("ReportHour (-want +got):\n%s", diff)
	}
}

func TestTheReportsTopicIsSubscribedToIfThereIsAnAddress(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	var want any
	if err := cfn.Unmarshal([]byte(`
scheduler's topic: !Ref ReportTopic
output: {Value: !Ref ReportTopic}
subscription:
  Type: AWS::SNS::Subscription
  Condition: HasReportEmail
  Properties: {TopicArn: !Ref ReportTopic, Protocol: email, Endpoint: !Ref ReportEmail}
condition: !Not [!Equals [!Ref ReportEmail, ""]]
default address: ""
`), &want); err != nil {
		t.Fatal(err)
	}
	scheduler := cfn.At(template["Resources"], "SchedulerFunction", "Properties")
	got := map[string]any{
		"scheduler's topic": cfn.At(scheduler, "Environment", "Variables", "REPORT_TOPIC_ARN"),
		"output":            cfn.At(template["Outputs"], "ReportTopicArn"),
		"subscription":      cfn.At(template["Resources"], "ReportByEmail"),
		"condition":         cfn.At(template["Conditions"], "HasReportEmail"),
		"default address":   cfn.At(template["Parameters"], "ReportEmail", "Default"),
	}
	if diff := cmp.Diff(want, any(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	publishes := slices.ContainsFunc(cfn.Statements(template["Resources"]), func(s map[string]any) bool {
		return s["Effect"] == "Allow" && slices.Contains(cfn.Texts(s["Action"]), "sns:Publish") &&
			cfn.Ref(s["Resource"]) == "ReportTopic"
	})
	if !publishes {
		t.Error("no function may publish to the topic")
	}
}

// TestTheRunbooksCommandsFitTheTemplate checks the runbook's commands: they read names
// from the stack's outputs, and invoke a report.
func TestTheRunbooksCommandsFitTheTemplate(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	raw, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\$\((out|queue|source_of) ([A-Za-z]+)\)`).FindAllStringSubmatch(string(raw), -1)
	if len(names) < 8 {
		t.Errorf("only %d names can be read", len(names))
	}
	suffix := map[string]string{"queue": "QueueName", "source_of": "FunctionName"}
	for _, name := range names {
		if output := name[2] + suffix[name[1]]; cfn.At(template["Outputs"], output) == nil {
			t.Errorf("%s asks for the output %s, which does not exist", name[0], output)
		}
	}
	payload := regexp.MustCompile(`--payload '([^']*)'`).FindStringSubmatch(string(raw))
	if payload == nil || strings.Join(asksFor(t, payload[1]), " ") != "report" {
		t.Errorf("no payload that asks for the report: %q", payload)
	}
}
