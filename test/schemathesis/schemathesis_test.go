//go:build integration

// Package schemathesis_test compares the deployed API with its own description.
package schemathesis_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/localstack/stack"
	"postrider/localstack/stack/stacktest"
)

const (
	// fewestCases is the smallest number of cases that is meaningful. One run makes more.
	fewestCases = 2000
	// longestRun is how long schemathesis may take on a machine that is busy with other
	// work. Alone it takes about two minutes.
	longestRun = 30 * time.Minute
)

// allChecks returns the checks of the pinned version of schemathesis.
func allChecks() []string {
	return []string{
		"allow_header_conformance", "content_type_conformance", "ensure_resource_availability", "ignored_auth", "max_response_time",
		"missing_required_header", "negative_data_rejection", "not_a_server_error", "object_level_authorization", "positive_data_acceptance",
		"response_headers_conformance", "response_schema_conformance", "status_code_conformance", "unsupported_method", "use_after_free",
	}
}

// TestSchemathesisFindsNothing runs schemathesis, which makes requests from the
// description: valid ones, invalid ones, and chains of them. The stack is its own,
// because schemathesis changes and deletes the data that it finds.
func TestSchemathesisFindsNothing(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := stacktest.Empty(t, root, "schemathesis")
	if err := s.Deploy(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	printed := schemathesis(t, root, s.BaseURL, dir)
	var r schemathesisReport
	if err := json.Unmarshal(readFile(t, filepath.Join(dir, "report.json")), &r); err != nil {
		t.Fatal(err)
	}
	if r.ExitCode != 0 || !r.Complete || r.Cases.Failed != 0 || r.Cases.Errored != 0 || r.Filtered != 0 || t.Failed() {
		t.Errorf("schemathesis found something: %+v\n%s", r, printed)
	}
	described := operations(t, s.BaseURL)
	if o := r.Operations; o.Tested != described || o.Total != described || o.Errored != 0 || o.Skipped != 0 {
		t.Errorf("of %d operations that are described, these were tested: %+v", described, o)
	}
	for _, phase := range []string{"examples", "coverage", "fuzzing", "stateful"} {
		if got := r.Phases[phase].Status; got != "success" {
			t.Errorf("phase %s: %q", phase, got)
		}
	}
	if r.Cases.Generated < fewestCases {
		t.Errorf("%d cases, want %d or more", r.Cases.Generated, fewestCases)
	}
	made := readEvents(t, filepath.Join(dir, "events.ndjson"))
	if diff := cmp.Diff(allChecks(), slices.Sorted(maps.Keys(made.checks))); diff != "" {
		t.Errorf("the checks that were made (-want +got):\n%s", diff)
	}
	for status, n := range made.statuses {
		if status >= http.StatusInternalServerError {
			t.Errorf("status %d: %d times", status, n)
		}
	}
	if !t.Failed() {
		t.Logf("figure: schemathesis: %d operations, %d cases, all checks on, %d failures, no 5xx (%.0f s; answers by status: %v)",
			r.Operations.Tested, r.Cases.Generated, r.Cases.Failed, r.RunningTime, made.statuses)
	}
}

// schemathesis runs the program, and returns its output.
func schemathesis(t *testing.T, root, base, dir string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longestRun)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root, ".local", "tools", "schemathesis", "bin", "schemathesis"), "run", base+"/openapi.json",
		"--url", base, "--no-color", "--report", "json,ndjson",
		"--report-json-path", filepath.Join(dir, "report.json"), "--report-ndjson-path", filepath.Join(dir, "events.ndjson"))
	// The program looks for its settings in the working directory.
	cmd.Dir = filepath.Join(root, "test", "schemathesis")
	cmd.Env = append(os.Environ(), "POSTRIDER_KEY="+stack.AdminKey, "HYPOTHESIS_STORAGE_DIRECTORY="+dir, "PYTHONDONTWRITEBYTECODE=1")
	cmd.WaitDelay = 10 * time.Second
	printed, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("schemathesis has not finished within %s:\n%s", longestRun, printed)
	case errors.As(err, &exit):
		t.Errorf("schemathesis: %v", err)
	case err != nil:
		t.Fatalf("schemathesis: %v (make gate-tools installs it)", err)
	}
	return printed
}

// schemathesisReport holds the fields of schemathesis's report that the test reads.
type schemathesisReport struct {
	ExitCode    int     `json:"exit_code"`
	Complete    bool    `json:"complete"`
	RunningTime float64 `json:"running_time"`
	Operations  struct {
		Total   int `json:"total"`
		Tested  int `json:"tested"`
		Errored int `json:"errored"`
		Skipped int `json:"skipped"`
	} `json:"operations"`
	Phases map[string]struct {
		Status string `json:"status"`
	} `json:"phases"`
	Cases struct {
		Generated int `json:"generated"`
		Failed    int `json:"with_failures"`
		Errored   int `json:"errored"`
	} `json:"test_cases"`
	// Filtered is how many failures a hook has ignored.
	Filtered int `json:"filtered"`
}

// events counts the checks and the statuses of a run.
type events struct {
	checks   map[string]int
	statuses map[int]int
}

// readEvents reads the file of events, one line of JSON for each.
func readEvents(t *testing.T, path string) events {
	t.Helper()
	counted := events{map[string]int{}, map[int]int{}}
	lines := bufio.NewReader(bytes.NewReader(readFile(t, path)))
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return counted
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		var event struct {
			ScenarioFinished struct {
				Recorder struct {
					Checks map[string][]struct {
						Name string `json:"name"`
					} `json:"checks"`
					Interactions map[string]struct {
						Response *struct {
							Status int `json:"status_code"`
						} `json:"response"`
					} `json:"interactions"`
				} `json:"recorder"`
			} `json:"ScenarioFinished"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		for _, checks := range event.ScenarioFinished.Recorder.Checks {
			for _, c := range checks {
				counted.checks[c.Name]++
			}
		}
		for _, i := range event.ScenarioFinished.Recorder.Interactions {
			if i.Response != nil {
				counted.statuses[i.Response.Status]++
			}
		}
	}
}

// operations returns how many operations the API describes.
func operations(t *testing.T, base string) int {
	t.Helper()
	response, err := http.Get(base + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var described struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.NewDecoder(response.Body).Decode(&described); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the description: status %d, %v", response.StatusCode, err)
	}
	n := 0
	for _, item := range described.Paths {
		for key := range item {
			if slices.Contains([]string{"GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"}, strings.ToUpper(key)) {
				n++
			}
		}
	}
	return n
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
