package stack

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/localstack/standin"
)

// report takes a finding of the running check; "" is no finding.
type report func(finding string)

// checks compare what Compose would build and start with what host mode starts. The key
// is the name of a check's findings. "readable" stands for files that the checks cannot
// read.
var checks = map[string]func(*testing.T, composition, report){
	"readable":   func(*testing.T, composition, report) {},
	"settings":   settingsAreHostModes,
	"parameters": parametersArePassedOn,
	"published":  portsArePublishedHereOnly,
	"health":     healthIsAskedFor,
	"order":      theDeployerWaits,
	"targets":    servicesAreTheirTargets,
	"storage":    nothingOutlivesDown,
	"hosts":      functionsReachThisMachine,
	"started":    programsAreToldWhereAllIs,
	"programs":   programsAreWhereTheyAreStarted,
	"readers":    nobodyCanReadIt,
	"plugin":     thePluginIsInstalled,
	"state":      theExecutorFindsItsFolders,
	"versions":   versionsAreHostModes,
	"context":    theContextIsWhatIsCopied,
}

// check runs all checks and returns their findings.
func check(t *testing.T, files map[string]string) map[string][]string {
	t.Helper()
	c, err := readComposition(files)
	if err != nil {
		return map[string][]string{"readable": {err.Error()}}
	}
	found := map[string][]string{}
	for name, run := range checks {
		run(t, c, func(finding string) {
			if finding != "" {
				found[name] = append(found[name], finding)
			}
		})
	}
	return found
}

// same returns the difference between want and got, or "" if there is none. Nil and an
// empty list are equal.
func same(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

// each returns a part of each service by the service's name.
func each[T any](c composition, part func(service) T) map[string]T {
	parts := map[string]T{}
	for name, s := range c.services {
		parts[name] = part(s)
	}
	return parts
}

// ports returns host mode's ports by service. In their containers the services have the
// same ports.
func ports() map[string]string {
	p := DefaultPorts()
	return map[string]string{"deployer": strconv.Itoa(p.Front), "standin": strconv.Itoa(p.StandIn), "localstack": strconv.Itoa(p.LocalStack)}
}

// settingsAreHostModes checks that LocalStack has the settings of host mode.
func settingsAreHostModes(_ *testing.T, c composition, report report) {
	own := map[string]string{ // settings of host mode only, with the reason
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
	want["GATEWAY_LISTEN"] = "0.0.0.0:4566" // published ports and the deployer connect from outside the container
	got := map[string]string{}
	for name, value := range c.services["localstack"].Environment {
		got[name] = regexp.MustCompile(`\$\{[A-Z_]+:-([^}]*)\}`).ReplaceAllString(value, "$1") // the default, which applies if the variable is not set
	}
	report(same(want, got))
}

// parametersArePassedOn checks that each parameter of the template can be set.
func parametersArePassedOn(_ *testing.T, c composition, report report) {
	want := map[string]string{}
	for _, p := range c.template.Parameters() {
		want[p.Variable()] = "${" + p.Variable() + ":-}"
	}
	report(same(want, c.services["deployer"].Environment))
}

// portsArePublishedHereOnly checks that the addresses are those of the runner, and that
// other machines cannot reach them.
func portsArePublishedHereOnly(_ *testing.T, c composition, report report) {
	variables := map[string]string{"deployer": "PORT", "standin": "STANDIN_PORT", "localstack": "LOCALSTACK_PORT"}
	want := map[string][]string{}
	for name, port := range ports() {
		want[name] = []string{"127.0.0.1:${" + variables[name] + ":-" + port + "}:" + port}
	}
	report(same(want, each(c, func(s service) []string { return s.Ports })))
}

// healthIsAskedFor checks that health checks use programs of the images, ask existing
// addresses, and allow the time that a start takes. A health check of the API runs a
// function, which logs it, so it must be rare.
func healthIsAskedFor(t *testing.T, c composition, report report) {
	t.Helper()
	asks := map[string][]string{
		"localstack": {"CMD", "curl", "-fsS", "-o", "/dev/null"}, "standin": {"CMD", "wget", "-q", "-O", "/dev/null"}, "deployer": {"CMD", "wget", "-q", "-O", "/dev/null"},
	}
	answers := map[string]func(path string) bool{
		"localstack": func(path string) bool { return path == "/_localstack/health" },
		"deployer": func(path string) bool {
			return strings.Contains(text(t, "docs/openapi.yaml"), "\n  "+path+":\n    get:\n")
		},
		"standin": func(path string) bool {
			w := httptest.NewRecorder()
			standin.New().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			_, _ = io.Copy(io.Discard, w.Body)
			return w.Code == http.StatusOK
		},
	}
	patience := map[string]time.Duration{"localstack": time.Minute, "standin": 10 * time.Second, "deployer": time.Minute}
	for name, s := range c.services {
		h := s.Healthcheck
		if len(h.Test) == 0 {
			report(name + " has no health check")
			continue
		}
		report(same(asks[name], h.Test[:len(h.Test)-1]))
		address := h.Test[len(h.Test)-1]
		if path, ok := strings.CutPrefix(address, "http://127.0.0.1:"+ports()[name]); !ok || !strings.HasPrefix(path, "/") || !answers[name](path) {
			report(name + " does not answer at " + address)
		}
		interval, err := time.ParseDuration(h.Interval)
		if timeout, err2 := time.ParseDuration(h.Timeout); err != nil || err2 != nil || timeout < time.Second || interval*time.Duration(h.Retries) < patience[name] {
			report(fmt.Sprintf("%s has too little time: %+v", name, h))
		}
		if name == "deployer" && interval < 10*time.Second {
			report("the api function is run too often: " + h.Interval)
		}
	}
}

func theDeployerWaits(_ *testing.T, c composition, report report) {
	healthy := condition{"service_healthy"}
	report(same(map[string]map[string]condition{"deployer": {"localstack": healthy, "standin": healthy}, "localstack": nil, "standin": nil},
		each(c, func(s service) map[string]condition { return s.DependsOn })))
}

func servicesAreTheirTargets(_ *testing.T, c composition, report report) {
	want := map[string]build{}
	for name := range ports() {
		want[name] = build{".", "localstack/Dockerfile", name}
	}
	report(same(want, each(c, func(s service) build { return s.Build })))
}

// nothingOutlivesDown checks the tmpfs mounts. Without one, LocalStack's image creates
// a volume for its data, which outlives the container. LocalStack runs programs that it
// installs there, hence exec.
func nothingOutlivesDown(_ *testing.T, c composition, report report) {
	report(same(map[string][]string{"localstack": {"/var/lib/localstack:exec"}, "standin": nil, "deployer": nil},
		each(c, func(s service) []string { return s.Tmpfs })))
}

// functionsReachThisMachine checks that host.docker.internal leads to this machine,
// also on Linux. A sending API on this machine has that name.
func functionsReachThisMachine(_ *testing.T, c composition, report report) {
	report(same(map[string][]string{"localstack": {"host.docker.internal:host-gateway"}, "standin": nil, "deployer": nil},
		each(c, func(s service) []string { return s.ExtraHosts })))
}

// programsAreToldWhereAllIs checks that our programs listen on the ports that Compose
// publishes, and know each other by the names of the services. LocalStack's image needs
// no entrypoint.
func programsAreToldWhereAllIs(_ *testing.T, c composition, report report) {
	at := ports()
	want := map[string]map[string]string{
		"localstack": {},
		"standin":    {"-listen": "0.0.0.0:" + at["standin"]},
		"deployer":   {"-listen": "0.0.0.0:" + at["deployer"], "-localstack": "http://localstack:" + at["localstack"], "-standin": "http://standin:" + at["standin"]},
	}
	for name := range want {
		got := c.stages[name].flags()
		delete(got, "-built") // programsAreWhereTheyAreStarted checks it
		report(same(want[name], got))
	}
	report(same([]string(nil), c.stages["localstack"].entrypoint))
}

// programsAreWhereTheyAreStarted checks that each started program, and each function
// that the deployer uploads, is built for Linux without a C library and for the
// machine's processor, and is copied to the expected path.
func programsAreWhereTheyAreStarted(t *testing.T, c composition, report report) {
	t.Helper()
	build, deployer := c.stages["build"], c.stages["deployer"]
	made := map[string]string{} // the commands by output path, without that path
	output := regexp.MustCompile(` (?:-o |ARTIFACTS_DIR=)(\S+)`)
	for _, s := range build.steps {
		if m := output.FindStringSubmatch(s.Command); m != nil {
			made[m[1]] = output.ReplaceAllString(s.Command, "")
		}
	}
	is := func(image *stage, path, want string) {
		from := image.origin(path)
		if got := made[from.Source]; from.From != "build" || got != want {
			report(fmt.Sprintf("%s is copied from %s:%s, which is made by %q, want %q", image.absolute(path), from.From, from.Source, got, want))
		}
	}
	is(c.stages["standin"], c.stages["standin"].program(), "go build -trimpath ./localstack/standin/cmd")
	is(deployer, deployer.program(), "go build -trimpath ./localstack/deployer")
	for _, id := range c.template.Functions() {
		is(deployer, path.Join(deployer.flags()["-built"], id), "make build-"+id+" FUNCTION_GOOS=linux FUNCTION_GOARCH=<go env GOARCH>")
	}
	report(same([]string{"CGO_ENABLED=0"}, build.env))
	for _, from := range build.copies {
		if from.To != build.absolute(from.Source) {
			report(from.Source + " is built from " + from.To)
		}
	}
	for _, folder := range folders(t) {
		if from := build.origin(folder); from.Source != folder {
			report("the programs are made of what is not there: " + folder)
		}
	}
}

// list runs go list once for all mistakes: the mistakes are in other files than the
// packages'.
var list = sync.OnceValues(func() ([]byte, error) {
	cmd := exec.Command("go", "list", "-deps", "./functions/...", "./localstack/deployer", "./localstack/standin/cmd")
	cmd.Dir = repository
	return cmd.Output()
})

// folders returns the folders of the packages that our programs consist of.
func folders(t *testing.T) []string {
	t.Helper()
	out, err := list()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		if folder, ok := strings.CutPrefix(strings.TrimSpace(line), "postrider/"); ok {
			all = append(all, folder)
		}
	}
	return all
}

// nobodyCanReadIt checks that our programs run without rights, and can read the
// template with any umask of the checkout.
func nobodyCanReadIt(_ *testing.T, c composition, report report) {
	report(same([]string{"nobody", "nobody", ""}, []string{c.stages["standin"].user, c.stages["deployer"].user, c.stages["localstack"].user}))
	if from := c.stages["deployer"].origin("template.yaml"); from.From != "" || from.Source != "template.yaml" || from.Mode != "0644" {
		report(fmt.Sprintf("the template is copied as %+v", from))
	}
}

// thePluginIsInstalled checks that the executor's plugin is built with the same
// setuptools as in host mode, and installed into LocalStack's own Python.
func thePluginIsInstalled(_ *testing.T, c composition, report report) {
	executor, localstack := c.stages["executor"], c.stages["localstack"]
	report(same([]copied{
		{Source: "localstack/tools/localstack.lock", To: "/source/localstack.lock"},
		{Source: "localstack/executor", To: "/source/executor"},
	}, executor.copies))
	report(same([]step{
		{Command: "grep ^setuptools== localstack.lock"},
		{Command: "pip install --no-cache-dir <grep ^setuptools== localstack.lock>"},
		{Command: "pip wheel --no-cache-dir --no-deps --no-build-isolation --no-index --wheel-dir /wheels ./executor"},
	}, executor.steps))
	install := step{"type=bind,from=executor,source=/wheels,target=/wheels", imagesPython + " -m pip install --no-cache-dir --no-deps --no-index /wheels/*.whl"}
	if !slices.Contains(localstack.steps, install) {
		report(fmt.Sprintf("not among LocalStack's steps: %+v", install))
	}
}

// theExecutorFindsItsFolders checks that the files and folders exist that the executor
// expects below POSTRIDER_STATE: see prepare, and
// executor/postrider_executor/process.py.
func theExecutorFindsItsFolders(_ *testing.T, c composition, report report) {
	state := c.services["localstack"].Environment["POSTRIDER_STATE"]
	made := map[string]bool{}
	for _, s := range c.stages["localstack"].steps {
		if folders, ok := strings.CutPrefix(s.Command, "mkdir -p "); ok {
			for folder := range strings.FieldsSeq(folders) {
				made[folder] = true
			}
		}
	}
	report(same(map[string]bool{logs(state): true, filepath.Join(state, "tmp"): true}, made))
}

func versionsAreHostModes(t *testing.T, c composition, report report) {
	t.Helper()
	found := func(pattern, in string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(in)
		if m == nil {
			return "no " + pattern
		}
		return m[1]
	}
	report(same("localstack/localstack:"+found(`(?m)^localstack-core==(.*)$`, text(t, "localstack/tools/localstack.lock")), c.stages["localstack"].image))
	report(same(found(`(?m)^go (\d+\.\d+)`, text(t, "go.mod")), found(`^golang:(\d+\.\d+)-`, c.stages["build"].image)))
	for name, s := range c.stages {
		if _, tag, ok := strings.Cut(s.image, ":"); !ok || !regexp.MustCompile(`^\d+\.\d+`).MatchString(tag) {
			report(fmt.Sprintf("the image of %s has no version: %s", name, s.image))
		}
	}
}

// theContextIsWhatIsCopied checks that the builder gets only the files that are copied,
// and that all of them exist.
func theContextIsWhatIsCopied(_ *testing.T, c composition, report report) {
	top := map[string]bool{}
	for _, s := range c.stages {
		for _, from := range s.copies {
			if from.From != "" {
				continue
			}
			if _, err := os.Stat(filepath.Join(repository, from.Source)); err != nil {
				report(err.Error())
			}
			first, _, _ := strings.Cut(from.Source, "/")
			top[first] = true
		}
	}
	context := map[string]bool{}
	for _, path := range c.context {
		context[path] = true
	}
	report(same(top, context))
}
