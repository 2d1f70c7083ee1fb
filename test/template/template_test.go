// Package template_test checks template.yaml, and the template that SAM makes from it.
package template_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/cfn"
)

// report records a finding of the check that is running: in names a resource or a
// parameter.
type report func(in, what string, arguments ...any)

// checks are the rules that no linter checks. The key is the name in their findings.
// cfn-lint's own rules for a value do not see what SAM makes, nor a missing resource.
var checks = map[string]func(cfn.Template, report){
	"api-keys":               apiKeys,
	"architectures":          architectures,
	"concurrency":            concurrency,
	"conditional":            conditional,
	"consumers":              consumers,
	"dead-letter-retention":  deadLetterRetention,
	"deletion-policies":      deletionPolicies,
	"encryption":             encryption,
	"log-retention":          logRetention,
	"partial-batches":        partialBatches,
	"point-in-time-recovery": pointInTimeRecovery,
	"provider-token":         providerToken,
	"public-access":          publicAccess,
	"recursive-loop":         recursiveLoop,
	"redrive":                redrive,
	"reference-forms":        referenceForms,
	"references":             references,
	"resource-types":         resourceTypes,
	"roles":                  roles,
	"secrets":                secrets,
	"stale-events":           staleEvents,
	"throttling":             throttling,
	"tls":                    tls,
	"unused-parameters":      unusedParameters,
	"visibility-timeout":     visibilityTimeout,
	"wildcards":              wildcards,
}

// check runs all checks. It returns the texts of the findings, by check and place.
func check(t cfn.Template) map[string]string {
	found := map[string]string{}
	for name, run := range checks {
		run(t, func(in, what string, arguments ...any) {
			found[name+" "+in] += fmt.Sprintf(what, arguments...) + "; "
		})
	}
	return found
}

func readTemplate(t *testing.T) cfn.Template {
	t.Helper()
	template, err := cfn.Read("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// TestTheTemplatePassesTheChecksAndEachWrongTemplateIsFound also runs the checks on
// templates with one mistake each. Otherwise a check could pass that never finds anything.
func TestTheTemplatePassesTheChecksAndEachWrongTemplateIsFound(t *testing.T) {
	template := readTemplate(t)
	for found, what := range check(template) {
		t.Errorf("%s: %s", found, what)
	}
	covered := map[string]bool{}
	all := wrongTemplates(t)
	for _, w := range all {
		t.Run(w.Wrong, func(t *testing.T) {
			found := slices.Sorted(maps.Keys(check(w.apply(t, template))))
			slices.Sort(w.Found)
			if diff := cmp.Diff(w.Found, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
		for _, found := range w.Found {
			name, _, _ := strings.Cut(found, " ")
			covered[name] = true
		}
	}
	for name := range checks {
		if !covered[name] {
			t.Errorf("no wrong template for %s", name)
		}
	}
	if !t.Failed() {
		t.Logf("figure: template.yaml: %d checks, no finding; %d wrong templates, each found", len(checks), len(all))
	}
}

// wrong is a template with a mistake: see testdata/wrong.yaml.
type wrong struct {
	Wrong  string            `json:"wrong"`
	Found  []string          `json:"found"`
	Copy   map[string]string `json:"copy"`
	Remove []string          `json:"remove"`
	Set    map[string]any    `json:"set"`
}

func wrongTemplates(t *testing.T) []wrong {
	t.Helper()
	var all []wrong
	raw, err := os.ReadFile("testdata/wrong.yaml")
	if err == nil {
		err = cfn.Unmarshal(raw, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// apply returns the template with the mistake.
func (w wrong) apply(t *testing.T, template cfn.Template) cfn.Template {
	t.Helper()
	var steps []map[string]any // of a JSON Patch
	for to, from := range w.Copy {
		steps = append(steps, map[string]any{"op": "copy", "from": from, "path": to})
	}
	for _, path := range w.Remove {
		steps = append(steps, map[string]any{"op": "remove", "path": path})
	}
	for path, value := range cfn.Each(w.Set) {
		steps = append(steps, map[string]any{"op": "add", "path": path, "value": value})
	}
	var patch jsonpatch.Patch
	var patched cfn.Template
	raw, err := json.Marshal(template)
	if err == nil {
		err = cfn.Decode(steps, &patch)
	}
	if err == nil {
		raw, err = patch.Apply(raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, &patched)
	}
	if err != nil {
		t.Fatal(err)
	}
	return patched
}

// Types in the template, or that SAM makes of its own types.
const (
	queueType      = "AWS::SQS::Queue"
	tableType      = "AWS::DynamoDB::Table"
	topicType      = "AWS::SNS::Topic"
	groupType      = "AWS::Logs::LogGroup"
	roleType       = "AWS::IAM::Role"
	mappingType    = "AWS::Lambda::EventSourceMapping"
	permissionType = "AWS::Lambda::Permission"
	invokeType     = "AWS::Lambda::EventInvokeConfig"
)

// functionTypes and apiTypes each hold a SAM type, and the type that SAM makes of it.
var (
	functionTypes = []string{"AWS::Serverless::Function", "AWS::Lambda::Function"}
	apiTypes      = []string{"AWS::Serverless::Api", "AWS::ApiGateway::Stage"}
)

// arnOf returns the name in {"Fn::GetAtt": [name, Arn]}, and "" for anything else.
func arnOf(value any) string {
	name, attribute := cfn.Attribute(value)
	if attribute != "Arn" {
		return ""
	}
	return name
}

// property returns a property of a function: its own, or the global one.
func property(t cfn.Template, function any, path ...string) any {
	if own := cfn.At(function, path...); own != nil {
		return own
	}
	return cfn.At(t["Globals"], append([]string{"Function"}, path...)...)
}

// number returns a literal, or a parameter's default. Any other value is NaN, which
// satisfies no comparison.
func number(t cfn.Template, value any) float64 {
	if name := cfn.Ref(value); name != "" {
		value = cfn.At(t["Parameters"], name, "Default")
	}
	if n, err := strconv.ParseFloat(cfn.Text(value), 64); err == nil {
		return n
	}
	return math.NaN()
}

// span returns the smallest and the largest allowed value: a literal, or the bounds of a
// parameter.
func span(t cfn.Template, value any) (low, high float64) {
	if name := cfn.Ref(value); name != "" {
		return number(t, cfn.At(t["Parameters"], name, "MinValue")), number(t, cfn.At(t["Parameters"], name, "MaxValue"))
	}
	return number(t, value), number(t, value)
}
