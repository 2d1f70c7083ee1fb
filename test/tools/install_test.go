// Package tools_test checks how `make tools` installs, with scripts in place of Python,
// Java and Maven.
package tools_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// python makes a virtual environment with itself. Its pip installs uv, which is uvScript.
	python = `case "$*" in
  *zipfile*) ;;
  "-c import sys"*) echo %s ;;
  "-m venv "*) mkdir -p "$3/bin" && ln -s "$(command -v "$0")" "$3/bin/python" ;;
  "-m pip "*" config get :env:.index-url") exit 1 ;;
  "-m pip "*" config get "*) echo https://registry.example/simple ;;
  "-m pip "*" install "*) cp uv .local/tools/uv/bin/uv ;;
esac`
	// uv writes its commands, after the address of the registry, to the file calls.
	uv   = `echo "$UV_DEFAULT_INDEX $*" >>calls; test ! -e broken`
	java = "echo '    java.home = %s' >&2; echo '    java.specification.version = %s' >&2"
	// mvn copies one jar, which is also the agent.
	mvn = `for option; do case $option in
  -DoutputDirectory=*) mkdir -p "${option#*=}" && cp jar "${option#*=}/byte-buddy-agent-1.jar" ;;
esac; done`
)

// machine is a folder with the files that `make tools` needs, and a PATH with scripts.
type machine struct {
	t         *testing.T
	root, bin string
	env       []string
}

func newMachine(t *testing.T, scripts map[string]string, env ...string) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir(), bin: t.TempDir()}
	m.env = append([]string{"PATH=" + m.bin, "HOME=" + m.root}, env...)
	for _, folder := range []string{"localstack/tools", "localstack/executor"} {
		source := os.DirFS(filepath.Join("../..", folder))
		if err := os.CopyFS(filepath.Join(m.root, folder), source); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"sh", "make", "cat", "cksum", "cp", "grep", "ln", "mkdir", "rm", "sed", "shasum", "sha256sum"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			if err := os.Symlink(path, filepath.Join(m.bin, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, script := range scripts {
		m.write(filepath.Join(m.bin, name), "#!"+filepath.Join(m.bin, "sh")+"\n"+script+"\n")
	}
	m.write("uv", "#!"+filepath.Join(m.bin, "sh")+"\n"+uv+"\n")
	m.write("jar", "content")
	sum := sha256.Sum256([]byte("content"))
	m.write("localstack/tools/dynamodb.lock", fmt.Sprintf("%x  DynamoDBLocal_lib/byte-buddy-agent-1.jar\n", sum))
	return m
}

// complete returns the scripts of a machine on which nothing is missing.
func complete(t *testing.T) map[string]string {
	t.Helper()
	jdk := t.TempDir()
	if err := os.Mkdir(filepath.Join(jdk, "bin"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(jdk, "bin", "java"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"python3": fmt.Sprintf(python, "3.13.1"), "java": fmt.Sprintf(java, jdk, "17"), "mvn": mvn,
	}
}

func (m *machine) write(path, content string) {
	m.t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(m.root, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil { //nolint:gosec // G306: scripts are executable
		m.t.Fatal(err)
	}
}

// install runs what `make tools` runs, and returns its output and the number of calls of
// uv.
func (m *machine) install() (output string, calls int, err error) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), filepath.Join(m.bin, "sh"), "localstack/tools/install.sh", "tools")
	cmd.Dir, cmd.Env = m.root, m.env
	out, err := cmd.CombinedOutput()
	lines, _ := os.ReadFile(filepath.Join(m.root, "calls")) // there is none before the first call
	return string(out), strings.Count(string(lines), "https://registry.example/simple pip install "), err
}

func TestAllMissingProgramsAreReportedTogether(t *testing.T) {
	t.Parallel()
	out, _, err := newMachine(t, nil).install()
	lines := strings.Split(out, "\n")
	for i, want := range []string{"Python 3.13 with", "Java 17", "Maven is"} {
		if err == nil || !strings.HasPrefix(lines[i], want) || !strings.Contains(lines[i], "nstall") {
			t.Errorf("%v: line %d should start with %q and say what to do:\n%s", err, i, want, out)
		}
	}
}

func TestProgramsAreChosenByTheirVersion(t *testing.T) {
	t.Parallel()
	const broken = "echo 'pyenv: command not found' >&2; exit 127"
	python3 := func(version string) map[string]string {
		return map[string]string{"python3": fmt.Sprintf(python, version)}
	}
	for name, c := range map[string]struct {
		scripts map[string]string
		env     string
		want    string // part of the error; empty if the installation succeeds
	}{
		"Python is too old":               {python3("3.12.7"), "", "python3 (is 3.12.7)"},
		"Python is too new":               {python3("3.14.0"), "", "python3 (is 3.14.0)"},
		"Java is too old":                 {map[string]string{"java": fmt.Sprintf(java, "/j", "11")}, "", "java (is 11)"},
		"a name that does not run":        {map[string]string{"python3.13": broken}, "", ""},
		"the PYTHON that a person chose":  {nil, "PYTHON=/no/such/python", "/no/such/python (does not run"},
		"a JAVA_HOME that does not exist": {nil, "JAVA_HOME=/no/such/jdk", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scripts := complete(t)
			maps.Copy(scripts, c.scripts)
			out, _, err := newMachine(t, scripts, c.env).install()
			if (err == nil) != (c.want == "") || !strings.Contains(out, c.want) {
				t.Errorf("%v, want %q in:\n%s", err, c.want, out)
			}
		})
	}
}

func TestAPythonOfPyenvIsFound(t *testing.T) {
	t.Parallel()
	scripts := complete(t)
	scripts["python3"] = fmt.Sprintf(python, "3.11.7")
	m := newMachine(t, scripts)
	m.write(".pyenv/versions/3.13.9/bin/python", "#!"+m.bin+"/sh\n"+fmt.Sprintf(python, "3.13.9")+"\n")
	if out, _, err := m.install(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestAnInstallationIsRepeatedOnlyWhenItIsNeeded follows one machine. A complete
// installation calls uv twice: for LocalStack, and for its plugin.
func TestAnInstallationIsRepeatedOnlyWhenItIsNeeded(t *testing.T) {
	t.Parallel()
	m := newMachine(t, complete(t))
	before := 0
	step := func(what string, calls int, fails string) {
		t.Helper()
		out, n, err := m.install()
		if (err != nil) != (fails != "") || !strings.Contains(out, fails) || n != before+calls {
			t.Errorf("%s: %v after %d calls of uv, want %d and %q in:\n%s", what, err, n-before, calls, fails, out)
		}
		before = n
	}
	step("the first time", 2, "")
	step("again", 0, "")
	m.write("localstack/executor/postrider_executor/plugins.py", "# another")
	step("another plugin", 1, "")
	m.write("localstack/tools/localstack.lock", "another==1 --hash=sha256:0")
	m.write("broken", "")
	step("another lock, and uv is interrupted", 1, "rror 1")
	if err := os.Remove(filepath.Join(m.root, "broken")); err != nil {
		t.Fatal(err)
	}
	step("after the interruption", 2, "")
	m.write(filepath.Join(m.bin, "python3.13"), "#!"+m.bin+"/sh\n"+fmt.Sprintf(python, "3.13.2")+"\n")
	if err := os.Remove(filepath.Join(m.bin, "python3")); err != nil {
		t.Fatal(err)
	}
	step("the Python was removed", 2, "")
	m.write("localstack/tools/dynamodb.lock", strings.Repeat("0", 64)+"  DynamoDBLocal_lib/byte-buddy-agent-1.jar\n")
	step("a wrong checksum", 0, "byte-buddy-agent-1.jar: FAILED")
	step("a wrong checksum again", 0, "byte-buddy-agent-1.jar: FAILED")
}
