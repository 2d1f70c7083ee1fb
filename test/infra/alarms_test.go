package infra_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/cfn"
	"postrider/internal/mailing"
	"postrider/internal/metrics"
)

// watch holds the properties of an alarm that say what it watches and where it sends its
// notifications.
type watch struct {
	Namespace  string     `json:"Namespace"`
	MetricName string     `json:"MetricName"`
	Dimensions dimensions `json:"Dimensions"`
	// Metrics are several metrics, and an expression over them, in place of one metric.
	Metrics            []query `json:"Metrics"`
	Statistic          string  `json:"Statistic"`
	Period             int     `json:"Period"`
	EvaluationPeriods  int     `json:"EvaluationPeriods"`
	DatapointsToAlarm  int     `json:"DatapointsToAlarm"`
	ComparisonOperator string  `json:"ComparisonOperator"`
	Threshold          value   `json:"Threshold"`
	TreatMissingData   string  `json:"TreatMissingData"`
	AlarmActions       []value `json:"AlarmActions"`
	OKActions          []value `json:"OKActions"`
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
	return fmt.Sprintf("%s %s %s, %d of %d", what, operator, w.Threshold, w.DatapointsToAlarm, w.EvaluationPeriods)
}

// conditions says when each alarm rings. CloudWatch accepts a name that does not exist,
// or a statistic that cannot reach the threshold, and the alarm stays silent.
var conditions = map[string]string{
	"OldestDelivery":     `AWS/SQS ApproximateAgeOfOldestMessage of QueueName DeliveriesQueue: Maximum in 60 s > {"Ref":"OldestDeliverySeconds"}, 5 of 5`,
	"DeadLettersWaiting": `AWS/SQS ApproximateNumberOfMessagesVisible of QueueName DeadLettersQueue: Maximum in 300 s > {"Ref":"DeadLetters"}, 1 of 1`,
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
		" all is " + metrics.Namespace + " " + metrics.Attempts + " of " + metrics.Stage + ` Stage: Sum in 900 s > {"Ref":"UncertainPercent"}, 1 of 1`,
	"StartLag":        "lag / 1000 where lag is " + metrics.Namespace + " " + metrics.StartLag + " of " + metrics.Stage + ` Stage: Maximum in 300 s > {"Ref":"StartLagSeconds"}, 1 of 1`,
	"TableThrottles":  ofTables(throttled...) + " >= 1, 2 of 3",
	"ClientsErrors":   ofTables(failing("ClientsTable", "GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem", "TransactWriteItems")...) + " >= 1, 2 of 3",
	"MailingsErrors":  ofTables(failing("MailingsTable", "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")...) + " >= 1, 2 of 3",
	"BatchesErrors":   ofTables(failing("BatchesTable", "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "TransactWriteItems", "Scan")...) + " >= 1, 2 of 3",
	"ApiServerErrors": `AWS/ApiGateway 5XXError of ApiName {"Ref":"ServiceStack"}, Stage Stage: Sum in 300 s >= {"Ref":"ServerErrors"}, 1 of 1`,
}

func TestAnAlarmRingsWhenItShouldAndTellsTheTopic(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for id, w := range resources[watch](t, "infra/alarms.yaml", "AWS::CloudWatch::Alarm") {
		got[id] = w.line()
		for _, actions := range [][]value{w.AlarmActions, w.OKActions} {
			if !slices.Equal(actions, []value{`{"Fn::If":["MakesTopic",{"Ref":"AlarmTopic"},{"Ref":"Topic"}]}`}) {
				t.Errorf("%s notifies %v", id, actions)
			}
		}
	}
	if diff := cmp.Diff(conditions, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// exports maps the names of exported outputs to their values.
var exports = map[string]value{
	"Stage": `{"Ref":"Stage"}`, "SweepRule": `{"Ref":"SchedulerFunctionSweep"}`,
	"ApiFunction": `{"Ref":"ApiFunction"}`, "SchedulerFunction": `{"Ref":"SchedulerFunction"}`,
	"SenderFunction": `{"Ref":"SenderFunction"}`,
	"ClientsTable":   `{"Ref":"ClientsTable"}`, "MailingsTable": `{"Ref":"MailingsTable"}`, "BatchesTable": `{"Ref":"BatchesTable"}`,
	"TasksQueue":       `{"Fn::GetAtt":["TasksQueue","QueueName"]}`,
	"DeadTasksQueue":   `{"Fn::GetAtt":["DeadTasksQueue","QueueName"]}`,
	"DeliveriesQueue":  `{"Fn::GetAtt":["DeliveriesQueue","QueueName"]}`,
	"DeadLettersQueue": `{"Fn::GetAtt":["DeadLettersQueue","QueueName"]}`,
}

func TestAnExportIsWhatItsNameSays(t *testing.T) {
	t.Parallel()
	got := map[string]value{}
	for _, output := range parse(t, "template.yaml").Outputs {
		if name, ok := strings.CutPrefix(string(output.Export.Name), "${AWS::StackName}-"); ok {
			got[name] = output.Value
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
	service, err := cfn.Parse([]byte(read(t, "template.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	if got := cfn.At(service["Globals"], "Function", "Environment", "Variables", "STAGE"); cfn.Ref(got) != "Stage" {
		t.Errorf("STAGE is %v", got)
	}
	for id, r := range cfn.Each(service["Resources"]) {
		if own := cfn.At(r, "Properties", "Environment", "Variables", "STAGE"); own != nil {
			t.Errorf("%s has a STAGE of its own, %v", id, own)
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

// dashboard returns the graphs in the dashboard's body, and the values of its variables.
func dashboard(t *testing.T) (graphs []graph, variables any) {
	t.Helper()
	var board struct {
		Body struct {
			Sub []any `json:"Fn::Sub"` // a text, and its variables
		} `json:"DashboardBody"`
	}
	var content struct {
		Widgets []struct {
			Properties graph `json:"properties"`
		} `json:"widgets"`
	}
	err := json.Unmarshal(parse(t, "infra/dashboard.yaml").Resources["Dashboard"].Properties, &board)
	if err == nil {
		err = json.Unmarshal([]byte(cfn.Text(board.Body.Sub[0])), &content)
	}
	if err != nil {
		t.Fatalf("the dashboard's body: %v", err)
	}
	for _, w := range content.Widgets {
		graphs = append(graphs, w.Properties)
	}
	return graphs, board.Body.Sub[1]
}

func TestAVariableOfTheDashboardIsWhatItsNameSays(t *testing.T) {
	t.Parallel()
	_, variables := dashboard(t)
	for name, is := range cfn.Each(variables) {
		if got := cfn.Argument(cfn.At(is, "Fn::ImportValue")); got != "${ServiceStack}-"+name {
			t.Errorf("%s is %v", name, is)
		}
	}
}

func TestTheDashboardAsksForOurMetricsAsTheyAreEmitted(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	graphs, _ := dashboard(t)
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
