package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

const repository = "../.."

// service is a service of compose.yaml. It has no other fields: a service mounts no folder
// of the host and no Docker socket, and has no further rights.
type service struct {
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Healthcheck map[string]any    `yaml:"healthcheck"`
	Build       any               `yaml:"build"`
	DependsOn   any               `yaml:"depends_on"`
	Tmpfs       any               `yaml:"tmpfs"`
	ExtraHosts  any               `yaml:"extra_hosts"`
}

// stage is a stage of the Dockerfile: its image, and the instructions after FROM.
type stage struct{ image, instructions string }

func readComposition(t *testing.T) (map[string]service, map[string]stage) {
	t.Helper()
	var compose struct {
		Name     string             `yaml:"name"`
		Services map[string]service `yaml:"services"`
	}
	decoder := yaml.NewDecoder(strings.NewReader(text(t, "compose.yaml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&compose); err != nil {
		t.Fatal(err)
	}
	stages := map[string]stage{}
	for part := range strings.SplitSeq(text(t, "localstack/Dockerfile"), "\nFROM ") {
		first, instructions, _ := strings.Cut(part, "\n")
		if image, name, ok := strings.Cut(first, " AS "); ok {
			stages[name] = stage{image, instructions}
		}
	}
	return compose.Services, stages
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestComposeHasTheSettingsOfHostModeAndNoSecret compares the complete environment of each
// service.
func TestComposeHasTheSettingsOfHostModeAndNoSecret(t *testing.T) {
	for _, name := range []string{"LS_LOG", "FUNCTION_PROCESSES", "SSL_CERT_FILE", "SSL_CERT_DIR"} { // host mode passes them on
		t.Setenv(name, "")
	}
	ownOfHostMode := []string{
		"PATH", "LANG", "HOME", "TMPDIR", "PYTHONUNBUFFERED", // the image has its own
		"FILESYSTEM_ROOT",    // in the image, packages and caches have their places
		"OVERRIDE_IN_DOCKER", // LocalStack is in Docker
		"GATEWAY_SERVER",     // only the published ports are reached from outside the container
	}
	localstack, parameters := map[string]string{}, map[string]string{}
	for _, variable := range environment("/var/lib/postrider", DefaultPorts().LocalStack, false, "") {
		if name, value, _ := strings.Cut(variable, "="); !slices.Contains(ownOfHostMode, name) {
			localstack[name] = value
		}
	}
	localstack["GATEWAY_LISTEN"] = "0.0.0.0:4566" // published ports and the deployer connect from outside the container
	for _, name := range []string{"LS_LOG", "FUNCTION_PROCESSES"} {
		localstack[name] = "${" + name + ":-" + localstack[name] + "}"
	}
	template, err := readTemplate(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range template.Parameters() {
		parameters[p.Variable()] = "${" + p.Variable() + ":-}"
	}
	got := map[string]map[string]string{}
	services, _ := readComposition(t)
	for name, s := range services {
		got[name] = s.Environment
	}
	want := map[string]map[string]string{"localstack": localstack, "deployer": parameters, "fakeprovider": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environments (-want +got):\n%s", diff)
	}
	variables := regexp.MustCompile(`(?m)^(?:ENV|ARG) .*`).FindAllString(text(t, "localstack/Dockerfile"), -1)
	if diff := cmp.Diff([]string{"ENV CGO_ENABLED=0"}, variables); diff != "" {
		t.Errorf("the images' variables (-want +got):\n%s", diff)
	}
}

// TestComposeHasThePortsOfHostModeOnThisMachineOnly also checks that each program listens
// on the port that is published, asks the others at theirs, and runs without rights.
func TestComposeHasThePortsOfHostModeOnThisMachineOnly(t *testing.T) {
	p := DefaultPorts()
	services, stages := readComposition(t)
	for name, c := range map[string]struct {
		variable   string
		port       int
		entrypoint string
	}{
		"localstack":   {"LOCALSTACK_PORT", p.LocalStack, ""},
		"fakeprovider": {"FAKE_PROVIDER_PORT", p.FakeProvider, fmt.Sprintf(`["fakeprovider", "-listen", "0.0.0.0:%d"]`, p.FakeProvider)},
		"deployer": {"PORT", p.Proxy, fmt.Sprintf(`["built/deployer", "-built", "built", "-listen", "0.0.0.0:%d", `+
			`"-localstack", "http://localstack:%d", "-fakeprovider", "http://fakeprovider:%d"]`, p.Proxy, p.LocalStack, p.FakeProvider)},
	} {
		s := services[name]
		if diff := cmp.Diff([]string{fmt.Sprintf("127.0.0.1:${%s:-%d}:%[2]d", c.variable, c.port)}, s.Ports); diff != "" {
			t.Errorf("%s: published ports (-want +got):\n%s", name, diff)
		}
		check := fmt.Sprint(s.Healthcheck["test"])
		if !strings.Contains(check, fmt.Sprintf(" http://127.0.0.1:%d/", c.port)) {
			t.Errorf("%s: the health check is %s, and its port is %d", name, check, c.port)
		}
		end := "\nUSER nobody\nENTRYPOINT " + c.entrypoint + "\n"
		if c.entrypoint != "" && !strings.HasSuffix(stages[name].instructions, end) {
			t.Errorf("%s does not end with%sbut is\n%s", name, end, stages[name].instructions)
		}
	}
}

func TestTheImagesHaveTheVersionsOfHostMode(t *testing.T) {
	_, stages := readComposition(t)
	for name, c := range map[string]struct{ file, version, image string }{
		"localstack": {"localstack/tools/localstack.lock", `(?m)^localstack-core==(\S+)`, "localstack/localstack:%s$"},
		"build":      {"go.mod", `(?m)^go (\d+\.\d+)`, "golang:%s-"},
	} {
		version := regexp.MustCompile(c.version).FindStringSubmatch(text(t, c.file))
		want := "^" + fmt.Sprintf(c.image, regexp.QuoteMeta(strings.Join(version[1:], "")))
		if !regexp.MustCompile(want).MatchString(stages[name].image) {
			t.Errorf("the image of %s is %s, and %s has %s", name, stages[name].image, c.file, version)
		}
	}
	for name, s := range stages {
		if !regexp.MustCompile(`:\d+\.\d+`).MatchString(s.image) {
			t.Errorf("%s: the image %s has no version", name, s.image)
		}
	}
}

// TestTheImagesAreBuiltFromFilesThatExist finds a folder that was renamed or that
// .dockerignore leaves out. It leaves out everything, such as .env, that it does not name.
func TestTheImagesAreBuiltFromFilesThatExist(t *testing.T) {
	ignore := text(t, ".dockerignore")
	if !strings.Contains(ignore, "\n*\n!") {
		t.Error(".dockerignore does not begin with *")
	}
	copies := regexp.MustCompile(`(?m)^COPY (?:--chmod=\S+ )?([^-].*) \S+$`)
	for _, copied := range copies.FindAllStringSubmatch(text(t, "localstack/Dockerfile"), -1) {
		for source := range strings.FieldsSeq(copied[1]) {
			first, _, _ := strings.Cut(source, "/")
			_, err := os.Stat(filepath.Join(repository, source))
			if err != nil || !strings.Contains(ignore, "\n!"+first+"\n") {
				t.Errorf("COPY %s: %v, or .dockerignore leaves it out", source, err)
			}
		}
	}
}
