package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/api"
	"postrider/internal/dynamo/dynamotest"
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

// importFile sends a file to the import, in a context.
func (v service) importFile(ctx context.Context, file, contentType string) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.callIn(ctx, http.MethodPost, "/api/clients/import", file, "Content-Type", contentType)
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

func TestAnImportIsCountedByOutcomeWithTheRejectedRows(t *testing.T) {
	t.Parallel()
	d := &directory{}
	v := serve(t, &stores{upsertClients: d.upsert})
	for _, contentType := range []string{
		"text/csv", without, "Text/CSV; charset=UTF-8; header=present", "application/vnd.ms-excel", "text/tab-separated-values",
	} {
		d.rows = nil
		w := v.importFile(t.Context(), "phone;timezone\n79001234560;UTC\n7;Mars/Base\n79001234562;\n79001234561;UTC\n", contentType)
		wantJSON(t, w, http.StatusOK, `{"created": 1, "updated": 0, "unchanged": 1, "rejected": 2, "rows": [
			{"line": 3, "errors": [{"location": "phone", "message": "must be 11 digits that start with 7"},
				{"location": "timezone", "message": "must be the name of a zone of the IANA database, such as Europe/Moscow"}]},
			{"line": 4, "errors": [{"location": "timezone", "message": "must be the name of a zone of the IANA database, such as Europe/Moscow"}]}]}`)
		if len(d.rows) != 2 || d.rows[0].Phone != "79001234560" || d.rows[1].Phone != "79001234561" {
			t.Errorf("written: %+v", d.rows)
		}
	}
}

func TestAFileWithAWrongHeaderIsRefused(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for _, file := range []string{"", "tag\nvip\n", "phone,secret\n", "\xff\xfep\x00\n\x00"} {
		w := v.importFile(t.Context(), file, "text/csv")
		wantProblem(t, w, http.StatusUnprocessableEntity, "body")
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("the answer repeats input: %s", w.Body)
		}
	}
}

func TestUnknownColumnsAreLeftOutOnRequest(t *testing.T) {
	t.Parallel()
	d := &directory{}
	v := serve(t, &stores{upsertClients: d.upsert})
	send := func(query string) *httptest.ResponseRecorder {
		return v.call(http.MethodPost, "/api/clients/import"+query, "name;phone;timezone\nAnna;79001234560;UTC\n", "Content-Type", "text/csv")
	}
	for _, query := range []string{"", "?ignore_unknown=false"} {
		w := send(query)
		wantProblem(t, w, http.StatusUnprocessableEntity, "body")
		if !strings.Contains(w.Body.String(), "?ignore_unknown=true") {
			t.Errorf("the answer does not say what helps: %s", w.Body)
		}
	}
	if done := imported(t, send("?ignore_unknown=true")); done.Created != 1 {
		t.Errorf("%+v", done)
	}
	for _, query := range []string{"?ignore_unknown=1", "?ignore_unknown=TRUE", "?ignore_unknown="} {
		wantProblem(t, send(query), http.StatusUnprocessableEntity, "query.ignore_unknown")
	}
}

func TestARowOfANewClientNeedsATimeZone(t *testing.T) {
	t.Parallel()
	d := &directory{}
	v := serve(t, &stores{upsertClients: d.upsert})
	wantJSON(t, v.importFile(t.Context(), "phone\n79001234561\n79001234562\n", without), http.StatusOK, `{"created": 0, "updated": 0, "unchanged": 1, "rejected": 1,
		"rows": [{"line": 3, "errors": [{"location": "timezone", "message": "must be the name of a zone of the IANA database, such as Europe/Moscow"}]}]}`)
}

func TestAnImportAcceptsCSVOfUpToFourMebibytes(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{upsertClients: (&directory{}).upsert})
	for _, sent := range []string{"application/json", "text/plain"} {
		w := v.importFile(t.Context(), "phone\n", sent)
		wantProblem(t, w, http.StatusUnsupportedMediaType)
		if !strings.Contains(w.Body.String(), "text/csv") || strings.Contains(w.Body.String(), "json\"") {
			t.Errorf("the answer does not name the right type: %s", w.Body)
		}
	}
	full := "phone\n79001234561\n" + strings.Repeat("\n", 4<<20-18)
	if done := imported(t, v.importFile(t.Context(), full, "text/csv")); done.Unchanged != 1 || done.NextLine != 0 {
		t.Errorf("4 MiB: %+v", done)
	}
	w := v.importFile(t.Context(), full+"\n", "text/csv")
	wantProblem(t, w, http.StatusRequestEntityTooLarge)
	for _, want := range []string{"4 MiB", "in parts of complete rows", "header line", "make import FILE"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the answer does not say %q: %s", want, w.Body)
		}
	}
	if w := v.call(http.MethodPost, "/api/clients", strings.Repeat(" ", 1<<20+1)); !strings.Contains(w.Body.String(), "1 MiB") {
		t.Errorf("the answer to JSON does not name the limit: %s", w.Body)
	}
}

func TestAnImportStopsInTimeAndReturnsTheNextLine(t *testing.T) {
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
	done := imported(t, v.importFile(ctx, file, without))
	// Three parts take 12 of the 15 seconds.
	if want := 3*mailing.ImportRows + 2; d.calls != 3 || done.NextLine != want || done.Unchanged+done.Rejected != want-2 {
		t.Fatalf("%d calls, next line %d, want %d; %d unchanged, %d rejected", d.calls, done.NextLine, want, done.Unchanged, done.Rejected)
	}
	rest := "phone\n" + strings.Join(lines[done.NextLine-2:], "\n")
	if again := imported(t, v.importFile(t.Context(), rest, without)); again.NextLine != 0 || again.Unchanged+done.Unchanged != 1000 {
		t.Errorf("the rest: next line %d, %d unchanged", again.NextLine, again.Unchanged)
	}
	if len(d.rows) != 2000 || d.rows[1999].Phone != lines[1999] {
		t.Errorf("%d rows were looked at", len(d.rows))
	}
}

func TestAnImportWithoutTimeReadsNoRow(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	ctx, cancel := context.WithDeadline(t.Context(), now.Add(3*time.Second))
	defer cancel()
	wantJSON(t, v.importFile(ctx, "\n\nphone\n\n79001234561\n", without), http.StatusOK,
		`{"created": 0, "updated": 0, "unchanged": 0, "rejected": 0, "rows": [], "next_line": 5}`)
	wantJSON(t, v.importFile(ctx, "phone\n\n", without), http.StatusOK, `{"created": 0, "updated": 0, "unchanged": 0, "rejected": 0, "rows": []}`)
}

func TestAnImportStopsBeforeItsAnswerIsTooLarge(t *testing.T) {
	t.Parallel()
	d := &directory{}
	v := serve(t, &stores{upsertClients: d.upsert})
	worst := "\xff,x," + strings.Repeat("я", 65) + ",\"\"\"\"\n" // it breaks all rules
	file := "phone,operator_code,tag,timezone\n79001234561,,,UTC\n" + strings.Repeat(worst, 10_100)
	w := v.importFile(t.Context(), file, without)
	done := imported(t, w)
	if done.Rejected != 10_000 || done.NextLine != 10_003 || done.Unchanged != 1 {
		t.Errorf("%d rejected, next line %d, %d unchanged", done.Rejected, done.NextLine, done.Unchanged)
	}
	asText, err := json.Marshal(w.Body.String()) // Lambda passes the body on as a JSON string
	if err != nil || len(asText) > 6_000_000 {
		t.Errorf("the answer has %d bytes, %v", len(asText), err)
	}
}

func TestAnImportThatFailsReturnsItsOutcomeAndTheNextLine(t *testing.T) {
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
	file.WriteString("wrong,UTC\n") // after the next line, so it comes again
	got := imported(t, v.importFile(t.Context(), file.String(), without))
	want := api.Imported{
		Created: mailing.ImportRows + 3, Rejected: 1, NextLine: 3 + mailing.ImportRows + 3,
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
		w := v.importFile(t.Context(), "phone\n79001234561\n", without)
		wantProblem(t, w, http.StatusInternalServerError)
		if strings.Contains(w.Body.String(), "table") || strings.Contains(v.log.String(), "79001234") {
			t.Errorf("%s: it shows the inside, or the log a phone: %s %s", name, w.Body, v.log)
		}
	}
}

func TestImportingAnExportChangesNothing(t *testing.T) {
	t.Parallel()
	v := serveClients(t, dynamotest.StartMemory(t).Store())
	var file strings.Builder
	file.WriteString("phone;tag;timezone;operator_code\n")
	for n := range 1000 {
		fmt.Fprintf(&file, "7900%07d;%s;Europe/Moscow;%s\n", n, []string{"", "vip", "=\"1;2\"", "-b"}[n%4], []string{"", "999"}[n%2])
	}
	made := imported(t, v.importFile(t.Context(), strings.ReplaceAll(file.String(), "=\"1;2\"", "\"=\"\"1;2\"\"\""), without))
	if made.Created != 1000 {
		t.Fatalf("%+v", made)
	}
	for _, query := range []string{"?limit=300", "?limit=300&bom=true"} {
		reimport(t, v, query)
	}
}

// reimport imports each page of an export, which must change none of 1,000 clients.
func reimport(t *testing.T, v service, query string) {
	t.Helper()
	exported, pages := 0, 0
	for next := query; next != ""; pages++ {
		w := v.call(http.MethodGet, "/api/clients/export"+next, "")
		if marked := strings.HasPrefix(w.Body.String(), "\ufeff"); marked != strings.Contains(query, "bom") {
			t.Errorf("page %d of %s has a byte order mark: %v", pages, query, marked)
		}
		done := imported(t, v.importFile(t.Context(), w.Body.String(), without))
		if done.Created+done.Updated+done.Rejected != 0 {
			t.Fatalf("an export is imported as %+v", done)
		}
		exported += done.Unchanged
		next, _, _ = strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">")
	}
	if exported != 1000 || pages != 4 {
		t.Errorf("%d clients were exported in %d pages", exported, pages)
	}
}

// wantCSV checks a page of an export, and returns the target of its Link header.
func wantCSV(t *testing.T, w *httptest.ResponseRecorder, name, body string) (next string) {
	t.Helper()
	if diff := cmp.Diff(body, w.Body.String()); diff != "" || w.Code != http.StatusOK {
		t.Errorf("status %d, body (-want +got):\n%s", w.Code, diff)
	}
	if got := w.Header().Get("Content-Type"); got != "text/csv; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="`+name+`"` {
		t.Errorf("content disposition %q", got)
	}
	link := w.Header().Get("Link")
	if link == "" {
		return ""
	}
	target, ok := strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	if !ok || !strings.HasPrefix(target, "?") {
		t.Errorf("link %q", link)
	}
	return target
}

func TestClientsAreExportedPageByPage(t *testing.T) {
	t.Parallel()
	var asked mailing.ClientQuery
	page := mailing.List[mailing.Client]{Items: []mailing.Client{
		ann, {ID: 8, Phone: "79001234568", OperatorCode: "900", Tag: "a, \"b\"; c\nd", Timezone: "UTC"}, {ID: 9, Phone: "79001234569", OperatorCode: "900", Timezone: "UTC"},
	}, Next: "on-"}
	v := serve(t, &stores{listClients: func(q mailing.ClientQuery) (mailing.List[mailing.Client], error) {
		asked = q
		return page, nil
	}})
	const header = "id,phone,operator_code,tag,timezone\n"
	next := wantCSV(t, v.call(http.MethodGet, "/api/clients/export?operator_code=900&tag=v%20%26p&phone=79001234567&limit=3&cursor=abc", ""), "clients.csv",
		header+"7,79001234567,900,vip,Europe/Moscow\n8,79001234568,900,\"a, \"\"b\"\"; c\nd\",UTC\n9,79001234569,900,,UTC\n")
	want := mailing.ClientQuery{Phone: "79001234567", OperatorCode: "900", Tag: "v &p", Limit: 3, Cursor: "abc"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	// API Gateway puts its stage before the path.
	base, err := url.Parse("https://api.example.org/prod/api/clients/export?operator_code=900")
	if err != nil {
		t.Fatal(err)
	}
	link, err := base.Parse(next)
	if err != nil || link.Path != base.Path {
		t.Fatalf("the link leads to %v, %v", link, err)
	}
	page = mailing.List[mailing.Client]{}
	if more := wantCSV(t, v.call(http.MethodGet, strings.TrimPrefix(link.RequestURI(), "/prod"), ""), "clients.csv", header); more != "" {
		t.Errorf("at the end a link leads to %s", more)
	}
	want.Cursor = "on-"
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked by the link (-want +got):\n%s", diff)
	}
	wantCSV(t, v.call(http.MethodGet, "/api/clients/export/", ""), "clients.csv", header)
	if diff := cmp.Diff(mailing.ClientQuery{Limit: 1000}, asked); diff != "" {
		t.Errorf("asked by default (-want +got):\n%s", diff)
	}
}

func TestMessagesOfAMailingAreExported(t *testing.T) {
	t.Parallel()
	var asked mailing.MessageQuery
	m, sent := sale(), aMessage()
	sent.Member.Status, sent.Member.At, sent.Member.Error = mailing.Sent, now.Add(time.Second), ""
	failed := sent
	failed.ID, failed.Phone = mailing.NewMessageID(3, 9), ""
	failed.Member = mailing.Recipient{Client: 9, Status: mailing.Failed, Attempts: 10, Uncertain: 2, At: now, Error: "http_500"}
	v := serve(t, &stores{mailing: &m, listMessages: func(q mailing.MessageQuery) (mailing.List[mailing.Message], error) {
		asked = q
		return mailing.List[mailing.Message]{Items: []mailing.Message{sent, failed}, Next: "on"}, nil
	}})
	next := wantCSV(t, v.call(http.MethodGet, "/api/mailings/3/messages/export?status=failed&limit=5000", ""), "mailing-3-messages.csv",
		"id,mailing_id,client_id,phone,status,attempts,uncertain_attempts,last_error,created_at,sent_at\n"+
			"12884901895,3,7,79001234567,sent,2,1,,2030-01-31T12:00:00.000Z,2030-01-31T12:00:01.000Z\n"+
			"12884901897,3,9,,failed,10,2,http_500,2030-01-31T12:00:00.000Z,\n")
	if next != "?cursor=on&limit=5000&status=failed" {
		t.Errorf("link %q", next)
	}
	if diff := cmp.Diff(mailing.MessageQuery{Mailing: 3, Status: mailing.Failed, Limit: 5000}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	v.call(http.MethodGet, "/api/mailings/3/messages/export?cursor=abc", "")
	if diff := cmp.Diff(mailing.MessageQuery{Mailing: 3, Limit: 1000, Cursor: "abc"}, asked); diff != "" {
		t.Errorf("asked by default (-want +got):\n%s", diff)
	}
}

func TestAnExportOfAnUnknownMailingIsNotFound(t *testing.T) {
	t.Parallel()
	m := sale()
	m.Deleted = true
	refused := mailing.Malformed("the cursor is not one of this list")
	v := serve(t, &stores{
		mailing:     &m,
		listClients: func(mailing.ClientQuery) (l mailing.List[mailing.Client], err error) { return l, refused },
	})
	for target, status := range map[string]int{
		"/api/mailings/3/messages/export":       http.StatusNotFound, // deleted
		"/api/mailings/4/messages/export":       http.StatusNotFound,
		"/api/mailings/0/messages/export":       http.StatusNotFound,
		"/api/mailings/3/messages":              http.StatusNotFound,
		"/api/clients/export?cursor=x":          http.StatusBadRequest,
		"/api/clients/export?limit=0":           http.StatusUnprocessableEntity,
		"/api/clients/export?limit=5001":        http.StatusUnprocessableEntity,
		"/api/clients/export?format=xls":        http.StatusUnprocessableEntity,
		"/api/mailings/3/messages/export?tag=a": http.StatusUnprocessableEntity,
	} {
		w := v.call(http.MethodGet, target, "")
		if w.Code != status || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: status %d, want %d: %s", target, w.Code, status, w.Body)
		}
	}
}

func TestTheDescriptionHasTheTypeOfFiles(t *testing.T) {
	t.Parallel()
	var d struct {
		Paths map[string]map[string]struct {
			Description string `json:"description"`
			RequestBody struct {
				Content map[string]any `json:"content"`
			} `json:"requestBody"`
			Responses map[string]struct {
				Content map[string]any `json:"content"`
				Headers map[string]any `json:"headers"`
			} `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(serve(t, &stores{}).call(http.MethodGet, "/openapi.json", "").Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/clients/export", "/api/mailings/{id}/messages/export"} {
		ok := d.Paths[path]["get"].Responses["200"]
		if len(ok.Content) != 1 || ok.Content["text/csv"] == nil || ok.Headers["Link"] == nil || ok.Headers["Content-Disposition"] == nil {
			t.Errorf("%s: %+v", path, ok)
		}
	}
	in := d.Paths["/api/clients/import"]["post"]
	if len(in.RequestBody.Content) != 4 || in.RequestBody.Content["text/csv"] == nil || in.RequestBody.Content["multipart/form-data"] == nil || in.RequestBody.Content["application/vnd.ms-excel"] == nil || !strings.Contains(in.Description, "next_line") {
		t.Errorf("import: %+v", in)
	}
	if in.Responses["200"].Content["application/json"] == nil || in.Responses["413"].Content == nil || in.Responses["415"].Content == nil {
		t.Errorf("import answers: %+v", in.Responses)
	}
}
