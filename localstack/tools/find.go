// Package tools finds the programs that the local stack needs on a machine, and
// installs the rest below one folder. The lock files beside this file pin the versions.
package tools

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Found holds the programs of a machine: their paths, after they were run and answered.
type Found struct {
	Python        string
	PythonVersion string
	JavaHome      string
	Maven         string
}

// missing is an error about a missing program: a sentence for a person, with what was
// tried and what to do.
type missing string

func (m missing) Error() string { return string(m) }

// Find looks for every program that the local stack needs, and runs it. A name on the
// PATH is not enough: pyenv puts names there for versions that are not installed. Find
// reports all missing programs in one error, a sentence each.
func Find(ctx context.Context) (Found, error) {
	var found Found
	var all []error
	add := func(err error) { all = append(all, err) }
	var err error
	if found.Python, found.PythonVersion, err = python(ctx); err != nil {
		add(err)
	}
	if found.JavaHome, err = java(ctx); err != nil {
		add(err)
	}
	if found.Maven, err = maven(ctx, found.JavaHome); err != nil {
		add(err)
	}
	if out, err := output(ctx, nil, "go", "env", "GOVERSION"); err != nil || !newer(goVersion.FindStringSubmatch(out), 1, 26) {
		add(missing("Go 1.26 or newer is missing. Tried go env GOVERSION. Install it from go.dev, or update it."))
	}
	if _, err := output(ctx, nil, "make", "--version"); err != nil {
		add(missing("make is missing: the functions are built by it. Install your system's build tools (build-essential, or xcode-select --install)."))
	}
	if !runs(ctx, "gcc", "--version") && !runs(ctx, "cc", "--version") {
		add(missing("gcc is missing: Go's race detector needs a C compiler. Install your system's build tools (build-essential, or xcode-select --install)."))
	}
	return found, errors.Join(all...)
}

// checkPython fails if this Python cannot make a virtual environment: Debian packages
// that part separately.
const checkPython = `import sys, venv, ensurepip; print("%d.%d.%d" % sys.version_info[:3])`

func python(ctx context.Context) (path, version string, err error) {
	candidates := []string{"python3.13", "python3.12", "python3"}
	if own := os.Getenv("PYTHON"); own != "" {
		candidates = []string{own} // a person's choice is taken without an alternative
	} else {
		candidates = append(candidates, pyenv()...)
	}
	var tried []string
	for _, c := range candidates {
		out, err := output(ctx, nil, c, "-c", checkPython)
		if err != nil {
			tried = append(tried, c+" (does not run, or cannot make virtual environments)")
			continue
		}
		if v := strings.TrimSpace(out); strings.HasPrefix(v, "3.13.") || strings.HasPrefix(v, "3.12.") {
			path, err := exec.LookPath(c)
			return path, v, err
		}
		tried = append(tried, c+" (is "+strings.TrimSpace(out)+")")
	}
	return "", "", missing("Python 3.13 or 3.12 with its venv module is missing: LocalStack needs it. Tried " + strings.Join(tried, ", ") +
		". Install one, or name it: PYTHON=/path/to/python3.13")
}

// pyenv returns the versions that pyenv has installed, newest first.
func pyenv() []string {
	root := os.Getenv("PYENV_ROOT")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		root = filepath.Join(home, ".pyenv")
	}
	var all []string
	for _, version := range []string{"3.13*", "3.12*"} {
		paths, _ := filepath.Glob(filepath.Join(root, "versions", version, "bin", "python")) // the pattern is valid
		slices.Reverse(paths)
		all = append(all, paths...)
	}
	return all
}

var (
	javaHome    = regexp.MustCompile(`(?m)^\s*java\.home = (.+)$`)
	javaVersion = regexp.MustCompile(`(?m)^\s*java\.specification\.version = (\d+)`)
	// Maven colours its output, so the pattern has no anchor.
	mavenVersion = regexp.MustCompile(`Apache Maven (\d+)\.(\d+)`)
	goVersion    = regexp.MustCompile(`^go(\d+)\.(\d+)`)
)

func java(ctx context.Context) (string, error) {
	var candidates []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		candidates = append(candidates, filepath.Join(home, "bin", "java"))
	}
	candidates = append(candidates, "java")
	if runtime.GOOS == "darwin" {
		if home, err := output(ctx, nil, "/usr/libexec/java_home", "-v", "17+"); err == nil {
			candidates = append(candidates, filepath.Join(strings.TrimSpace(home), "bin", "java"))
		}
	}
	var tried []string
	for _, c := range candidates {
		out, err := output(ctx, nil, c, "-XshowSettings:properties", "-version")
		home, version := javaHome.FindStringSubmatch(out), javaVersion.FindStringSubmatch(out)
		if err != nil || home == nil || version == nil {
			tried = append(tried, c+" (does not run)")
			continue
		}
		if n, _ := strconv.Atoi(version[1]); n >= 17 {
			return strings.TrimSpace(home[1]), nil
		}
		tried = append(tried, c+" (is "+version[1]+")")
	}
	return "", missing("Java 17 or newer is missing: DynamoDB Local needs it. Tried " + strings.Join(tried, ", ") +
		". Install a JDK, or set JAVA_HOME.")
}

func maven(ctx context.Context, home string) (string, error) {
	var env []string
	if home != "" {
		env = []string{"JAVA_HOME=" + home}
	}
	out, err := output(ctx, env, "mvn", "-v")
	if err == nil && newer(mavenVersion.FindStringSubmatch(out), 3, 8) {
		return exec.LookPath("mvn")
	}
	return "", missing("Maven 3.8 or newer is missing: DynamoDB Local is fetched by it. Tried mvn. Install Maven, and have mvn on the PATH.")
}

// newer reports whether the version in a match of two numbers is at least major.minor.
// No match counts as too old.
func newer(match []string, major, minor int) bool {
	if match == nil {
		return false
	}
	a, _ := strconv.Atoi(match[1])
	b, _ := strconv.Atoi(match[2])
	return a > major || (a == major && b >= minor)
}

func runs(ctx context.Context, name string, args ...string) bool {
	_, err := output(ctx, nil, name, args...)
	return err == nil
}

// output runs a program and returns all its output from both streams: java writes its
// version to the error stream.
func output(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
