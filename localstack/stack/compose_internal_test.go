package stack

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"postrider/localstack/deploy"
)

// TestComposeStartsWhatHostModeStarts replaces `docker compose up` on machines without
// Docker. The checks run on Compose's files as they are, and on the same files with one
// mistake each: a check has to find its mistake, or it would never find any.
func TestComposeStartsWhatHostModeStarts(t *testing.T) {
	for _, name := range []string{"LS_LOG", "SSL_CERT_FILE", "SSL_CERT_DIR"} { // host mode passes them on
		t.Setenv(name, "")
	}
	right := map[string]string{}
	for _, name := range []string{"compose.yaml", "localstack/Dockerfile", ".dockerignore"} {
		right[name] = text(t, name)
	}
	for name, found := range check(t, right) {
		t.Errorf("%s: %s", name, strings.Join(found, "\n"))
	}

	var mistakes []mistake
	if err := strict(text(t, "localstack/stack/testdata/compose.yaml"), &mistakes); err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for _, m := range mistakes {
		covered[m.Check] = true
		t.Run(m.Check+" "+m.Wrong, func(t *testing.T) {
			found := check(t, m.apply(t, right))
			if len(found[m.Check]) == 0 {
				t.Errorf("%s does not find it; found is %v", m.Check, found)
			}
		})
	}
	for name := range checks {
		if !covered[name] {
			t.Errorf("no mistake for %s", name)
		}
	}
	t.Logf("%d checks, %d mistakes", len(checks), len(mistakes))
}

// mistake is a change to the files, and the check that has to find it.
type mistake struct {
	Check   string `yaml:"check"`
	Wrong   string `yaml:"wrong"`
	File    string `yaml:"file"`
	Replace string `yaml:"replace"`
	With    string `yaml:"with"`
}

func (m mistake) apply(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	if n := strings.Count(files[m.File], m.Replace); n != 1 {
		t.Fatalf("%q is %d times in %s, want once", m.Replace, n, m.File)
	}
	wrong := maps.Clone(files)
	wrong[m.File] = strings.Replace(files[m.File], m.Replace, m.With, 1)
	return wrong
}

// composition is what Compose would build and start.
type composition struct {
	services map[string]service
	stages   map[string]*stage // of the Dockerfile
	context  []string          // the paths that .dockerignore lets through
	template *deploy.Template
}

type service struct {
	Build       build                `yaml:"build"`
	Environment map[string]string    `yaml:"environment"`
	DependsOn   map[string]condition `yaml:"depends_on"`
	Ports       []string             `yaml:"ports"`
	Tmpfs       []string             `yaml:"tmpfs"`
	ExtraHosts  []string             `yaml:"extra_hosts"`
	Healthcheck healthcheck          `yaml:"healthcheck"`
}

type build struct {
	Context    string `yaml:"context"`
	Dockerfile string `yaml:"dockerfile"`
	Target     string `yaml:"target"`
}

type condition struct {
	Condition string `yaml:"condition"`
}

type healthcheck struct {
	Test     []string `yaml:"test"`
	Interval string   `yaml:"interval"`
	Timeout  string   `yaml:"timeout"`
	Retries  int      `yaml:"retries"`
}

const repository = "../.."

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// strict reads YAML. A field that into does not have is an error: a person has to look
// at new settings.
func strict(text string, into any) error {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	return decoder.Decode(into)
}

func readComposition(files map[string]string) (composition, error) {
	var compose struct {
		Name     string             `yaml:"name"`
		Services map[string]service `yaml:"services"`
	}
	if err := strict(files["compose.yaml"], &compose); err != nil { // no volumes, no paths of the host, no Docker socket
		return composition{}, err
	}
	stages, err := readDockerfile(files["localstack/Dockerfile"])
	if err != nil {
		return composition{}, err
	}
	template, err := readTemplate(filepath.Join(repository, "template.yaml"))
	if err != nil {
		return composition{}, err
	}
	c := composition{services: compose.Services, stages: stages, template: template}
	for line := range strings.Lines(files[".dockerignore"]) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			c.context = append(c.context, path)
		}
	}
	if want, got := []string{"deployer", "localstack", "standin"}, slices.Sorted(maps.Keys(c.services)); !slices.Equal(want, got) {
		return composition{}, fmt.Errorf("the services are %v, want %v", got, want)
	}
	for _, name := range []string{"executor", "localstack", "build", "standin", "deployer"} {
		if c.stages[name] == nil {
			return composition{}, fmt.Errorf("the Dockerfile has no stage %s", name)
		}
	}
	return c, nil
}
