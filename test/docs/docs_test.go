// Package docs_test compares the names in the documentation with the repository.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// documents returns the texts of README and docs, by their path from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, path := range append(paths, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

// sources returns the text of all tests.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	tree := os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != "." {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(tree, path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestEachTestThatIsNamedIsThere(t *testing.T) {
	t.Parallel()
	tests := sources(t)
	named := 0
	for name, text := range documents(t) {
		for _, test := range regexp.MustCompile(`\bTest[A-Z0-9][A-Za-z0-9]*`).FindAllString(text, -1) {
			named++
			if !strings.Contains(tests, "func "+test) {
				t.Errorf("%s names %s, which is not there", name, test)
			}
		}
	}
	if named < 40 {
		t.Errorf("only %d tests are named", named)
	}
}

func TestEachCommandThatIsNamedIsThere(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range documents(t) {
		for _, target := range regexp.MustCompile("(?m)(?:`|^    )make ([a-z][a-z-]*)").FindAllStringSubmatch(text, -1) {
			if target[1] != "show-" && !strings.Contains(string(makefile), "\n"+target[1]+":") {
				t.Errorf("%s names make %s, which is not there", name, target[1])
			}
		}
	}
}

func TestEachLinkLeadsToAFile(t *testing.T) {
	t.Parallel()
	for name, text := range documents(t) {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(link[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", name, link[1])
			}
		}
	}
}

func TestEachParameterIsInTheTableOfSettings(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, parameters, _ := strings.Cut(string(template), "\nParameters:\n")
	parameters, _, _ = strings.Cut(parameters, "\nRules:")
	settings := documents(t)["docs/settings.md"]
	names := regexp.MustCompile(`(?m)^  ([A-Z][A-Za-z]+):$`).FindAllStringSubmatch(parameters, -1)
	if len(names) < 10 {
		t.Fatalf("the template has only %d parameters", len(names))
	}
	for _, name := range names {
		variable := strings.ToUpper(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(name[1], "${1}_$2"))
		if !strings.Contains(settings, "`"+variable+"`") {
			t.Errorf("the table of settings has no %s", variable)
		}
	}
}
