// Package infra_test compares the infrastructure around the stack with the stack.
package infra_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"postrider/internal/cfn"
	"postrider/internal/mailing"
	"postrider/internal/metrics"
)

const root = "../.."

// template holds the parts of a template that these tests read.
type template struct {
	Parameters map[string]struct {
		NoEcho         bool   `json:"NoEcho"`
		Default        value  `json:"Default"`
		AllowedPattern string `json:"AllowedPattern"`
	} `json:"Parameters"`
	Resources map[string]resource `json:"Resources"`
	Outputs   map[string]struct {
		Value  value `json:"Value"`
		Export struct {
			Name argument `json:"Name"`
		} `json:"Export"`
	} `json:"Outputs"`
}

type resource struct {
	Type       string          `json:"Type"`
	Properties json.RawMessage `json:"Properties"`
}

// value is a text, or another value as JSON: 1, or {"Ref":"A"}.
type value string

func (v *value) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = []byte(text)
	}
	*v = value(raw)
	return nil
}

// argument is a text, or the text in a reference.
type argument string

func (a *argument) UnmarshalJSON(raw []byte) error {
	var v any
	err := json.Unmarshal(raw, &v)
	*a = argument(cfn.Argument(v))
	return err
}

type alarm struct {
	AlarmDescription argument `json:"AlarmDescription"`
	Namespace        string   `json:"Namespace"`
	MetricName       string   `json:"MetricName"`
	TreatMissingData string   `json:"TreatMissingData"`
	// Metrics are several metrics in place of one.
	Metrics []query `json:"Metrics"`
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func parse(t *testing.T, path string) template {
	t.Helper()
	var parsed template
	if err := cfn.Unmarshal([]byte(read(t, path)), &parsed); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return parsed
}

// resources returns the resources of one type in a template, by their logical id.
func resources[T any](t *testing.T, path, kind string) map[string]T {
	t.Helper()
	all := map[string]T{}
	for id, r := range parse(t, path).Resources {
		if r.Type != kind {
			continue
		}
		var one T
		if err := json.Unmarshal(r.Properties, &one); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		all[id] = one
	}
	return all
}

// alarms returns the alarms of infra/alarms.yaml, by their logical id.
func alarms(t *testing.T) map[string]alarm {
	t.Helper()
	return resources[alarm](t, "infra/alarms.yaml", "AWS::CloudWatch::Alarm")
}

var searched = regexp.MustCompile(`\{Postrider,[^}]*\} MetricName="([^"]+)"`)

// own returns the names of Postrider's own metrics in one line of a widget.
func own(t *testing.T, metric []any) []string {
	t.Helper()
	if namespace, ok := metric[0].(string); ok {
		name, ok := metric[1].(string)
		if !ok {
			t.Errorf("a metric without a name: %v", metric)
		}
		if namespace != "Postrider" {
			return nil
		}
		return []string{name}
	}
	options, _ := metric[0].(map[string]any)
	expression, _ := options["expression"].(string)
	if strings.Contains(expression, "{AWS/") {
		return nil
	}
	var names []string
	for _, found := range searched.FindAllStringSubmatch(expression, -1) {
		names = append(names, found[1])
	}
	if names == nil {
		t.Errorf("which metric is it? %v", metric)
	}
	return names
}

func TestTheDashboardShowsTheMetricsThatAreEmittedAndNoOthers(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	graphs, _ := dashboard(t)
	for _, w := range graphs {
		for _, metric := range w.Metrics {
			for _, name := range own(t, metric) {
				shown[name] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(metrics.Names())), slices.Sorted(maps.Keys(shown))); diff != "" {
		t.Errorf("emitted, and shown (-, +):\n%s", diff)
	}
}

func TestTheDashboardShowsEachStatusThatAMessageEndsIn(t *testing.T) {
	t.Parallel()
	var want, shown []string
	for _, status := range mailing.MessageStatuses {
		if !status.Pending() {
			want = append(want, string(status))
		}
	}
	graphs, _ := dashboard(t)
	for _, w := range graphs {
		for _, metric := range w.Metrics {
			if outcome := slices.Index(metric, any("Outcome")); outcome > 0 && metric[1] == "Deliveries" {
				status, _ := metric[outcome+1].(string)
				shown = append(shown, status)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(shown)
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("statuses, and outcomes that are shown (-, +):\n%s", diff)
	}
}

func TestAnAlarmWatchesAMetricThatIsEmitted(t *testing.T) {
	t.Parallel()
	of := map[string]int{}
	for id, a := range alarms(t) {
		watched := map[string]string{a.MetricName: a.Namespace} // all names are those of one namespace
		if a.Metrics != nil {
			watched = map[string]string{}
		}
		for _, q := range a.Metrics {
			if m := q.MetricStat.Metric; q.Expression == "" {
				watched[m.MetricName] = m.Namespace
			}
		}
		for name, namespace := range watched {
			of[namespace]++
			if namespace == metrics.Namespace && !slices.Contains(metrics.Names(), name) {
				t.Errorf("%s watches %s, which no function emits", id, name)
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"Postrider": 5, "AWS/DynamoDB": 5, "AWS/SQS": 3, "AWS/Lambda": 6, "AWS/Events": 1, "AWS/ApiGateway": 1}, of); diff != "" {
		t.Errorf("alarms by namespace (-want +got):\n%s", diff)
	}
}

func TestAnAlarmSaysWhereToReadWhatToDo(t *testing.T) {
	t.Parallel()
	headings := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(read(t, "docs/operations.md"), -1) {
		headings[strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")] = true
	}
	named := map[string]bool{}
	for id, a := range alarms(t) {
		_, anchor, ok := strings.Cut(string(a.AlarmDescription), "What to do: ${Runbook}#")
		if !ok || !headings[anchor] {
			t.Errorf("%s: its description leads to %q, which is no heading", id, anchor)
		}
		named[anchor] = true
	}
	if diff := cmp.Diff(headings, named); diff != "" {
		t.Errorf("headings of the documentation, and alarms (-, +):\n%s", diff)
	}
}

func TestOnlyASweepThatIsMissingIsAlarmedOfBySilence(t *testing.T) {
	t.Parallel()
	for id, a := range alarms(t) {
		want := "notBreaching"
		if id == "SweepMissing" {
			want = "breaching"
		}
		if a.TreatMissingData != want {
			t.Errorf("%s treats missing data as %q, want %q", id, a.TreatMissingData, want)
		}
	}
}

func TestWhatIsImportedIsExported(t *testing.T) {
	t.Parallel()
	exported := map[string]bool{}
	for _, output := range parse(t, "template.yaml").Outputs {
		if name, ok := strings.CutPrefix(string(output.Export.Name), "${AWS::StackName}-"); ok {
			exported[name] = false
		}
	}
	for _, file := range []string{"infra/alarms.yaml", "infra/dashboard.yaml"} {
		found := regexp.MustCompile(`!ImportValue \{"Fn::Sub": "\$\{ServiceStack\}-([A-Za-z]+)"\}`).FindAllStringSubmatch(read(t, file), -1)
		if len(found) < 8 || len(found) != strings.Count(read(t, file), "ImportValue") {
			t.Errorf("%s: only %d imports can be read", file, len(found))
		}
		for _, name := range found {
			if _, ok := exported[name[1]]; !ok {
				t.Errorf("%s imports %s, which is not exported", file, name[1])
			}
			exported[name[1]] = true
		}
	}
	for name, used := range exported {
		if !used {
			t.Errorf("%s is exported, and no template imports it", name)
		}
	}
}

func TestAnEnvironmentSetsParametersThatThereAreAndNoSecrets(t *testing.T) {
	t.Parallel()
	parameters := parse(t, "template.yaml").Parameters
	for _, file := range []string{"infra/parameters/staging.yaml", "infra/parameters/production.yaml"} {
		var values map[string]string
		if err := yaml.Unmarshal([]byte(read(t, file)), &values); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for name, value := range values {
			if p, ok := parameters[name]; !ok || p.NoEcho && value != "" {
				t.Errorf("%s sets %s: a parameter is it %t, a secret %t", file, name, ok, p.NoEcho)
			}
		}
		if stage := strings.TrimSuffix(filepath.Base(file), ".yaml"); values["Stage"] != stage {
			t.Errorf("%s is for the stage %s", file, values["Stage"])
		}
		if values["Architecture"] == "" { // a stack would keep its own, and make would not know it
			t.Errorf("%s has no Architecture", file)
		}
	}
}

// environments are the environments on AWS in samconfig.toml.
var environments = []string{"staging", "production"}

// valuesOf returns the template's parameters in an environment: the values of its file,
// and the defaults of the others.
func valuesOf(t *testing.T, environment string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for name, p := range parse(t, "template.yaml").Parameters {
		values[name] = string(p.Default)
	}
	if err := yaml.Unmarshal([]byte(read(t, "infra/parameters/"+environment+".yaml")), &values); err != nil {
		t.Fatalf("%s: %v", environment, err)
	}
	return values
}

// TestAnEnvironmentsParametersFitTogether checks the rules of docs/operations.md, "Keep
// together".
func TestAnEnvironmentsParametersFitTogether(t *testing.T) {
	t.Parallel()
	for _, environment := range environments {
		values := valuesOf(t, environment)
		number := func(name string) int {
			n, err := strconv.Atoi(values[name])
			if err != nil {
				t.Fatalf("%s: %s: %v", environment, name, err)
			}
			return n
		}
		sender := number("SenderTimeoutSeconds")
		if visibility := number("VisibilityTimeoutSeconds"); visibility < 6*sender {
			t.Errorf("%s: a delivery is hidden for %d s, and the sender may take %d", environment, visibility, sender)
		}
		if provider := number("ProviderTimeoutSeconds"); provider > sender-8 {
			t.Errorf("%s: the sender does not start with %d s for a request and %d for itself", environment, provider, sender)
		}
		if rate, at := number("MaxSendRate"), number("SenderConcurrency"); rate != 0 && rate < 30*at {
			t.Errorf("%s: each of %d senders may hand over %d messages a second", environment, at, rate/at)
		}
	}
}

func TestEnvironmentsShareNoKeys(t *testing.T) {
	t.Parallel()
	of := map[string]string{}
	for _, environment := range append([]string{"local"}, environments...) {
		keys := valuesOf(t, environment)["KeysParameter"]
		if other, ok := of[keys]; ok {
			t.Errorf("%s and %s have the same keys, %s", other, environment, keys)
		}
		of[keys] = environment
	}
}

// samConfig returns the settings of samconfig.toml by section, as they are written there.
func samConfig(t *testing.T) map[string]map[string]string {
	t.Helper()
	sections, section := map[string]map[string]string{}, ""
	for line := range strings.Lines(read(t, "samconfig.toml")) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, ".parameters]")
			sections[section] = map[string]string{}
		} else if name, value, ok := strings.Cut(line, " = "); ok && section != "" {
			sections[section][name] = value
		}
	}
	return sections
}

func TestSAMTakesAnEnvironmentsOwnNamesAndParameters(t *testing.T) {
	t.Parallel()
	config := samConfig(t)
	for section, settings := range config {
		environment, command, _ := strings.Cut(section, ".")
		if command == "deploy" || settings["parameter_overrides"] != "" {
			if got, want := settings["parameter_overrides"], `["file://infra/parameters/`+environment+`.yaml"]`; got != want {
				t.Errorf("%s takes the parameters %s", section, got)
			}
		}
	}
	for _, environment := range environments {
		if config[environment+".deploy"]["confirm_changeset"] != "true" {
			t.Errorf("%s is deployed without a question", environment)
		}
		for _, name := range []string{"stack_name", "s3_prefix"} {
			if got := config[environment+".deploy"][name]; got != `"postrider-`+environment+`"` {
				t.Errorf("%s: its %s is %s", environment, name, got)
			}
		}
	}
}

func TestTheStackPolicyDeniesTheLossOfEachTableAndQueue(t *testing.T) {
	t.Parallel()
	held := map[string]bool{}
	for _, r := range parse(t, "template.yaml").Resources {
		if strings.HasPrefix(r.Type, "AWS::DynamoDB::") || r.Type == "AWS::SQS::Queue" {
			held[r.Type] = true
		}
	}
	types, err := json.Marshal(slices.Sorted(maps.Keys(held)))
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	for text, value := range map[string]*any{
		read(t, "infra/stackpolicy.json"): &got,
		`{"Statement": [
			{"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"},
			{"Effect": "Deny", "Principal": "*", "Action": ["Update:Replace", "Update:Delete"], "Resource": "*",
				"Condition": {"StringEquals": {"ResourceType": ` + string(types) + `}}}
		]}`: &want,
	} {
		if err := json.Unmarshal([]byte(text), value); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the stack's policy (-want +got):\n%s", diff)
	}
}
