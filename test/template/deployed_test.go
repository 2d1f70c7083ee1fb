//go:build integration

package template_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
)

// translated returns what SAM makes of built templates.
func translated(t *testing.T, templates []tree) []tree {
	t.Helper()
	in, err := json.Marshal(templates)
	if err != nil {
		t.Fatal(err)
	}
	python := exec.CommandContext(t.Context(), filepath.Join("..", "..", ".local", "tools", "gate", "bin", "python"), "testdata/translate.py")
	var out, said bytes.Buffer
	python.Stdin, python.Stdout, python.Stderr = bytes.NewReader(in), &out, &said
	if err := python.Run(); err != nil {
		t.Fatalf("translate (`make gate-tools` installs what it needs): %v\n%s", err, &said)
	}
	var made []tree
	if err := json.Unmarshal(out.Bytes(), &made); err != nil || len(made) != len(templates) {
		t.Fatalf("%d templates became %d: %v", len(templates), len(made), err)
	}
	return made
}

// TestWhatSAMMakesOfTheTemplateKeepsTheSame runs the checks on the deployed form. SAM
// makes permissions and mappings, and roles where there are none; the template does not
// show them. The checks must find the wrong templates in this form, too.
func TestWhatSAMMakesOfTheTemplateKeepsTheSame(t *testing.T) {
	paths, err := filepath.Glob("testdata/wrong/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template tree
	parseFile(t, file, &template)
	built := wrong{Patch: json.RawMessage(`[{"op": "replace", "path": "/Globals/Function/CodeUri", "value": "s3://bucket/key"}]`)}.apply(t, template)
	templates := []tree{built}
	for _, path := range paths {
		var w wrong
		parseFile(t, path, &w)
		templates = append(templates, w.apply(t, built))
	}
	made := translated(t, templates)
	for _, f := range check(made[0]) {
		t.Errorf("%s: %s: %s", f.Check, f.In, f.What)
	}
	for i, path := range paths {
		if len(check(made[i+1])) == 0 {
			t.Errorf("nobody found what is wrong with %s", path)
		}
	}
	if !t.Failed() {
		t.Logf("figure: what SAM makes of template.yaml: %d checks, no finding; %d wrong templates, each found", len(checks), len(paths))
	}
}
