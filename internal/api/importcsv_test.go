package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/api"
	"postrider/internal/mailing"
)

// directory is the store in tests of imports. Each row whose phone ends in an even
// digit creates a client, unless it breaks a rule. Each other row is unchanged.
type directory struct {
	rows  []mailing.ClientRow
	calls int
	// each runs at each call.
	each func()
}

func (d *directory) upsert(rows []mailing.ClientRow) ([]mailing.RowResult, error) {
	d.calls++
	d.rows = append(d.rows, rows...)
	if d.each != nil {
		d.each()
	}
	results := make([]mailing.RowResult, len(rows))
	for i, r := range rows {
		results[i].Outcome = mailing.RowUnchanged
		if (r.Phone[10]-'0')%2 == 0 {
			results[i].Outcome = mailing.RowCreated
			if _, err := r.Over(nil); err != nil {
				results[i] = mailing.RowResult{Outcome: mailing.RowRejected, Err: err}
			}
		}
	}
	return results, nil
}

func (v service) send(ctx context.Context, file, contentType string) *httptest.ResponseRecorder {
	v.t.Helper()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/clients/import", strings.NewReader(file))
	r.Header.Set("Authorization", "Bearer "+adminKey)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	return w
}

func imported(t *testing.T, w *httptest.ResponseRecorder) (done api.Imported) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &done); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d, %v: %.500s", w.Code, err, w.Body)
	}
	if len(done.Rows) != done.Rejected {
		t.Errorf("%d rows of %d that were rejected", len(done.Rows), done.Rejected)
	}
	return done
}

func text(s string) *string { return &s }

func TestAFileIsReadWhateverItsColumnsAreAndHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	full := []mailing.ClientRow{
		{Phone: "79001234560", OperatorCode: text("901"), Tag: text("vip, gold; \"best\"\nof all"), Timezone: text("UTC")},
		{Phone: "79001234561", OperatorCode: text(""), Tag: text(""), Timezone: text("Europe/Moscow")},
	}
	tail := []mailing.ClientRow{{Phone: "79001234560"}, {Phone: "79001234561"}}
	for name, c := range map[string]struct {
		file string
		want []mailing.ClientRow
	}{
		"commas": {"phone,operator_code,tag,timezone\n79001234560,901,\"vip, gold; \"\"best\"\"\nof all\",UTC\n79001234561,,,Europe/Moscow\n", full},
		"semicolons, a byte order mark, and what Windows ends lines with": {
			"\ufeffphone;operator_code;tag;timezone\r\n79001234560;901;\"vip, gold; \"\"best\"\"\r\nof all\";UTC\r\n79001234561;;;Europe/Moscow\r\n", full,
		},
		"another order, an id, blanks and capitals": {
			" Tag , TIMEZONE,id,Phone,operator_code\n\"vip, gold; \"\"best\"\"\nof all\",UTC,17,79001234560,901\n,Europe/Moscow,none,79001234561,", full,
		},
		"only phones":                   {"phone\n79001234560\n79001234561\n", tail},
		"without an end":                {"phone\n79001234560\n79001234561", tail},
		"blank lines":                   {"\n\r\nphone\n\n  \n79001234560\n\t\n\n79001234561\n\n \n", tail},
		"a quoted header":               {"\"phone\";\"tag\"\n79001234560;a\n", []mailing.ClientRow{{Phone: "79001234560", Tag: text("a")}}},
		"nothing but a header":          {"id,phone,tag\n", nil},
		"an apostrophe of an export":    {"phone,tag\n79001234560,'=1+1\n79001234561,''a\n", []mailing.ClientRow{{Phone: "79001234560", Tag: text("=1+1")}, {Phone: "79001234561", Tag: text("'a")}}},
		"an apostrophe that is a tag's": {"phone,tag\n79001234560,'a\n79001234561,'\n", []mailing.ClientRow{{Phone: "79001234560", Tag: text("'a")}, {Phone: "79001234561", Tag: text("'")}}},
	} {
		d := &directory{}
		v := serve(t, &stores{upsertClients: func(rows []mailing.ClientRow) ([]mailing.RowResult, error) {
			results, err := d.upsert(rows)
			for i := range results {
				results[i] = mailing.RowResult{Outcome: mailing.RowUpdated}
			}
			return results, err
		}})
		for _, contentType := range []string{"text/csv", "", "Text/CSV; charset=UTF-8; header=present"} {
			d.rows = nil
			done := imported(t, v.send(t.Context(), c.file, contentType))
			if diff := cmp.Diff(c.want, d.rows); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff(api.Imported{Updated: len(c.want), Rows: []api.RejectedRow{}}, done); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

func TestAFileWithoutAHeaderThatFitsIsRefusedAndToldWhatFits(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for name, file := range map[string]string{
		"nothing at all":        "",
		"a byte order mark":     "\ufeff",
		"blank lines":           "\n\r\n\n",
		"no header":             "79001234567,Europe/Moscow\n",
		"no phone":              "id,tag,timezone\n",
		"an unknown column":     "phone,secret\n",
		"one that comes twice":  "phone,tag,Tag\n",
		"an empty one":          "phone,tag,\n",
		"broken quotes":         "\"phone,tag\n79001234567,a\n",
		"tabs":                  "phone\ttag\n",
		"UTF-16":                "\xff\xfep\x00h\x00o\x00n\x00e\x00\n\x00",
		"a byte that is no one": "phone,t\xe4g\n",
		"pipes":                 "phone|tag\n",
	} {
		w := v.send(t.Context(), file, "text/csv")
		wantProblem(t, w, http.StatusUnprocessableEntity, "body")
		for _, right := range []string{"phone", "operator_code", "tag", "timezone", "id"} {
			if !strings.Contains(w.Body.String(), right) {
				t.Errorf("%s: it is not told that %s is right: %s", name, right, w.Body)
			}
		}
		for _, sent := range []string{"secret", "7900", "Moscow"} {
			if strings.Contains(w.Body.String(), sent) {
				t.Errorf("%s: it repeats what was sent: %s", name, w.Body)
			}
		}
	}
}

func TestAHeaderThatIsNotKnownIsToldWhatItLooksLike(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for file, want := range map[string]string{
		"Phone,Tag,Zone\n":                    "column 3 of the header has a name that is not known",
		"phone|tag\n":                         "column 1 of the header has a name that is not known",
		"phone\ttag\n79001234567\tvip\n":      "the header has tabs between its columns",
		"\xff\xfep\x00,\x00t\x00\n\x00":       "the file is in UTF-16",
		"\xfe\xff\x00p\x00\t\x00t\x00\n":      "the file is in UTF-16",
		"\ufffd\ufffdp\x00h\x00\t\x00t\x00\n": "the file is in UTF-16",
	} {
		if w := v.send(t.Context(), file, "text/csv"); !strings.Contains(w.Body.String(), want+"; a header in UTF-8") {
			t.Errorf("%q: want %q, got %s", file, want, w.Body)
		}
	}
}

func TestWrongRowsAreRejectedOneByOneAndTheGoodOnesStay(t *testing.T) {
	t.Parallel()
	d := &directory{}
	v := serve(t, &stores{upsertClients: d.upsert})
	file := strings.Join([]string{
		"phone,operator_code,tag,timezone", // 1
		"79001234560,,vip,UTC",
		"89001234567,90," + strings.Repeat("я", 65) + ",Mars/Base",
		"79001234562,,\"two\nlines\",UTC", // and 5
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
	}, "\n")
	unreadable := "has characters that cannot be read: save the file as UTF-8"
	zone := "must be the name of a zone of the IANA database, such as Europe/Moscow"
	phone := "must be 11 digits that start with 7"
	w := v.send(t.Context(), file, "text/csv")
	want := api.Imported{Created: 2, Unchanged: 1, Rejected: 12, Rows: []api.RejectedRow{
		{Line: 3, Errors: []api.FieldError{
			{Location: "phone", Message: phone},
			{Location: "operator_code", Message: "must be 3 digits"},
			{Location: "tag", Message: "must be at most 64 characters"},
			{Location: "timezone", Message: zone},
		}},
		{Line: 6, Errors: []api.FieldError{{Location: "phone", Message: "is in line 2 already"}}},
		{Line: 7, Errors: []api.FieldError{{Location: "row", Message: "has 3 cells, the header has 4"}}},
		{Line: 8, Errors: []api.FieldError{{Location: "row", Message: "has 5 cells, the header has 4"}}},
		{Line: 9, Errors: []api.FieldError{{Location: "row", Message: `has a " where none can be: a cell with one in it stands in quotes, and has it doubled`}}},
		{Line: 10, Errors: []api.FieldError{{Location: "row", Message: `has a " where none can be: a cell with one in it stands in quotes, and has it doubled`}}},
		{Line: 11, Errors: []api.FieldError{{Location: "tag", Message: unreadable}}},
		{Line: 12, Errors: []api.FieldError{
			{Location: "tag", Message: unreadable}, // no error about the phone: the row with the same phone is not valid
		}},
		{Line: 13, Errors: []api.FieldError{
			{Location: "phone", Message: unreadable},
			{Location: "operator_code", Message: "must be 3 digits"},
			{Location: "timezone", Message: zone},
		}},
		{Line: 15, Errors: []api.FieldError{{Location: "row", Message: "a quote is not closed where its cell ends: all up to line 16 was taken for this row"}}},
		{Line: 17, Errors: []api.FieldError{{Location: "timezone", Message: zone}}},
		{Line: 19, Errors: []api.FieldError{{Location: "row", Message: "a quote is opened and never closed: all of the file from here on was taken for this row"}}},
	}}
	if diff := cmp.Diff(want, imported(t, w)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARowOfAClientThatIsNotThereYetNeedsATimeZone(t *testing.T) {
	t.Parallel()
	d := &directory{}
	v := serve(t, &stores{upsertClients: d.upsert})
	wantJSON(t, v.send(t.Context(), "phone\n79001234561\n79001234562\n", ""), http.StatusOK, `{"created": 0, "updated": 0, "unchanged": 1, "rejected": 1,
		"rows": [{"line": 3, "errors": [{"location": "timezone", "message": "must be the name of a zone of the IANA database, such as Europe/Moscow"}]}]}`)
}

func TestAnImportTakesCSVOfUpToFourMebibytes(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{upsertClients: (&directory{}).upsert})
	for _, sent := range []string{"application/json", "text/plain", "multipart/form-data; boundary=x"} {
		w := v.send(t.Context(), "phone\n", sent)
		wantProblem(t, w, http.StatusUnsupportedMediaType)
		if !strings.Contains(w.Body.String(), "text/csv") || strings.Contains(w.Body.String(), "json\"") {
			t.Errorf("it is not told which type is right: %s", w.Body)
		}
	}
	full := "phone\n79001234561\n" + strings.Repeat("\n", 4<<20-18)
	if done := imported(t, v.send(t.Context(), full, "text/csv")); done.Unchanged != 1 || done.NextLine != 0 {
		t.Errorf("4 MiB: %+v", done)
	}
	w := v.send(t.Context(), full+"\n", "text/csv")
	wantProblem(t, w, http.StatusRequestEntityTooLarge)
	if !strings.Contains(w.Body.String(), "4 MiB") {
		t.Errorf("it is not told how much is allowed: %s", w.Body)
	}
	if w := v.call(http.MethodPost, "/api/clients", strings.Repeat(" ", 1<<20+1)); !strings.Contains(w.Body.String(), "1 MiB") {
		t.Errorf("of JSON it is not told how much is allowed: %s", w.Body)
	}
}

func TestAnImportStopsInTimeAndSaysWhereToGoOn(t *testing.T) {
	t.Parallel()
	clock := now
	d := &directory{each: func() { clock = clock.Add(4 * time.Second) }}
	v := serveAt(t, &stores{upsertClients: d.upsert}, func() time.Time { return clock })
	lines := make([]string, 0, 2001)
	for n := range 2000 {
		lines = append(lines, fmt.Sprintf("7900%07d", n))
	}
	file := "phone\n" + strings.Join(lines, "\n") + "\n"
	ctx, cancel := context.WithDeadline(t.Context(), now.Add(15*time.Second))
	defer cancel()
	done := imported(t, v.send(ctx, file, ""))
	// Three parts take 12 of the 15 seconds.
	if want := 3*mailing.ImportRows + 2; d.calls != 3 || done.NextLine != want || done.Unchanged+done.Rejected != want-2 {
		t.Fatalf("%d calls, next line %d, want %d; %d unchanged, %d rejected", d.calls, done.NextLine, want, done.Unchanged, done.Rejected)
	}
	rest := "phone\n" + strings.Join(lines[done.NextLine-2:], "\n")
	if again := imported(t, v.send(t.Context(), rest, "")); again.NextLine != 0 || again.Unchanged+done.Unchanged != 1000 {
		t.Errorf("the rest: next line %d, %d unchanged", again.NextLine, again.Unchanged)
	}
	if len(d.rows) != 2000 || d.rows[1999].Phone != lines[1999] {
		t.Errorf("%d rows were looked at", len(d.rows))
	}
}

func TestAnImportWithoutTimeLooksAtNothing(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	ctx, cancel := context.WithDeadline(t.Context(), now.Add(3*time.Second))
	defer cancel()
	wantJSON(t, v.send(ctx, "\n\nphone\n\n79001234561\n", ""), http.StatusOK,
		`{"created": 0, "updated": 0, "unchanged": 0, "rejected": 0, "rows": [], "next_line": 4}`)
	wantJSON(t, v.send(ctx, "phone\n\n", ""), http.StatusOK, `{"created": 0, "updated": 0, "unchanged": 0, "rejected": 0, "rows": []}`)
}

func TestAnImportOfWrongRowsStopsBeforeItsAnswerIsTooLarge(t *testing.T) {
	t.Parallel()
	d := &directory{}
	v := serve(t, &stores{upsertClients: d.upsert})
	worst := "\xff,x," + strings.Repeat("я", 65) + ",\"\"\"\"\n" // it breaks all rules
	file := "phone,operator_code,tag,timezone\n79001234561,,,UTC\n" + strings.Repeat(worst, 12_000)
	w := v.send(t.Context(), file, "")
	done := imported(t, w)
	if done.Rejected != 10_000 || done.NextLine != 10_003 || done.Unchanged != 1 {
		t.Errorf("%d rejected, next line %d, %d unchanged", done.Rejected, done.NextLine, done.Unchanged)
	}
	asText, err := json.Marshal(w.Body.String()) // Lambda passes the body on as a JSON string
	if err != nil || len(asText) > 6_000_000 {
		t.Errorf("the answer has %d bytes, %v", len(asText), err)
	}
}

func TestAnImportThatBreaksOffTellsWhatIsDoneAndWhereToGoOn(t *testing.T) {
	t.Parallel()
	calls := 0
	v := serve(t, &stores{upsertClients: func(rows []mailing.ClientRow) ([]mailing.RowResult, error) {
		calls++
		results := make([]mailing.RowResult, len(rows))
		for i := range results {
			results[i].Outcome = mailing.RowCreated
		}
		if calls == 2 {
			results[3].Outcome = mailing.RowOpen
			return results, errors.New("no table")
		}
		return results, nil
	}})
	var file strings.Builder
	file.WriteString("phone,timezone\nwrong,UTC\n")
	for n := range mailing.ImportRows + 10 {
		fmt.Fprintf(&file, "7900%07d,UTC\n", n)
	}
	got := imported(t, v.send(t.Context(), file.String(), ""))
	want := api.Imported{
		Created: mailing.ImportRows + 9, Rejected: 1, NextLine: 3 + mailing.ImportRows + 3,
		Rows: got.Rows,
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got.Rows) != 1 || got.Rows[0].Line != 2 {
		t.Errorf("(-want +got):\n%s%+v", diff, got.Rows)
	}
	if !strings.Contains(v.log.String(), "no table") {
		t.Errorf("it is not logged: %s", v.log)
	}
}

func TestAnImportThatCannotWriteIsAnInternalError(t *testing.T) {
	t.Parallel()
	for name, upsert := range map[string]func([]mailing.ClientRow) ([]mailing.RowResult, error){
		"an error": func(rows []mailing.ClientRow) ([]mailing.RowResult, error) {
			return make([]mailing.RowResult, len(rows)), errors.New("no table")
		},
		"rows that nothing is known of": func(rows []mailing.ClientRow) ([]mailing.RowResult, error) {
			return make([]mailing.RowResult, len(rows)), nil
		},
	} {
		v := serve(t, &stores{upsertClients: upsert})
		w := v.send(t.Context(), "phone\n79001234561\n", "")
		wantProblem(t, w, http.StatusInternalServerError)
		if strings.Contains(w.Body.String(), "table") || strings.Contains(v.log.String(), "79001234") {
			t.Errorf("%s: it shows the inside, or the log a phone: %s %s", name, w.Body, v.log)
		}
	}
}
