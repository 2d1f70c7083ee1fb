package tools

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	javaSays  = "echo '    java.home = /opt/jdk' >&2; echo '    java.specification.version = %s' >&2"
	mavenSays = `printf '\033[1mApache Maven %s\033[m\n'`
)

// machine sets the PATH to a folder that contains only these scripts, by name.
func machine(t *testing.T, programs map[string]string) {
	t.Helper()
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"PYTHON", "JAVA_HOME", "PYENV_ROOT"} {
		t.Setenv(name, "")
	}
	for name, script := range programs {
		write(t, filepath.Join(bin, name), script)
	}
}

func write(t *testing.T, path, script string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func complete() map[string]string {
	return map[string]string{
		"python3": "echo 3.12.1", "java": fmt.Sprintf(javaSays, "17"), "mvn": fmt.Sprintf(mavenSays, "3.8.7"),
		"go": "echo go1.26.8", "make": "true", "cc": "true",
	}
}

func TestACompleteMachineIsFound(t *testing.T) {
	machine(t, complete())
	found, err := Find(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(found.Python) != "python3" || found.PythonVersion != "3.12.1" || found.JavaHome != "/opt/jdk" || filepath.Base(found.Maven) != "mvn" {
		t.Errorf("found %+v", found)
	}
}

func TestAllThatIsMissingIsToldTogether(t *testing.T) {
	machine(t, nil)
	_, err := Find(context.Background())
	if err == nil {
		t.Fatal("nothing is missing")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, want := range []string{"Python 3.13 or 3.12", "Java 17", "Maven 3.8", "Go 1.26", "make is", "gcc is"} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) || !strings.Contains(lines[i], "nstall") {
			t.Errorf("line %d should start with %q and say what to do:\n%s", i, want, err)
		}
	}
}

func TestOldVersionsAreMissing(t *testing.T) {
	for name, c := range map[string]struct{ program, script, want string }{
		"python": {"python3", "echo 3.11.7", "python3 (is 3.11.7)"},
		"java":   {"java", fmt.Sprintf(javaSays, "11"), "java (is 11)"},
		"maven":  {"mvn", fmt.Sprintf(mavenSays, "3.6.3"), "Maven 3.8"},
		"go":     {"go", "echo go1.25.3", "Go 1.26"},
	} {
		t.Run(name, func(t *testing.T) {
			programs := complete()
			programs[c.program] = c.script
			machine(t, programs)
			if _, err := Find(context.Background()); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Find = %v, want one sentence with %q", err, c.want)
			}
		})
	}
}

func TestANameThatDoesNotRunIsPassedOver(t *testing.T) {
	programs := complete()
	programs["python3.13"] = "echo 'pyenv: python3.13: command not found' >&2; exit 127"
	programs["python3"] = "echo 3.11.7"
	machine(t, programs)
	root := t.TempDir()
	t.Setenv("PYENV_ROOT", root)
	write(t, filepath.Join(root, "versions", "3.12.9", "bin", "python"), "echo 3.12.9")
	write(t, filepath.Join(root, "versions", "3.13.0", "bin", "python"), "echo 3.13.0")
	found, err := Find(context.Background())
	if err != nil || found.PythonVersion != "3.13.0" {
		t.Errorf("found %+v, %v, want pyenv's 3.13.0", found, err)
	}
}

func TestOnesOwnChoiceOfPythonIsNotSecondGuessed(t *testing.T) {
	machine(t, complete())
	t.Setenv("PYTHON", "/no/such/python")
	if _, err := Find(context.Background()); err == nil || !strings.Contains(err.Error(), "/no/such/python") {
		t.Errorf("Find = %v, want an error that names the choice", err)
	}
}

func TestJavaHomeGoesBeforeThePath(t *testing.T) {
	programs := complete()
	programs["java"] = fmt.Sprintf(javaSays, "8")
	machine(t, programs)
	home := t.TempDir()
	t.Setenv("JAVA_HOME", home)
	write(t, filepath.Join(home, "bin", "java"), "echo '  java.home = "+home+"'; echo '  java.specification.version = 21'")
	if found, err := Find(context.Background()); err != nil || found.JavaHome != home {
		t.Errorf("found %+v, %v, want %s", found, err, home)
	}
}
