package csvfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	utf16 "golang.org/x/text/encoding/unicode"

	"postrider/internal/csvfile"
	"postrider/internal/mailing"
)

// The files in testdata come from spreadsheets and other tools. Each is of a kind, with
// more of the kind beside it.

func fromFile(t *testing.T, name string) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(file)
}

// encoded returns a text in an encoding.
func encoded(t *testing.T, enc encoding.Encoding, text string) string {
	t.Helper()
	file, err := enc.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// phones returns the phones of a file that has only valid rows.
func phones(t *testing.T, file string) (phones []string) {
	t.Helper()
	rows, wrong := read(t, file)
	if len(wrong) > 0 {
		t.Errorf("%q: rejected %v", file, wrong)
	}
	for _, row := range rows {
		phones = append(phones, row.Phone)
	}
	return phones
}

func TestRowsOfNothingButSeparatorsAndBlanksAreNoRows(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"the case":        fromFile(t, "separators-only.csv"),
		"commas":          "phone,tag\n,\n79000000001,\n ,\t\n",
		"another number":  "phone,tag\n79000000001,\n,,,,,,\n\n \n",
		"quotes":          "phone;tag\n\"\";\"\"\n79000000001;a\n\" \";\n",
		"no-break blanks": "phone;tag\n\u00a0;\u00a0\n79000000001;a\n",
		"before a header": ";;\n , \n\nphone;tag\n79000000001;a\n",
		"tabs":            "phone\ttag\n\t\n79000000001\ta\n\t\t\t\n",
	} {
		if got := phones(t, file); !slices.Equal(got, []string{"79000000001"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAnyNumberOfBlankRowsIsLeftOut(t *testing.T) {
	t.Parallel()
	blank := strings.Repeat(";;\r\n", 500_000)
	r, err := csvfile.NewReader([]byte("phone;tag;timezone\r\n"+blank+"79000000001;;UTC\r\n"+blank), csvfile.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if line, row, broken := r.Next(); line != 500_002 || row.Phone != "79000000001" || broken != nil {
		t.Errorf("line %d, %+v, %v", line, row, broken)
	}
	if !r.Done() {
		t.Error("blank rows at the end are left")
	}
}

func TestALineMayNameTheSeparator(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"the case":         fromFile(t, "excel-sep-line.csv"),
		"a comma":          "sep=,\nphone,tag\n79000000002,a;b;c;d\n",
		"a tab":            "sep=\t\nphone\ttag\n79000000002\ta\n",
		"another one":      "SEP=^\r\nphone^tag\r\n79000000002^a,b,c\r\n",
		"in quotes":        "\"sep=;\"\nphone;tag\n79000000002;a\n",
		"saved again":      "\ufeffsep=;;;\nphone;tag;timezone\n79000000002;a;UTC\n",
		"blank line first": "\n\nsep=;\nphone;tag\n79000000002;a\n",
		"in UTF-16":        encoded(t, utf16.UTF16(utf16.LittleEndian, utf16.UseBOM), "sep=;\r\nphone;тег\r\n79000000002;a\r\n"),
		"joined files":     "sep=;\nphone;tag\n79000000002;a\nsep=;\nphone;tag\n",
	} {
		if got := phones(t, file); !slices.Equal(got, []string{"79000000002"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLinesEndWithCRAndWithLFAndWithBoth(t *testing.T) {
	t.Parallel()
	if got := phones(t, fromFile(t, "cr-only.csv")); !slices.Equal(got, []string{"79000000003"}) {
		t.Errorf("the case: %v", got)
	}
	for _, end := range []string{"\r", "\n", "\r\n"} {
		rows, wrong := read(t, strings.Join([]string{"phone,tag", "79000000003,a", "", "7,\"b", "c\"", "79000000004,d", "8,e"}, end))
		var lines []int
		for _, w := range wrong {
			lines = append(lines, w.line)
		}
		if len(rows) != 2 || !slices.Equal(lines, []int{4, 7}) {
			t.Errorf("%q: %+v, rejected %v", end, rows, lines)
		}
	}
}

func TestARepeatedHeaderIsNoRowAndASecondRowOfAPhoneNamesTheFirst(t *testing.T) {
	t.Parallel()
	rows, wrong := read(t, fromFile(t, "header-inside.csv"))
	want := []rejected{{4, []mailing.Field{{Location: "phone", Message: "is already in line 2"}}}}
	if diff := cmp.Diff(want, wrong, cmp.AllowUnexported(rejected{})); diff != "" || len(rows) != 1 || *rows[0].Tag != "one" {
		t.Errorf("%+v, rejected (-want +got):\n%s", rows, diff)
	}
	for _, again := range []string{"phone;тег;", "Phone;ТЕГ;", "\ufeffphone;тег;", "\"phone\";\"тег\";\"\"", " phone ; тег ; "} {
		if got := phones(t, "phone;тег;\n79000000011;a;\n"+again+"\n79000000012;b;\n"); len(got) != 2 {
			t.Errorf("%q: %v", again, got)
		}
	}
}

func TestFilesInUTF16AndWindows1251AreRead(t *testing.T) {
	t.Parallel()
	russian := "Телефон;Тег;Часовой пояс;Код оператора\n79000000012;друзья;Europe/Moscow;901\n"
	vip := "phone;tag;timezone;operator_code\n79000000012;друзья;Europe/Moscow;901\n"
	for name, file := range map[string]string{
		"UTF-8":                      russian,
		"UTF-8 with its mark":        "\ufeff" + russian,
		"Windows-1251":               encoded(t, charmap.Windows1251, russian),
		"Windows-1251, Latin header": encoded(t, charmap.Windows1251, vip),
		"UTF-16, little endian":      encoded(t, utf16.UTF16(utf16.LittleEndian, utf16.UseBOM), russian),
		"UTF-16, big endian":         encoded(t, utf16.UTF16(utf16.BigEndian, utf16.UseBOM), vip),
		"UTF-16, CR only":            encoded(t, utf16.UTF16(utf16.LittleEndian, utf16.UseBOM), strings.ReplaceAll(russian, "\n", "\r")),
	} {
		rows, wrong := read(t, file)
		want := []mailing.ClientRow{{Phone: "79000000012", Tag: text("друзья"), Timezone: text("Europe/Moscow"), OperatorCode: text("901")}}
		if diff := cmp.Diff(want, rows); diff != "" || len(wrong) > 0 {
			t.Errorf("%s: rejected %v, rows (-want +got):\n%s", name, wrong, diff)
		}
	}
	for name, tag := range map[string]string{"windows-1251.csv": "друзья", "utf-16.csv": "друзья"} {
		rows, wrong := read(t, fromFile(t, name))
		if len(rows) != 1 || *rows[0].Tag != tag || *rows[0].Timezone != "Europe/Moscow" || len(wrong) > 0 {
			t.Errorf("%s: %+v, rejected %v", name, rows, wrong)
		}
	}
}

func TestRussianTagsInWindows1251AreRead(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{
		"ВИП", "Новый клиент", "«Постоянный» — №5", "должники", "VIP клиент, Москва", "Съёмка", "акция: 2 по цене 1", "ПЕНСИОНЕРЫ", "с доставкой",
	} {
		rows, wrong := read(t, encoded(t, charmap.Windows1251, "phone;tag\n79000000012;"+tag+"\n"))
		if len(rows) != 1 || *rows[0].Tag != tag || len(wrong) > 0 {
			t.Errorf("%s: %+v, rejected %v", tag, rows, wrong)
		}
	}
}

func TestAFileInAnotherEncodingIsRefusedWithThoseThatAreRead(t *testing.T) {
	t.Parallel()
	russian := "телефон;тег\n79000000012;друзья\n79000000013;Новый клиент\n"
	latin := "phone;tag\n79000000012;Käufer\n79000000013;Größe\n"
	tags := "phone;tag\n79000000012;друзья\n79000000013;Новый клиент\n79000000014;должники\n"
	for name, file := range map[string]string{
		"KOI8-R":                   encoded(t, charmap.KOI8R, russian),
		"KOI8-R, Latin header":     encoded(t, charmap.KOI8R, tags),
		"CP866":                    encoded(t, charmap.CodePage866, russian),
		"CP866, Latin header":      encoded(t, charmap.CodePage866, tags),
		"ISO-8859-5":               encoded(t, charmap.ISO8859_5, tags),
		"Windows-1252":             encoded(t, charmap.Windows1252, latin),
		"Latin-1 in a header":      "phone,t\xe4g\n79000000012,a\n",
		"one byte":                 "phone,tag\n79000000012,\xe4\n",
		"UTF-16 without its mark":  encoded(t, utf16.UTF16(utf16.LittleEndian, utf16.IgnoreBOM), tags),
		"UTF-16 sent as text":      "\ufffd\ufffdp\x00h\x00\t\x00t\x00\n",
		"UTF-32":                   "\xff\xfe\x00\x00p\x00\x00\x00",
		"a workbook":               "PK\x03\x04\x14\x00\x06\x00",
		"a workbook of old":        "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
		"a picture":                "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
		"letters of no encoding":   "phone;tag\n1;\x80\x81\x82\x83\x84\n",
		"Windows-1252, whole word": encoded(t, charmap.Windows1252, "phone;tag\n79000000012;ÄÖÜ\n"),
	} {
		_, err := csvfile.NewReader([]byte(file), csvfile.Config{})
		if mailing.KindOf(err) != mailing.KindInvalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, read := range []string{"UTF-8", "UTF-16", "Windows-1251 are read"} {
			if !strings.Contains(err.Error(), read) {
				t.Errorf("%s: no %q in %v", name, read, err)
			}
		}
	}
}

func TestAFewDamagedCharactersCostOnlyTheirRows(t *testing.T) {
	t.Parallel()
	rows, wrong := read(t, "телефон;тег\n79000000001;друзья\n79000000002;дру\xd0\n79000000003;\ufffd\n79000000004;клиент\n")
	if len(rows) != 2 || len(wrong) != 2 || wrong[0].line != 3 || wrong[1].line != 4 || wrong[0].broken[0].Location != "tag" {
		t.Errorf("%+v, rejected %v", rows, wrong)
	}
}

func TestColumnsWithoutANameAreIgnoredAndUnknownOnesOnRequest(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"at the end":        "phone,tag,,\n79000000001,a,,\n79000000002,a,note,\n79000000003,a\n",
		"in the middle":     "phone;;tag\n79000000001;x;a\n79000000002;;a\n79000000003;;a;;\n",
		"blank names":       "phone\ttag\t \t\u00a0\n79000000001\ta\t\t\n79000000002\ta\n79000000003\ta\t1\t2\n",
		"a name in quotes":  "phone,tag,\"\"\n79000000001,a,\n79000000002,a,\n79000000003,a,\n",
		"cells after a row": "phone,tag\n79000000001,a,,\n79000000002,a,\n79000000003,a\n",
	} {
		if got := phones(t, file); len(got) != 3 {
			t.Errorf("%s: %v", name, got)
		}
	}
	r, err := csvfile.NewReader([]byte("Имя;phone;notes;notes;tag\nАнна;79000000001;a;\xff;vip\n;;;;\nИмя;phone;notes;notes;tag\n"), csvfile.Config{IgnoreUnknown: true})
	if err != nil {
		t.Fatal(err)
	}
	_, row, broken := r.Next()
	if diff := cmp.Diff(mailing.ClientRow{Phone: "79000000001", Tag: text("vip")}, row); diff != "" || broken != nil || !r.Done() {
		t.Errorf("%v, done %v (-want +got):\n%s", broken, r.Done(), diff)
	}
	if _, err := csvfile.NewReader([]byte("contact;tag\n79000000001;a\n"), csvfile.Config{IgnoreUnknown: true}); mailing.KindOf(err) != mailing.KindInvalid {
		t.Errorf("a file without phones: %v", err)
	}
}

func TestAWrongPhoneIsRejectedWithWhatItLooksLike(t *testing.T) {
	t.Parallel()
	hint := func(cell string) string {
		t.Helper()
		_, wrong := read(t, "phone\ttimezone\n\""+strings.ReplaceAll(cell, `"`, `""`)+"\"\tUTC\n")
		if len(wrong) != 1 || len(wrong[0].broken) != 1 || wrong[0].broken[0].Location != "phone" {
			t.Fatalf("%q: %v", cell, wrong)
		}
		_, hint, _ := strings.Cut(wrong[0].broken[0].Message, "must be 11 digits that start with 7")
		return hint
	}
	for cell, want := range map[string]string{
		"7,9E+10":                "; it looks like a spreadsheet's 7,9E+10: format the column as text",
		"7.90012E+10":            "; it looks like a spreadsheet's 7.90012E+10: format the column as text",
		"8e10":                   "; it looks like a spreadsheet's 8e10: format the column as text",
		`="79000000007"`:         `; it looks like ="...": write 79000000007`,
		`="+7 900 000-00-07"`:    `; it looks like ="...": write 79000000007`,
		"+79000000008":           "; it looks like +7...: write 79000000008",
		"'+79000000008":          "; it looks like +7...: write 79000000008",
		"+7 (900) 000-00-08":     "; it looks like +7...: write 79000000008",
		"8 900 000-00-09":        "; it looks like 8...: write 79000000009",
		"89000000009":            "; it looks like 8...: write 79000000009",
		"9000000009":             "; it looks like a number without the 7: write 79000000009",
		"7 900 000 00 10":        "; it looks like 7... with blanks or signs in it: write 79000000010",
		" 79000000010":           "; it looks like 7... with blanks or signs in it: write 79000000010",
		"'79000000010":           "; it looks like 7... with blanks or signs in it: write 79000000010",
		"79000000010.0":          "; it looks like a number with decimals: write 79000000010",
		"79000000010,00":         "; it looks like a number with decimals: write 79000000010",
		"79000000004\u202c":      "; it contains U+202C",
		"79000000005\u00a0":      "; it contains U+00A0",
		"\u200b79000000006":      "; it contains U+200B",
		"7900\u00ad0000006":      "; it contains U+00AD",
		"7900\u201100000\u20116": "; it contains U+2011",
		"\ufeff79000000006":      "; it contains U+FEFF",
		"7900000000６":            "; it contains U+FF16",
		"7900000000\x006":        "; it contains U+0000",
		"79000000006\n":          "; it contains U+000A",
		"phone":                  "", "": "", "+19000000008": "", "790000000100": "", "7,9E+10E": "", "телефон": "", `="x"`: "",
	} {
		if cell == "" {
			continue // a blank row
		}
		if got := hint(cell); got != want {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
	}
}

func TestTheFilesOfSpreadsheetsGetAHintForEachRow(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"spreadsheet-numbers.csv": {
			"2 looks like a spreadsheet's 7,9E+10: format the column as text", `3 looks like ="...": write 79000000007`,
			"4 looks like +7...: write 79000000008", "5 looks like 8...: write 79000000009",
		},
		"invisible.csv": {"2 contains U+202C", "3 contains U+00A0", "4 contains U+200B"},
	} {
		var got []string
		_, wrong := read(t, fromFile(t, name))
		for _, w := range wrong {
			_, hint, _ := strings.Cut(w.broken[0].Message, "; it ")
			got = append(got, fmt.Sprint(w.line, " ", hint))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestACharacterThatIsNotVisibleIsNamedInEachColumn(t *testing.T) {
	t.Parallel()
	_, wrong := read(t, "phone,operator_code,timezone,tag\n79000000001,900\u200b,Europe/Moscow\u00a0,\"a\n=cmd\"\n79000000002, 901 , Europe/Moscow ,a\n")
	want := []rejected{{2, []mailing.Field{
		{Location: "operator_code", Message: "must be 3 digits; it contains U+200B"},
		{Location: "tag", Message: "must have no control characters, such as line breaks; it contains U+000A"},
		{Location: "timezone", Message: "must be the name of a zone of the IANA database, such as Europe/Moscow; it contains U+00A0"},
	}}}
	if diff := cmp.Diff(want, wrong, cmp.AllowUnexported(rejected{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
