package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

const gate = ".ci/run"

func TestGitHubRunsTheGateWithPinnedActions(t *testing.T) {
	t.Parallel()
	var workflow struct {
		Permissions map[string]string `yaml:"permissions"`
		Jobs        map[string]struct {
			Steps []struct {
				Uses string `yaml:"uses"`
				Run  string `yaml:"run"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	readYAML(t, ".github/workflows/ci.yml", &workflow)
	var runs, uses []string
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@(v\d+(\.\d+)*|[0-9a-f]{40})$`)
	for _, step := range workflow.Jobs["gate"].Steps {
		if step.Run != "" {
			runs = append(runs, step.Run)
		}
		if step.Uses != "" {
			action, _, _ := strings.Cut(step.Uses, "@")
			uses = append(uses, action)
			if !pinned.MatchString(step.Uses) {
				t.Errorf("%s is not pinned", step.Uses)
			}
		}
	}
	if !slices.Equal(runs, []string{gate}) {
		t.Errorf("it runs %q, want the gate alone", runs)
	}
	for _, needed := range []string{"actions/checkout", "actions/setup-go", "actions/setup-python", "actions/setup-java"} {
		if !slices.Contains(uses, needed) {
			t.Errorf("there is no %s", needed)
		}
	}
	if len(workflow.Permissions) != 1 || workflow.Permissions["contents"] != "read" {
		t.Errorf("it may do more than read: %v", workflow.Permissions)
	}
}

// TestGitHubTakesTheNewestGoAndTheRunnersChrome demands a version without a patch, and
// check-latest. From go.mod setup-go would install exactly the version named there, whose
// faults are known by now. Without check-latest it would accept an older version that the
// runner has. The runner's Chrome is the browser that may make a sandbox.
func TestGitHubTakesTheNewestGoAndTheRunnersChrome(t *testing.T) {
	t.Parallel()
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses string            `yaml:"uses"`
				Run  string            `yaml:"run"`
				With map[string]string `yaml:"with"`
				Env  map[string]string `yaml:"env"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	readYAML(t, ".github/workflows/ci.yml", &workflow)
	for _, step := range workflow.Jobs["gate"].Steps {
		if strings.HasPrefix(step.Uses, "actions/setup-go@") && (len(step.With) != 2 || step.With["go-version"] != goVersion(t) || step.With["check-latest"] != "true") {
			t.Errorf("Go is installed with %v", step.With)
		}
		if step.Run == gate && step.Env["CHROMIUM"] != "/usr/bin/google-chrome" {
			t.Errorf("the gate runs with %v", step.Env)
		}
	}
}

// goVersion returns the version of go.mod without its patch, such as 1.26.
func goVersion(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(raw)
	if found == nil {
		t.Fatal("go.mod names no version")
	}
	return string(found[1])
}

func TestGitLabRunsTheGate(t *testing.T) {
	t.Parallel()
	var pipeline struct {
		Default struct {
			Image string `yaml:"image"`
		} `yaml:"default"`
		Gate struct {
			Before []string `yaml:"before_script"`
			Script []string `yaml:"script"`
		} `yaml:"gate"`
	}
	readYAML(t, ".gitlab-ci.yml", &pipeline)
	if !slices.Equal(pipeline.Gate.Script, []string{gate}) {
		t.Errorf("it runs %q, want the gate alone", pipeline.Gate.Script)
	}
	// A tag without a patch version is the newest image.
	if !strings.HasPrefix(pipeline.Default.Image, "golang:"+goVersion(t)+"-") {
		t.Errorf("its image is %s", pipeline.Default.Image)
	}
	for _, needed := range []string{"make", "gcc", "python3-venv", "jdk", "maven", "chromium", "procps"} {
		if !strings.Contains(strings.Join(pipeline.Gate.Before, "\n"), needed) {
			t.Errorf("it does not install %s", needed)
		}
	}
}

func TestTheGateCanBeRun(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(filepath.Join(root, gate))
	if err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("%s: %v, %v", gate, info, err)
	}
}
