//go:build integration

package template_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"postrider/internal/cfn"
)

// translated returns what SAM makes of built templates.
func translated(t *testing.T, templates []cfn.Template) []cfn.Template {
	t.Helper()
	in, err := json.Marshal(templates)
	if err != nil {
		t.Fatal(err)
	}
	python := exec.CommandContext(t.Context(), "../../.local/tools/gate/bin/python", "testdata/translate.py")
	var out, said bytes.Buffer
	python.Stdin, python.Stdout, python.Stderr = bytes.NewReader(in), &out, &said
	if err := python.Run(); err != nil {
		t.Fatalf("translate (`make gate-tools` installs what it needs): %v\n%s", err, &said)
	}
	var made []cfn.Template
	if err := json.Unmarshal(out.Bytes(), &made); err != nil || len(made) != len(templates) {
		t.Fatalf("%d templates became %d: %v", len(templates), len(made), err)
	}
	return made
}

// TestWhatSAMMakesPassesTheChecksAndEachWrongTemplateIsFound runs the checks on the
// deployed form. SAM makes permissions and mappings, and roles where there are none; the
// template does not show them.
func TestWhatSAMMakesPassesTheChecksAndEachWrongTemplateIsFound(t *testing.T) {
	t.Parallel()
	built := wrong{Set: map[string]any{"/Globals/Function/CodeUri": "s3://bucket/key"}}.apply(t, readTemplate(t))
	templates, all := []cfn.Template{built}, wrongTemplates(t)
	for _, w := range all {
		templates = append(templates, w.apply(t, built))
	}
	made := translated(t, templates)
	for found, what := range check(made[0]) {
		t.Errorf("%s: %s", found, what)
	}
	for i, w := range all {
		if len(check(made[i+1])) == 0 {
			t.Errorf("no check finds: %s", w.Wrong)
		}
	}
	if !t.Failed() {
		t.Logf("figure: what SAM makes of it: %d checks, no finding; %d wrong templates, each found", len(checks), len(all))
	}
}
