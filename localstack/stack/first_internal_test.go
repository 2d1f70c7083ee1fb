package stack

import (
	"path/filepath"
	"testing"
)

func TestMailingsBeginAt1OnALaptopUnlessAnotherIDIsGiven(t *testing.T) {
	template, err := readTemplate(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := (Target{}).withDefaults(template, nil)["FirstMailingId"]; got != "1" {
		t.Errorf("they begin at %q", got)
	}
	given := map[string]string{"FirstMailingId": "7"}
	if got := (Target{}).withDefaults(template, given)["FirstMailingId"]; got != "7" {
		t.Errorf("they begin at %q, and 7 was given", got)
	}
}
