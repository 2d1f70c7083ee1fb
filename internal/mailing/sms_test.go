package mailing_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

// The admin pages count texts, too (web/src/pages/edit/sms.ts), and their test reads the same
// cases.
func TestATextIsCountedAsTheShortMessagesThatItTakes(t *testing.T) {
	read, err := os.ReadFile("testdata/sms.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name string `json:"name"`
		// Text is the pieces of the text, each so many times.
		Text []struct {
			Piece string `json:"piece"`
			Times int    `json:"times"`
		} `json:"text"`
		Encoding mailing.Encoding `json:"encoding"`
		Units    int              `json:"units"`
		Segments int              `json:"segments"`
	}
	if err := json.Unmarshal(read, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		var text strings.Builder
		for _, p := range c.Text {
			text.WriteString(strings.Repeat(p.Piece, p.Times))
		}
		want := mailing.SMS{Encoding: c.Encoding, Units: c.Units, Segments: c.Segments}
		if diff := cmp.Diff(want, mailing.NewSMS(text.String())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.Name, diff)
		}
	}
}
