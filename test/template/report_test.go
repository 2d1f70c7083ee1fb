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

func schedules(t *testing.T, template tree) map[string]any {
	t.Helper()
	found := map[string]any{}
	events, ok := at(template["Resources"], "SchedulerFunction", "Properties", "Events").(map[string]any)
	if !ok {
		t.Fatal("the scheduler has no events")
	}
	for _, event := range events {
		if at(event, "Type") != "Schedule" {
			continue
		}
		input, ok := at(event, "Properties", "Input").(string)
		if !ok {
			input = ofARule
		}
		for _, what := range asksFor(t, input) {
			found[what] = at(event, "Properties", "Schedule")
		}
	}
	return found
}

func TestEachMinuteItSweepsAndFromTheReportsHourToMidnightItReports(t *testing.T) {
	t.Parallel()
	var template tree
	parseFile(t, file, &template)
	if diff := cmp.Diff(map[string]any{
		"sweep": "rate(1 minute)",
		// At minute 0 of each hour from ReportHour to 23, every day.
		"report": map[string]any{"Fn::Sub": "cron(0 ${ReportHour}-23 * * ? *)"},
	}, schedules(t, template)); diff != "" {
		t.Errorf("when it does what (-want +got):\n%s", diff)
	}
	hour := at(template["Parameters"], "ReportHour")
	if diff := cmp.Diff([]any{"Number", 0.0, 23.0}, []any{at(hour, "Type"), at(hour, "MinValue"), at(hour, "MaxValue")}); diff != "" {
		t.Errorf("ReportHour (-want +got):\n%s", diff)
	}
}

func TestTheReportIsPublishedToATopicThatIsSubscribedToWhereThereIsAnAddress(t *testing.T) {
	t.Parallel()
	var template tree
	parseFile(t, file, &template)
	topic := map[string]any{"Ref": "ReportTopic"}
	address := map[string]any{"Ref": "ReportEmail"}
	for _, c := range []struct {
		what      string
		want, got any
	}{
		{"the topic that the scheduler knows", topic, at(template["Resources"], "SchedulerFunction", "Properties", "Environment", "Variables", "REPORT_TOPIC_ARN")},
		{"the topic that people are told", topic, at(template["Outputs"], "ReportTopicArn", "Value")},
		{"the subscription", map[string]any{
			"Type": "AWS::SNS::Subscription", "Condition": "HasReportEmail",
			"Properties": map[string]any{"TopicArn": topic, "Protocol": "email", "Endpoint": address},
		}, at(template["Resources"], "ReportByEmail")},
		{"its condition", map[string]any{"Fn::Not": []any{map[string]any{"Fn::Equals": []any{address, ""}}}}, at(template["Conditions"], "HasReportEmail")},
		{"the address, if nobody says one", "", at(template["Parameters"], "ReportEmail", "Default")},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
	may := false
	walk(template["Resources"], func(statement map[string]any) {
		if statement["Effect"] == "Allow" && slices.Contains(texts(statement["Action"]), "sns:Publish") {
			may = may || cmp.Equal(list(statement["Resource"]), []any{topic})
		}
	})
	if !may {
		t.Error("nobody may publish to the topic")
	}
}

// TestWhatTheRunbookAsksTheStackForIsThere checks the runbook's commands: they read names
// from the stack's outputs, and invoke a report.
func TestWhatTheRunbookAsksTheStackForIsThere(t *testing.T) {
	t.Parallel()
	var template tree
	parseFile(t, file, &template)
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
		if output := name[2] + suffix[name[1]]; at(template["Outputs"], output) == nil {
			t.Errorf("%s asks for the output %s, which is not there", name[0], output)
		}
	}
	payload := regexp.MustCompile(`--payload '([^']*)'`).FindStringSubmatch(string(raw))
	if payload == nil || strings.Join(asksFor(t, payload[1]), " ") != "report" {
		t.Errorf("no payload that asks for the report: %q", payload)
	}
}
