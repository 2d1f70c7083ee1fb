package stack

import (
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
)

// Compose cannot run where there is no Docker: these tests hold what it would
// start to what host mode starts.

type service struct {
	Build struct {
		Context    string `yaml:"context"`
		Dockerfile string `yaml:"dockerfile"`
		Target     string `yaml:"target"`
	} `yaml:"build"`
	Environment map[string]string `yaml:"environment"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Ports       []string `yaml:"ports"`
	Tmpfs       []string `yaml:"tmpfs"`
	Healthcheck struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Timeout  string   `yaml:"timeout"`
		Retries  int      `yaml:"retries"`
	} `yaml:"healthcheck"`
}

const repository = "../.."

func readComposeFile(t *testing.T) map[string]service {
	t.Helper()
	file, err := os.Open(filepath.Join(repository, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true) // no volumes, no host's paths, no Docker socket: what is new here is to be looked at
	var c struct {
		Name     string             `yaml:"name"`
		Services map[string]service `yaml:"services"`
	}
	if err := decoder.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c.Services
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// found is the first group of the pattern's only match.
func found(t *testing.T, pattern, in string) string {
	t.Helper()
	all := regexp.MustCompile(pattern).FindAllStringSubmatch(in, -1)
	if len(all) != 1 {
		t.Fatalf("%d matches of %s, want 1", len(all), pattern)
	}
	return all[0][1]
}

// defaulted is a value when nothing is set: ${NAME:-default} is its default.
func defaulted(value string) string {
	return regexp.MustCompile(`\$\{[A-Z_]+:-([^}]*)\}`).ReplaceAllString(value, "$1")
}

func TestComposeConfiguresLocalStackAsHostModeDoes(t *testing.T) {
	for _, name := range []string{"LS_LOG", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		t.Setenv(name, "")
	}
	own := map[string]string{ // of host mode only, with the reason
		"PATH": "the image's", "LANG": "the image's", "HOME": "the image's", "TMPDIR": "the image's", "PYTHONUNBUFFERED": "the image's",
		"FILESYSTEM_ROOT":    "in the image, packages and caches have their places",
		"OVERRIDE_IN_DOCKER": "it is in Docker",
		"GATEWAY_SERVER":     "in a container every interface is right: only what Compose publishes, on 127.0.0.1, is reached from outside",
	}
	want := map[string]string{}
	for _, variable := range environment("/var/lib/postrider", DefaultPorts().LocalStack, false, "") {
		name, value, _ := strings.Cut(variable, "=")
		if own[name] == "" {
			want[name] = value
		}
	}
	want["GATEWAY_LISTEN"] = "0.0.0.0:4566" // published ports and the deployer come from outside the container
	got := map[string]string{}
	for name, value := range readComposeFile(t)["localstack"].Environment {
		got[name] = defaulted(value)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestComposePublishesTheRunnersPortsOnThisMachineOnly(t *testing.T) {
	t.Parallel()
	ports := DefaultPorts()
	want := map[string][]string{}
	for name, p := range map[string]struct {
		variable string
		port     int
	}{"deployer": {"PORT", ports.Front}, "standin": {"STANDIN_PORT", ports.StandIn}, "localstack": {"LOCALSTACK_PORT", ports.LocalStack}} {
		number := strconv.Itoa(p.port)
		want[name] = []string{"127.0.0.1:${" + p.variable + ":-" + number + "}:" + number}
	}
	got := map[string][]string{}
	for name, s := range readComposeFile(t) {
		got[name] = s.Ports
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestComposePassesEachParameterOfTheTemplateOn(t *testing.T) {
	t.Parallel()
	template, err := readTemplate(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, p := range template.Parameters() {
		want[p.Variable()] = "${" + p.Variable() + ":-}"
	}
	if diff := cmp.Diff(want, readComposeFile(t)["deployer"].Environment); diff != "" {
		t.Error(diff)
	}
}

func TestComposeStartsAServiceWhenThoseThatItNeedsAreHealthy(t *testing.T) {
	t.Parallel()
	services := readComposeFile(t)
	dockerfile := text(t, "localstack/Dockerfile")
	for name, s := range services {
		if len(s.Healthcheck.Test) < 2 || s.Healthcheck.Test[0] != "CMD" || s.Healthcheck.Retries == 0 || s.Healthcheck.Interval == "" || s.Healthcheck.Timeout == "" {
			t.Errorf("%s has no whole health check: %+v", name, s.Healthcheck)
		}
		port := found(t, `\}:(\d+)$`, s.Ports[0])
		if check := s.Healthcheck.Test[len(s.Healthcheck.Test)-1]; !strings.HasPrefix(check, "http://127.0.0.1:"+port+"/") {
			t.Errorf("%s is asked for its health at %s", name, check)
		}
		for other, on := range s.DependsOn {
			if _, ok := services[other]; !ok || on.Condition != "service_healthy" {
				t.Errorf("%s depends on %s, %s", name, other, on.Condition)
			}
		}
		if s.Build.Context != "." || s.Build.Dockerfile != "localstack/Dockerfile" || !strings.Contains(dockerfile, " AS "+s.Build.Target+"\n") {
			t.Errorf("%s is built from %+v", name, s.Build)
		}
	}
	// What the deployer is told of the others is their names and ports.
	for _, m := range regexp.MustCompile(`"http://([a-z]+):(\d+)"`).FindAllStringSubmatch(dockerfile, -1) {
		if s, ok := services[m[1]]; !ok || !strings.HasSuffix(s.Ports[0], ":"+m[2]) {
			t.Errorf("%s:%s is no service", m[1], m[2])
		}
		if _, ok := services["deployer"].DependsOn[m[1]]; !ok {
			t.Errorf("the deployer does not wait for %s", m[1])
		}
	}
	if diff := cmp.Diff([]string{"localstack", "standin"}, slices.Sorted(maps.Keys(services["deployer"].DependsOn))); diff != "" {
		t.Error(diff)
	}
}

func TestTheImagesHaveTheVersionsThatHostModeHas(t *testing.T) {
	t.Parallel()
	dockerfile := text(t, "localstack/Dockerfile")
	if got, want := found(t, `FROM localstack/localstack:(\S+) `, dockerfile), found(t, `(?m)^localstack-core==(.*)$`, text(t, "localstack/tools/localstack.lock")); got != want {
		t.Errorf("LocalStack is %s, and %s in host mode", got, want)
	}
	if got, want := found(t, `FROM golang:(\d+\.\d+)-`, dockerfile), found(t, `(?m)^go (\d+\.\d+)`, text(t, "go.mod")); got != want {
		t.Errorf("Go is %s, and %s in go.mod", got, want)
	}
	for _, image := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(dockerfile, -1) {
		if _, tag, ok := strings.Cut(image[1], ":"); !ok || !regexp.MustCompile(`^\d+\.\d+`).MatchString(tag) {
			t.Errorf("%s has no version", image[1])
		}
	}
}

func TestTheDockerfileCopiesOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	context := map[string]bool{} // by .dockerignore
	for _, line := range strings.Split(text(t, ".dockerignore"), "\n") {
		if path, ok := strings.CutPrefix(line, "!"); ok {
			context[path] = true
		}
	}
	copied := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^COPY (.*)$`).FindAllStringSubmatch(text(t, "localstack/Dockerfile"), -1) {
		words := strings.Fields(line[1])
		if strings.HasPrefix(words[0], "--from=") {
			continue
		}
		words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "--") })
		for _, source := range words[:len(words)-1] {
			if _, err := os.Stat(filepath.Join(repository, source)); err != nil {
				t.Error(err)
			}
			top, _, _ := strings.Cut(source, "/")
			if !context[top] {
				t.Errorf("%s is not in the build's context", source)
			}
			copied[top] = true
		}
	}
	if diff := cmp.Diff(copied, context); diff != "" {
		t.Errorf("the context is not what is copied:\n%s", diff)
	}
}
