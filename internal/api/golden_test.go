package api_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// keptDescription is the path of the description in the repository, which is there
// for integrators and their tools.
const keptDescription = "../../docs/openapi.yaml"

var update = flag.Bool("update-openapi", false, "write docs/openapi.yaml again (make openapi)")

func TestTheDescriptionChangesOnlyWithItsVersion(t *testing.T) {
	t.Parallel()
	fresh := serve(t, &stores{}).call(http.MethodGet, "/openapi.yaml", "").Body.String()
	kept, err := os.ReadFile(keptDescription)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	changed, err := changeOf(string(kept), fresh)
	switch {
	case err != nil:
		t.Errorf("%v\n%s", err, cmp.Diff(strings.Split(string(kept), "\n"), strings.Split(fresh, "\n")))
	case changed && *update:
		if err := os.WriteFile(keptDescription, []byte(fresh), 0o644); err != nil { //nolint:gosec // G306: the file is public
			t.Fatal(err)
		}
	case changed:
		t.Error("docs/openapi.yaml is of another version: run `make openapi`")
	}
}

// changeOf reports whether the description has changed. It returns an error if the
// version does not allow the change.
func changeOf(kept, fresh string) (bool, error) {
	if kept == fresh || kept == "" {
		return kept != fresh, nil
	}
	old, err := versionOf(kept)
	if err != nil {
		return false, fmt.Errorf("docs/openapi.yaml: %w", err)
	}
	now, err := versionOf(fresh)
	if err != nil {
		return false, fmt.Errorf("/openapi.yaml: %w", err)
	}
	for i := range now {
		switch {
		case now[i] > old[i]:
			return true, nil
		case now[i] < old[i]:
			return false, errors.New("Version in internal/api/api.go is lower than the one in docs/openapi.yaml")
		}
	}
	return false, errors.New("the description has changed, so raise Version in internal/api/api.go, then run `make openapi`: " +
		"the last number if only texts or examples changed, the middle one if something was added, the first one if anything that worked for integrators no longer does")
}

// versionOf returns the version of a description.
func versionOf(text string) (version [3]int, err error) {
	var d struct {
		Info struct {
			Version string `yaml:"version"`
		} `yaml:"info"`
	}
	if err := yaml.Unmarshal([]byte(text), &d); err != nil {
		return version, err
	}
	if _, err := fmt.Sscanf(d.Info.Version, "%d.%d.%d", &version[0], &version[1], &version[2]); err != nil {
		return version, fmt.Errorf("version %q: %w", d.Info.Version, err)
	}
	return version, nil
}

func TestAChangedDescriptionNeedsAHigherVersion(t *testing.T) {
	t.Parallel()
	describe := func(version, text string) string {
		return "info:\n  version: " + version + "\n  description: " + text + "\n"
	}
	for name, c := range map[string]struct {
		kept, fresh string
		changed     bool
		refused     string
	}{
		"nothing changed":             {describe("1.2.3", "a"), describe("1.2.3", "a"), false, ""},
		"there was none":              {"", describe("1.2.3", "a"), true, ""},
		"the same version":            {describe("1.2.3", "a"), describe("1.2.3", "b"), false, "raise Version"},
		"a correction":                {describe("1.2.3", "a"), describe("1.2.4", "b"), true, ""},
		"an addition":                 {describe("1.9.3", "a"), describe("1.10.0", "b"), true, ""},
		"a break":                     {describe("1.2.3", "a"), describe("2.0.0", "b"), true, ""},
		"a lower version":             {describe("1.2.3", "a"), describe("1.1.9", "b"), false, "lower"},
		"a version that is none":      {describe("1.2.3", "a"), describe("next", "b"), false, "version"},
		"a kept one that has no such": {"info: {}", describe("1.2.3", "a"), false, "docs/openapi.yaml"},
	} {
		changed, err := changeOf(c.kept, c.fresh)
		if changed != c.changed || (err != nil) != (c.refused != "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: changed %v, error %v", name, changed, err)
		}
	}
}
