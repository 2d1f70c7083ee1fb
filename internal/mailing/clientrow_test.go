package mailing_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

// cell returns the value of a cell, for a column that the file has.
func cell(s string) *string { return &s }

func TestARowBecomesTheClientThatItDescribes(t *testing.T) {
	ported := mailing.Client{ID: 7, Phone: "79001234567", OperatorCode: "999", Tag: "vip", Timezone: "Europe/Moscow"}
	for name, c := range map[string]struct {
		row  mailing.ClientRow
		old  *mailing.Client
		want mailing.Client
	}{
		"a new client with all fields": {
			mailing.ClientRow{Phone: "79001234567", OperatorCode: cell("999"), Tag: cell(" vip "), Timezone: cell("UTC")},
			nil,
			mailing.Client{Phone: "79001234567", OperatorCode: "999", Tag: "vip", Timezone: "UTC"},
		},
		"without a column, a new client's code is derived": {
			mailing.ClientRow{Phone: "79001234567", Timezone: cell("UTC")},
			nil,
			mailing.Client{Phone: "79001234567", OperatorCode: "900", Timezone: "UTC"},
		},
		"for an empty cell, a new client's code is derived": {
			mailing.ClientRow{Phone: "79001234567", OperatorCode: cell(""), Tag: cell(""), Timezone: cell("UTC")},
			nil,
			mailing.Client{Phone: "79001234567", OperatorCode: "900", Timezone: "UTC"},
		},
		"fields without a column stay": {mailing.ClientRow{Phone: "79001234567"}, &ported, ported},
		"only fields with a column change": {
			mailing.ClientRow{Phone: "79001234567", Tag: cell("gold")},
			&ported,
			mailing.Client{ID: 7, Phone: "79001234567", OperatorCode: "999", Tag: "gold", Timezone: "Europe/Moscow"},
		},
		"an empty cell clears the tag and derives the code": {
			mailing.ClientRow{Phone: "79001234567", OperatorCode: cell(""), Tag: cell("  "), Timezone: cell("UTC")},
			&ported,
			mailing.Client{ID: 7, Phone: "79001234567", OperatorCode: "900", Timezone: "UTC"},
		},
	} {
		got, err := c.row.Over(c.old)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		if err := c.row.Check(); err != nil {
			t.Errorf("%s: Check returns %v", name, err)
		}
	}
}

func TestARowThatBreaksRulesGetsAnErrorThatListsAllOfThem(t *testing.T) {
	old := mailing.Client{ID: 7, Phone: "79001234567", OperatorCode: "900", Timezone: "UTC"}
	all := mailing.ClientRow{Phone: "89001234567", OperatorCode: cell("90"), Tag: cell(strings.Repeat("я", 65)), Timezone: cell("Mars/Base")}
	for name, c := range map[string]struct {
		row mailing.ClientRow
		old *mailing.Client
		// checked is true if the row alone, without the client, already shows the error.
		checked bool
		want    []string
	}{
		"all rules, new client":            {all, nil, true, []string{"body.phone", "body.operator_code", "body.tag", "body.timezone"}},
		"all rules, known client":          {all, &old, true, []string{"body.phone", "body.operator_code", "body.tag", "body.timezone"}},
		"an empty time zone, known client": {mailing.ClientRow{Phone: "79001234567", Timezone: cell("")}, &old, true, []string{"body.timezone"}},
		"an empty time zone, new client":   {mailing.ClientRow{Phone: "79001234567", Timezone: cell("")}, nil, true, []string{"body.timezone"}},
		"no time zone, new client":         {mailing.ClientRow{Phone: "79001234567"}, nil, false, []string{"body.timezone"}},
		"a blank before a phone":           {mailing.ClientRow{Phone: " 79001234567"}, &old, true, []string{"body.phone"}},
		"no phone":                         {mailing.ClientRow{}, &old, true, []string{"body.phone"}},
	} {
		_, err := c.row.Over(c.old)
		if diff := cmp.Diff(c.want, locations(err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if !c.checked {
			c.want = nil
		}
		if diff := cmp.Diff(c.want, locations(c.row.Check())); diff != "" {
			t.Errorf("%s, checked by itself (-want +got):\n%s", name, diff)
		}
	}
}

func TestATagHasNoControlCharactersUnlessItWasStoredBefore(t *testing.T) {
	for tag, name := range map[string]string{
		"a\nb": "U+000A", "a\rb": "U+000D", "a\tb": "U+0009", "\x00": "U+0000", "a\x7fb": "U+007F", "a\u0085b": "U+0085", "a\n=cmd|x;b": "U+000A",
	} {
		given := mailing.Client{ID: 7, Phone: "79001234567", OperatorCode: "900", Tag: tag, Timezone: "UTC"}
		if _, err := mailing.NewClient(given); !cmp.Equal(locations(err), []string{"body.tag"}) || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", tag, err)
		}
		if _, err := (mailing.ClientRow{Phone: "79001234567", Tag: &tag}).Over(nil); !cmp.Equal(locations(err), []string{"body.tag", "body.timezone"}) {
			t.Errorf("%q in a file: %v", tag, err)
		}
		moved, err := mailing.ClientRow{Phone: "79001234567", Timezone: cell("Asia/Omsk")}.Over(&given)
		if err != nil || moved.Tag != tag || moved.Timezone != "Asia/Omsk" {
			t.Errorf("%q of before: %+v, %v", tag, moved, err)
		}
	}
	for _, tag := range []string{"", "a b", "друзья", "a\u00a0b", "🙂", "\n a \t"} {
		if _, err := mailing.NewClient(mailing.Client{Phone: "79001234567", Tag: tag, Timezone: "UTC"}); err != nil {
			t.Errorf("%q: %v", tag, err)
		}
	}
}
