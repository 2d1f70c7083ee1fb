package mailing_test

import (
	"archive/zip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"postrider/internal/mailing"
)

func TestAZoneHasItsNameInTheEmbeddedDatabase(t *testing.T) {
	for _, name := range []string{"Europe/Moscow", "UTC", "Etc/GMT-3", "America/Argentina/Buenos_Aires", "EST5EDT"} {
		if loc, err := mailing.Zone(name); err != nil || loc.String() != name {
			t.Errorf("%s: %v, %v", name, loc, err)
		}
	}
	for _, name := range []string{
		"", "Local", "localtime", "posixrules", "Factory", "right/Europe/Moscow", "posix/Europe/Moscow", "posix/UTC",
		"Europe//Moscow", "Europe/./Moscow", "./Europe/Moscow", "Europe/../Europe/Moscow", "/usr/share/zoneinfo/Europe/Moscow",
		"europe/moscow", "Europe", "Europe/", "Europe/Moscow/", " Europe/Moscow", "Europe/Moscow\n", "Europe/Moscow\x00",
		"tzdata.zi", "zone.tab", "leapseconds", "+03:00", "UTC+3", "MSK", strings.Repeat("Europe/./", 200) + "Moscow", "\n",
	} {
		if loc, err := mailing.Zone(name); mailing.KindOf(err) != mailing.KindInvalid || loc != nil {
			t.Errorf("%q is accepted as %v, %v", name, loc, err)
		}
	}
}

// TestEachZoneOfGoIsAccepted compares the names with the database of the Go that runs
// the test. If a newer Go has more of them: go generate ./internal/mailing.
func TestEachZoneOfGoIsAccepted(t *testing.T) {
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	database, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close() })
	for _, file := range database.File {
		if strings.HasSuffix(file.Name, "/") || file.Name == "Factory" {
			continue
		}
		if _, err := mailing.Zone(file.Name); err != nil {
			t.Errorf("%s: %v", file.Name, err)
		}
	}
	if len(database.File) < 500 {
		t.Errorf("the database has %d files", len(database.File))
	}
}
