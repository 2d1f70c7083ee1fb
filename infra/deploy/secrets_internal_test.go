package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

func TestOfTheTokenAndTheParameterThatHoldsItThereIsOne(t *testing.T) {
	for name, c := range map[string]struct {
		token, file string
		first       bool
		want        map[string]string
		refused     string
	}{
		"a token":                               {"secret", "Stage: staging\n", true, map[string]string{"ProviderToken": "secret", "ProviderTokenParameter": ""}, ""},
		"a parameter":                           {"", "ProviderTokenParameter: /x/token\n", true, map[string]string{"ProviderToken": ""}, ""},
		"both":                                  {"secret", "ProviderTokenParameter: /x/token\n", false, nil, "/x/token"},
		"none, at first":                        {"", "Stage: staging\n", true, nil, "PROVIDER_TOKEN is not set"},
		"none, where the stack has what it has": {"", "Stage: staging\n", false, map[string]string{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, sam := checkout(t, x86, c.file)
			t.Setenv("PROVIDER_TOKEN", c.token)
			path, err := deployment{environment: e, sam: sam, ask: asker{out: io.Discard}}.secrets(c.first)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "secret") {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
			got := map[string]string{}
			if err != nil || yaml.Unmarshal(text, &got) != nil {
				t.Fatalf("%s, %v", text, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("what sam is given (-want +got):\n%s", diff)
			}
		})
	}
}
