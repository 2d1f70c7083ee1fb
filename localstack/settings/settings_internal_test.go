package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTakesLinesAsTheyAre(t *testing.T) {
	const file = "\ufeff# comment\n\nPLAIN=a b\nexport EXPORTED=x\nSPACED = y \nQUOTED=\"a # b\" # why\nSINGLE='$HOME'\n" +
		"COMMENTED=v # why\nHASH=a#b\nEQUALS=a=b==\nEMPTY=\nNOTHING=# why\r\n"
	got, err := Parse(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"PLAIN": "a b", "EXPORTED": "x", "SPACED": "y", "QUOTED": "a # b", "SINGLE": "$HOME",
		"COMMENTED": "v", "HASH": "a#b", "EQUALS": "a=b==", "EMPTY": "", "NOTHING": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseNamesTheLineAndHidesIt(t *testing.T) {
	for _, line := range []string{"secret", "A B=secret", "=secret", "A=\"secret", "A='secret' more"} {
		_, err := Parse(strings.NewReader("OK=1\n" + line + "\n"))
		if err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "secret") {
			t.Errorf("Parse(%q) = %v, want an error that names line 2 only", line, err)
		}
	}
}

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte("POSTRIDER_A=file\nPOSTRIDER_B=file\nPOSTRIDER_C=file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("POSTRIDER_A", "environment")
	t.Setenv("POSTRIDER_B", "")
	source, err := Environment(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"POSTRIDER_A": "environment", "POSTRIDER_B": "file", "POSTRIDER_C": "file", "POSTRIDER_D": ""} {
		if got, ok := source(name); got != want || ok != (want != "") {
			t.Errorf("%s = %q, %t, want %q", name, got, ok, want)
		}
	}
}

func TestAMissingFileIsNoError(t *testing.T) {
	if _, err := Environment(filepath.Join(t.TempDir(), ".env")); err != nil {
		t.Fatal(err)
	}
}

func TestPortsAndSwitches(t *testing.T) {
	source := Source(func(name string) (string, bool) { return name, name != "" })
	for value, want := range map[string]int{"8000": 8000, "1": 1, "0": 0, "65536": 0, "x": 0} {
		got, err := source.Port(value, 5)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("Port(%q) = %d, %v", value, got, err)
		}
	}
	if got, err := source.Port("", 5); got != 5 || err != nil {
		t.Errorf("Port of nothing = %d, %v", got, err)
	}
	for value, want := range map[string]bool{"1": true, "YES": true, "0": false, "off": false} {
		if got, err := source.Bool(value, !want); got != want || err != nil {
			t.Errorf("Bool(%q) = %t, %v", value, got, err)
		}
	}
	if _, err := source.Bool("maybe", true); err == nil {
		t.Error("Bool(maybe) has no error")
	}
}
