package infra_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"postrider/internal/mailing"
	"postrider/internal/metrics"
)

// value is a value in a template as it is written there. It keeps short forms: !Ref A, or
// {B: c}.
type value struct{ text string }

// UnmarshalYAML keeps the tag of a short form, which other types drop.
func (v *value) UnmarshalYAML(n *yaml.Node) error {
	v.text = written(n)
	return nil
}

func written(n *yaml.Node) string {
	var parts []string
	for _, part := range n.Content {
		parts = append(parts, written(part))
	}
	text := n.Value
	switch n.Kind {
	case yaml.SequenceNode:
		text = "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		var fields []string
		for field := range slices.Chunk(parts, 2) {
			fields = append(fields, strings.Join(field, ": "))
		}
		text = "{" + strings.Join(fields, ", ") + "}"
	case yaml.AliasNode:
		return written(n.Alias)
	case yaml.ScalarNode, yaml.DocumentNode:
	}
	if tag := n.Tag; strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
		return tag + " " + text
	}
	return text
}

// watch holds the properties of an alarm that say what it watches and where it sends its
// notifications.
type watch struct {
	Namespace  string     `yaml:"Namespace"`
	MetricName string     `yaml:"MetricName"`
	Dimensions dimensions `yaml:"Dimensions"`
	// Metrics are several metrics, and an expression over them, in place of one metric.
	Metrics            []query `yaml:"Metrics"`
	Statistic          string  `yaml:"Statistic"`
	Period             int     `yaml:"Period"`
	EvaluationPeriods  int     `yaml:"EvaluationPeriods"`
	DatapointsToAlarm  int     `yaml:"DatapointsToAlarm"`
	ComparisonOperator string  `yaml:"ComparisonOperator"`
	Threshold          value   `yaml:"Threshold"`
	TreatMissingData   string  `yaml:"TreatMissingData"`
	AlarmActions       []value `yaml:"AlarmActions"`
	OKActions          []value `yaml:"OKActions"`
}

// line formats an alarm's condition for readers.
func (w watch) line() string {
	operator := map[string]string{
		"GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">=", "LessThanThreshold": "<", "LessThanOrEqualToThreshold": "<=",
	}[w.ComparisonOperator]
	what := fmt.Sprintf("%s %s of %s: %s in %d s", w.Namespace, w.MetricName, w.Dimensions, w.Statistic, w.Period)
	if w.Metrics != nil {
		what = math(w.Metrics)
	}
	return fmt.Sprintf("%s %s %s, %d of %d", what, operator, w.Threshold.text, w.DatapointsToAlarm, w.EvaluationPeriods)
}

// conditions says when each alarm rings. CloudWatch accepts a name that does not exist,
// or a statistic that cannot reach the threshold, and the alarm stays silent.
var conditions = map[string]string{
	"OldestDelivery":     "AWS/SQS ApproximateAgeOfOldestMessage of QueueName DeliveriesQueue: Maximum in 60 s > !Ref OldestDeliverySeconds, 5 of 5",
	"DeadLettersWaiting": "AWS/SQS ApproximateNumberOfMessagesVisible of QueueName DeadLettersQueue: Maximum in 300 s > !Ref DeadLetters, 1 of 1",
	"DeadTasks":          "AWS/SQS ApproximateNumberOfMessagesVisible of QueueName DeadTasksQueue: Maximum in 300 s > 0, 1 of 1",
	"BreakerOpen":        metrics.Namespace + " " + metrics.BreakerOpen + " of " + metrics.Stage + " Stage: Maximum in 60 s >= 1, 2 of 3",
	"NoValidAnswer":      metrics.Namespace + " " + metrics.Answered + " of " + metrics.Stage + " Stage: Sum in 900 s < 1, 2 of 3",
	"SweepMissing":       "AWS/Events Invocations of RuleName SweepRule: Sum in 300 s < 1, 2 of 2",
	"ApiErrors":          "AWS/Lambda Errors of FunctionName ApiFunction: Sum in 300 s >= 1, 2 of 2",
	"SchedulerErrors":    "AWS/Lambda Errors of FunctionName SchedulerFunction: Sum in 300 s >= 1, 2 of 13",
	"SenderErrors":       "AWS/Lambda Errors of FunctionName SenderFunction: Sum in 300 s >= 1, 1 of 1",
	"ApiThrottles":       "AWS/Lambda Throttles of FunctionName ApiFunction: Sum in 300 s >= 1, 2 of 3",
	"SchedulerThrottles": "AWS/Lambda Throttles of FunctionName SchedulerFunction: Sum in 300 s >= 1, 2 of 3",
	"SenderThrottles":    "AWS/Lambda Throttles of FunctionName SenderFunction: Sum in 300 s >= 1, 2 of 3",
	"SettlementsFailed":  metrics.Namespace + " " + metrics.SettlementsFailed + " of " + metrics.Stage + " Stage: Sum in 300 s >= 1, 1 of 1",
	"UncertainShare": "IF(all >= 20, 100 * FILL(ambiguous, 0) / all, 0) where" +
		" ambiguous is " + metrics.Namespace + " " + metrics.Attempts + " of " + metrics.Stage + " Stage, " + metrics.Outcome + " " + mailing.OutcomeAmbiguous.String() + ": Sum in 900 s;" +
		" all is " + metrics.Namespace + " " + metrics.Attempts + " of " + metrics.Stage + " Stage: Sum in 900 s > !Ref UncertainPercent, 1 of 1",
	"StartLag":        "lag / 1000 where lag is " + metrics.Namespace + " " + metrics.StartLag + " of " + metrics.Stage + " Stage: Maximum in 300 s > !Ref StartLagSeconds, 1 of 1",
	"TableThrottles":  ofTables(throttled...) + " >= 1, 2 of 3",
	"ClientsErrors":   ofTables(failing("ClientsTable", "GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem", "TransactWriteItems")...) + " >= 1, 2 of 3",
	"MailingsErrors":  ofTables(failing("MailingsTable", "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")...) + " >= 1, 2 of 3",
	"BatchesErrors":   ofTables(failing("BatchesTable", "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "TransactWriteItems", "Scan")...) + " >= 1, 2 of 3",
	"ApiServerErrors": "AWS/ApiGateway 5XXError of ApiName !Ref ServiceStack, Stage Stage: Sum in 300 s >= !Ref ServerErrors, 1 of 1",
}

func TestAnAlarmRingsWhenItShouldAndTellsTheTopic(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for id, w := range resources[watch](t, "infra/alarms.yaml", "AWS::CloudWatch::Alarm") {
		got[id] = w.line()
		for _, actions := range [][]value{w.AlarmActions, w.OKActions} {
			if !slices.Equal(actions, []value{{"!If [MakesTopic, !Ref AlarmTopic, !Ref Topic]"}}) {
				t.Errorf("%s notifies %v", id, actions)
			}
		}
	}
	if diff := cmp.Diff(conditions, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// exports maps the names of exported outputs to their values.
var exports = map[string]string{
	"Stage": "!Ref Stage", "SweepRule": "!Ref SchedulerFunctionSweep",
	"ApiFunction": "!Ref ApiFunction", "SchedulerFunction": "!Ref SchedulerFunction", "SenderFunction": "!Ref SenderFunction",
	"ClientsTable": "!Ref ClientsTable", "MailingsTable": "!Ref MailingsTable", "BatchesTable": "!Ref BatchesTable",
	"TasksQueue": "!GetAtt TasksQueue.QueueName", "DeadTasksQueue": "!GetAtt DeadTasksQueue.QueueName",
	"DeliveriesQueue": "!GetAtt DeliveriesQueue.QueueName", "DeadLettersQueue": "!GetAtt DeadLettersQueue.QueueName",
}

func TestAnExportIsWhatItsNameSays(t *testing.T) {
	t.Parallel()
	var service struct {
		Outputs map[string]struct {
			Value  value `yaml:"Value"`
			Export struct {
				Name string `yaml:"Name"`
			} `yaml:"Export"`
		} `yaml:"Outputs"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "template.yaml")), &service); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, output := range service.Outputs {
		if name, ok := strings.CutPrefix(output.Export.Name, "${AWS::StackName}-"); ok {
			got[name] = output.Value.text
		}
	}
	if diff := cmp.Diff(exports, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMetricsGoByTheStageThatAlarmsWatch checks the stage in the names of the functions'
// metrics: it must be the parameter that the stack exports.
func TestMetricsGoByTheStageThatAlarmsWatch(t *testing.T) {
	t.Parallel()
	type function struct {
		Environment struct {
			Variables map[string]value `yaml:"Variables"`
		} `yaml:"Environment"`
	}
	var service struct {
		Globals struct {
			Function function `yaml:"Function"`
		} `yaml:"Globals"`
		Resources map[string]struct {
			Properties function `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "template.yaml")), &service); err != nil {
		t.Fatal(err)
	}
	if got := service.Globals.Function.Environment.Variables["STAGE"].text; got != "!Ref Stage" {
		t.Errorf("STAGE is %q", got)
	}
	for id, r := range service.Resources {
		if own, ok := r.Properties.Environment.Variables["STAGE"]; ok {
			t.Errorf("%s has a STAGE of its own, %q", id, own.text)
		}
	}
}

// shown says how the dashboard shows Postrider's own metrics: by the title of a graph,
// the statistic, name and dimensions of each line.
var shown = map[string][]string{
	"Deliveries by outcome": {
		"Sum Deliveries Stage ${Stage} Outcome sent", "Sum Deliveries Stage ${Stage} Outcome failed", "Sum Deliveries Stage ${Stage} Outcome expired",
		"Sum Deliveries Stage ${Stage} Outcome cancelled", "Sum Deliveries Stage ${Stage} Outcome skipped", "Sum Deliveries Stage ${Stage} Outcome uncertain",
	},
	"Attempts by outcome": {
		"Sum Attempts Stage ${Stage}", "Sum Answered Stage ${Stage}",
		`SEARCH('{Postrider,Stage,Outcome} MetricName="Attempts" Stage="${Stage}"', 'Sum', 60)`,
	},
	"Expanded":                   {"Sum Expanded Stage ${Stage}"},
	"Latency of the sending API": {"p50 ProviderLatency Stage ${Stage}", "p95 ProviderLatency Stage ${Stage}", "p99 ProviderLatency Stage ${Stage}"},
	"Start lag":                  {"p50 StartLag Stage ${Stage}", "p99 StartLag Stage ${Stage}", "Maximum StartLag Stage ${Stage}"},
	"Breaker (1 is open)":        {"Maximum BreakerOpen Stage ${Stage}"},
	"Failed settlements":         {"Sum SettlementsFailed Stage ${Stage}"},
	"DynamoDB's own errors":      {ownErrors("Clients"), ownErrors("Mailings"), ownErrors("Batches")},
}

// graph holds the properties of a widget that say how it shows metrics.
type graph struct {
	Title   string  `json:"title"`
	Stat    string  `json:"stat"`
	Metrics [][]any `json:"metrics"`
}

// body returns the graphs in the dashboard's body, and the values of its variables.
func body(t *testing.T) (graphs []graph, variables map[string]value) {
	t.Helper()
	var properties struct {
		DashboardBody []yaml.Node `yaml:"DashboardBody"`
	}
	board := parse(t, "infra/dashboard.yaml").Resources["Dashboard"].Properties
	if err := board.Decode(&properties); err != nil {
		t.Fatal(err)
	}
	var content struct {
		Widgets []struct {
			Properties graph `json:"properties"`
		} `json:"widgets"`
	}
	if err := json.Unmarshal([]byte(properties.DashboardBody[0].Value), &content); err != nil {
		t.Fatal(err)
	}
	if err := properties.DashboardBody[1].Decode(&variables); err != nil {
		t.Fatal(err)
	}
	for _, w := range content.Widgets {
		graphs = append(graphs, w.Properties)
	}
	return graphs, variables
}

func TestAVariableOfTheDashboardIsWhatItsNameSays(t *testing.T) {
	t.Parallel()
	_, variables := body(t)
	for name, is := range variables {
		if want := "!ImportValue {Fn::Sub: ${ServiceStack}-" + name + "}"; is.text != want {
			t.Errorf("%s is %s", name, is.text)
		}
	}
}

func TestTheDashboardAsksForOurMetricsAsTheyAreEmitted(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	graphs, _ := body(t)
	for _, w := range graphs {
		for _, metric := range w.Metrics {
			var words []string
			stat := w.Stat
			for _, word := range metric {
				switch word := word.(type) {
				case string:
					words = append(words, word)
				case map[string]any:
					if own, ok := word["stat"].(string); ok {
						stat = own
					}
					if expression, ok := word["expression"].(string); ok {
						got[w.Title] = append(got[w.Title], expression)
					}
				}
			}
			if len(words) > 0 && words[0] == metrics.Namespace {
				got[w.Title] = append(got[w.Title], strings.Join(append([]string{stat}, words[1:]...), " "))
			}
		}
	}
	if diff := cmp.Diff(shown, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
