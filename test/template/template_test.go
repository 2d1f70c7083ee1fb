package template_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
)

const file = "../../template.yaml"

// TestTheTemplateKeepsWhatNoLinterAsks runs the checks on the template, and on templates
// with one mistake each. A check that finds nothing in its wrong template would find
// nothing in the real one, whatever that holds.
func TestTheTemplateKeepsWhatNoLinterAsks(t *testing.T) {
	var template tree
	parseFile(t, file, &template)
	for _, f := range check(template) {
		t.Errorf("%s: %s: %s", f.Check, f.In, f.What)
	}
	paths, err := filepath.Glob("testdata/wrong/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			// The file's name is the check that finds the mistake, and after a dot the
			// mistake.
			want, _, _ := strings.Cut(name, ".")
			covered[want] = true
			var w wrong
			parseFile(t, path, &w)
			by := map[string]bool{}
			for _, f := range check(w.apply(t, template)) {
				by[f.Check] = true
				if f.Check == want && f.In != w.In {
					t.Errorf("found in %s: %s; want it found in %s alone", f.In, f.What, w.In)
				}
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(append(w.Also, want))), slices.Sorted(maps.Keys(by))); diff != "" {
				t.Errorf("the checks that find it (-want +got):\n%s", diff)
			}
		})
	}
	for name := range checks {
		if !covered[name] {
			t.Errorf("no wrong template for %s", name)
		}
	}
	if !t.Failed() {
		t.Logf("figure: template.yaml: %d checks, no finding; %d wrong templates, each found", len(checks), len(paths))
	}
}

func TestAKeyThatIsThereTwiceIsRefused(t *testing.T) {
	t.Parallel()
	var template tree
	if err := parse([]byte("Resources:\n  Queue: {}\n  Queue: {}\n"), &template); err == nil {
		t.Errorf("it was read as %v", template)
	}
}

func TestShortFormsAreWrittenOut(t *testing.T) {
	t.Parallel()
	var got tree
	err := parse([]byte(`
A: &a [!Ref X, !GetAtt Y.Arn, !Sub "${Z}"]
B: !If [C, *a, !Sub ["${W}", {W: !Ref X}]]
D: {Condition: !Condition E, "n": 1, yes: "true"}
`), &got)
	if err != nil {
		t.Fatal(err)
	}
	a := []any{map[string]any{"Ref": "X"}, map[string]any{"Fn::GetAtt": "Y.Arn"}, map[string]any{"Fn::Sub": "${Z}"}}
	want := tree{
		"A": a,
		"B": map[string]any{"Fn::If": []any{"C", a, map[string]any{"Fn::Sub": []any{"${W}", map[string]any{"W": map[string]any{"Ref": "X"}}}}}},
		"D": map[string]any{"Condition": map[string]any{"Condition": "E"}, "n": 1.0, "yes": "true"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// wrong is a template with a mistake. Patch is the difference from the real template, as
// a JSON Patch (RFC 6902). In is where the mistake must be found, and Also are the other
// checks that find something wrong.
type wrong struct {
	In    string          `json:"in"`
	Also  []string        `json:"also"`
	Patch json.RawMessage `json:"patch"`
}

func (w wrong) apply(t *testing.T, template tree) tree {
	t.Helper()
	patch, err := jsonpatch.DecodePatch(w.Patch)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(template)
	if err == nil {
		plain, err = patch.Apply(plain)
	}
	var patched tree
	if err == nil {
		err = json.Unmarshal(plain, &patched)
	}
	if err != nil {
		t.Fatal(err)
	}
	return patched
}
