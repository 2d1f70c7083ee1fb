package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

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

func TestAnExportOfWhatIsNotThereIsAProblem(t *testing.T) {
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

func TestTheDescriptionSaysWhatIsCSV(t *testing.T) {
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
	if len(in.RequestBody.Content) != 1 || in.RequestBody.Content["text/csv"] == nil || !strings.Contains(in.Description, "next_line") {
		t.Errorf("import: %+v", in)
	}
	if in.Responses["200"].Content["application/json"] == nil || in.Responses["413"].Content == nil || in.Responses["415"].Content == nil {
		t.Errorf("import answers: %+v", in.Responses)
	}
}
