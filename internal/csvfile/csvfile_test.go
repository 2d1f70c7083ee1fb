package csvfile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"postrider/internal/csvfile"
	"postrider/internal/mailing"
)

// rejected is a row with the rules that it breaks.
type rejected struct {
	line   int
	broken []mailing.Field
}

// read returns the valid rows of a file and the rejected ones.
func read(t interface{ Fatal(...any) }, file string) (rows []mailing.ClientRow, wrong []rejected) {
	r, err := csvfile.NewReader([]byte(file), csvfile.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for !r.Done() {
		switch line, row, broken := r.Next(); {
		case len(broken) > 0:
			wrong = append(wrong, rejected{line, broken})
		case line > 0:
			rows = append(rows, row)
		}
	}
	return rows, wrong
}

func text(s string) *string { return &s }

func TestColumnsAreReadInAnyOrderAndForm(t *testing.T) {
	t.Parallel()
	full := []mailing.ClientRow{
		{Phone: "79001234560", OperatorCode: text("901"), Tag: text("vip, gold; \"best\" of all"), Timezone: text("UTC")},
		{Phone: "79001234561", OperatorCode: text(""), Tag: text(""), Timezone: text("Europe/Moscow")},
	}
	phones := []mailing.ClientRow{{Phone: "79001234560"}, {Phone: "79001234561"}}
	for name, c := range map[string]struct {
		file string
		want []mailing.ClientRow
	}{
		"commas": {"phone,operator_code,tag,timezone\n79001234560,901,\"vip, gold; \"\"best\"\" of all\",UTC\n79001234561,,,Europe/Moscow\n", full},
		"semicolons, a byte order mark and line ends of Windows": {
			"\ufeffphone;operator_code;tag;timezone\r\n79001234560;901;\"vip, gold; \"\"best\"\" of all\";UTC\r\n79001234561;;;Europe/Moscow\r\n", full,
		},
		"another order, an id, blanks and capitals": {
			" Tag , TIMEZONE,id,Phone,operator_code\n\"vip, gold; \"\"best\"\" of all\",UTC,17,79001234560,901\n,Europe/Moscow,none,79001234561,", full,
		},
		"tabs":                     {"phone\toperator_code\ttag\ttimezone\n79001234560\t901\t\"vip, gold; \"\"best\"\" of all\"\tUTC\n79001234561\t\t\tEurope/Moscow\n", full},
		"only phones":              {"phone\n79001234560\n79001234561\n", phones},
		"no line end at the end":   {"phone\n79001234560\n79001234561", phones},
		"blank lines":              {"\n\r\nphone\n\n  \n79001234560\n\t\n\n79001234561\n\n \n", phones},
		"a header in quotes":       {"\"phone\";\"tag\"\n79001234560;a\n", []mailing.ClientRow{{Phone: "79001234560", Tag: text("a")}}},
		"only a header":            {"id,phone,tag\n", nil},
		"apostrophes of an export": {"phone,tag\n79001234560,'=1+1\n79001234561,''a\n", []mailing.ClientRow{{Phone: "79001234560", Tag: text("=1+1")}, {Phone: "79001234561", Tag: text("'a")}}},
		"apostrophes of a tag":     {"phone,tag\n79001234560,'a\n79001234561,'\n", []mailing.ClientRow{{Phone: "79001234560", Tag: text("'a")}, {Phone: "79001234561", Tag: text("'")}}},
	} {
		got, wrong := read(t, c.file)
		if diff := cmp.Diff(c.want, got); diff != "" || len(wrong) > 0 {
			t.Errorf("%s: rejected %v, rows (-want +got):\n%s", name, wrong, diff)
		}
	}
}

func TestAWrongHeaderIsRefusedWithTheReasonAndTheRightColumns(t *testing.T) {
	t.Parallel()
	const unknown = " of the header has an unknown name: correct it, or repeat the request with ?ignore_unknown=true to leave out such columns"
	for file, want := range map[string]string{
		"":                              "the first line must be a header",
		"\ufeff":                        "the first line must be a header",
		"\n\r\n\n;;;\n":                 "the first line must be a header",
		"\"phone,tag\n79001234567,a\n":  "the first line must be a header",
		"79001234567,Europe/Moscow\n":   "column 1" + unknown,
		"Phone,Tag,Zone\n":              "column 3" + unknown,
		"phone,secret\n":                "column 2" + unknown,
		"phone,,secret\n":               "column 3" + unknown,
		"phone/tag\n":                   "column 1" + unknown,
		"sep=\x00\nphone\n":             "column 1" + unknown,
		"id,tag,timezone\n":             "the header has no column phone",
		"phone,tag,Tag\n":               "the header has the column tag twice",
		"phone;тег;\u200bTag\n":         "the header has the column tag twice",
		"\xff\xfex\x00\n\x00":           "column 1" + unknown,
		"sep=;\r\n":                     "the first line must be a header",
		"phone;телефон\n79001234567;\n": "the header has the column phone twice",
	} {
		_, err := csvfile.NewReader([]byte(file), csvfile.Config{})
		if mailing.KindOf(err) != mailing.KindInvalid {
			t.Errorf("%q: %v", file, err)
			continue
		}
		for _, part := range []string{want + "; a header", "phone", "operator_code", "tag", "timezone", "id"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: no %q in %v", file, part, err)
			}
		}
		for _, sent := range []string{"secret", "7900", "Moscow"} {
			if strings.Contains(err.Error(), sent) {
				t.Errorf("%q: the error repeats input: %v", file, err)
			}
		}
	}
}

func TestEachWrongRowIsRejectedWithAllRulesThatItBreaks(t *testing.T) {
	t.Parallel()
	const (
		unreadable = "has characters that cannot be read: save the file as UTF-8"
		zone       = "must be the name of a zone of the IANA database, such as Europe/Moscow"
		phone      = "must be 11 digits that start with 7"
		quote      = `has a quote (") in a wrong place: a cell with a quote must be in quotes, and that quote doubled`
	)
	rows, wrong := read(t, strings.Join([]string{
		"phone,operator_code,tag,timezone", // 1
		"79001234560,,vip,UTC",
		"89001234567,90," + strings.Repeat("я", 65) + ",Mars/Base",
		"79001234562,,\"vip\n\",UTC", // and 5
		"79001234560,,again,UTC",
		"79001234564,,vip",
		"79001234564,,vip,UTC,more",
		"79001234564,,b\"a\"d,UTC",
		"79001234564,,\"b\"ad,UTC", // 10
		"79001234564,,b\xe4d,UTC",
		"79001234564,,b\ufffdd,UTC",
		"\xff9001234564,9,b,",
		"",
		"79001234566,,\"never", // 15
		"closed\"ly,UTC",
		"79001234568,,,",
		"79001234561,,,UTC",
		"79001234563,,\"never closed,UTC",
		"79001234565,,,UTC", "",
	}, "\n"))
	row := func(message string) []mailing.Field { return []mailing.Field{{Location: "row", Message: message}} }
	want := []rejected{
		{3, []mailing.Field{
			{Location: "phone", Message: phone + "; it looks like 8...: write 79001234567"},
			{Location: "operator_code", Message: "must be 3 digits"},
			{Location: "tag", Message: "must be at most 64 characters"},
			{Location: "timezone", Message: zone},
		}},
		{6, []mailing.Field{{Location: "phone", Message: "is already in line 2"}}},
		{7, row("has 3 cells, but the header has 4")},
		{8, row("has 5 cells, but the header has 4")},
		{9, row(quote)},
		{10, row(quote)},
		{11, []mailing.Field{{Location: "tag", Message: unreadable}}},
		{12, []mailing.Field{{Location: "tag", Message: unreadable}}}, // no error about the phone: the row with the same phone is not valid
		{13, []mailing.Field{
			{Location: "phone", Message: unreadable},
			{Location: "operator_code", Message: "must be 3 digits"},
			{Location: "timezone", Message: zone},
		}},
		{15, row("has a quote that is not closed at the end of its cell: all lines up to 16 were read as this row")},
		{17, []mailing.Field{{Location: "timezone", Message: zone}}},
		{19, row("has a quote that is never closed: the rest of the file was read as this row")},
	}
	if diff := cmp.Diff(want, wrong, cmp.AllowUnexported(rejected{})); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
	if len(rows) != 3 || rows[0].Phone != "79001234560" || rows[1].Phone != "79001234562" || rows[2].Phone != "79001234561" {
		t.Errorf("valid rows %+v", rows)
	}
}

func TestAnErrorOfTheStoreShowsNoInternalDetail(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]mailing.Field{
		fmt.Errorf("table clients: %w", context.Canceled): {Location: "row", Message: "could not be written"},
		mailing.Conflict("others keep changing it"):       {Location: "row", Message: "others keep changing it"},
	} {
		if diff := cmp.Diff([]mailing.Field{want}, csvfile.BrokenRules(err)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

// spreadsheet generates characters for cells: those that are special in CSV or in
// spreadsheets, and any others.
var spreadsheet = rapid.OneOf(
	rapid.SampledFrom([]rune("=+-@'\",; aя\u2028\ufeff")),
	rapid.Rune().Filter(func(r rune) bool { return r != '\ufffd' && !unicode.IsControl(r) }),
)

func TestAnExportIsImportedUnchanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		tags := rapid.SliceOfN(rapid.StringOfN(spreadsheet, 0, mailing.MaxTag, -1), 1, 20).Draw(r, "tags")
		var clients, got []mailing.Client
		for i, tag := range tags {
			c, err := mailing.NewClient(mailing.Client{ID: mailing.ClientID(i + 1), Phone: fmt.Sprintf("7900%07d", i), Tag: tag, Timezone: "UTC"})
			if err != nil {
				r.Fatal(err)
			}
			clients = append(clients, c)
		}
		file, err := csvfile.WriteClients(clients)
		if err != nil {
			r.Fatal(err)
		}
		if rapid.Bool().Draw(r, "byte order mark") {
			file = append([]byte(csvfile.ByteOrderMark), file...)
		}
		rows, wrong := read(r, string(file))
		for i, row := range rows {
			c, err := row.Over(nil)
			if err != nil {
				r.Fatal(err)
			}
			c.ID = clients[i].ID
			got = append(got, c)
		}
		if diff := cmp.Diff(clients, got); diff != "" || len(wrong) > 0 {
			r.Fatalf("rejected %v, (-exported +imported):\n%s%q", wrong, diff, file)
		}
	})
}

func TestNoCellOfAnExportIsAFormula(t *testing.T) {
	t.Parallel()
	for tag, cell := range map[string]string{
		"=1+1": "'=1+1", "+7": "'+7", "-1": "'-1", "@a": "'@a", "'a": "''a", "a=1": "a=1", "": "", "''": "'''",
		"x;=1+1;": "x;'=1+1;", "x; ;  @a": "x; ;'  @a", "x;'-1": "x;''-1", // spreadsheets that split rows at semicolons
		"a\n=b": "\"a\n'=b\"", "a\r=b": "\"a\r'=b\"", "a\n \"=b": "\"a\n' \"\"=b\"", "\n=b": "\"\n'=b\"", // tags of before
		"a\r\n=cmd|x;b": "\"a\r\n'=cmd|x;b\"", "a\n\r\t-b": "\"a\n'\r'\t-b\"", "\ta": "'\ta", "a\nb;c": "\"a\nb;c\"",
	} {
		got, err := csvfile.WriteClients([]mailing.Client{{ID: 7, Phone: "79001234567", OperatorCode: "900", Tag: tag, Timezone: "UTC"}})
		if want := "id,phone,operator_code,tag,timezone\n7,79001234567,900," + cell + ",UTC\n"; string(got) != want || err != nil {
			t.Errorf("%q: %v, got %q, want %q", tag, err, got, want)
		}
	}
}
