package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/api"
	"postrider/internal/mailing"
)

func TestOneTrailingSlashIsIgnored(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann, listClients: func(mailing.ClientQuery) (mailing.List[mailing.Client], error) {
		return mailing.List[mailing.Client]{}, nil
	}})
	for _, c := range [][2]string{
		{"/api/clients", `{"items": []}`},
		{"/api/clients/", `{"items": []}`},
		{"/api/clients/?limit=1", `{"items": []}`},
		{"/api/clients/7", annJSON},
		{"/api/clients/7/", annJSON},
		{"/api/clients/%37/", annJSON},
		{"/healthz", `{"status": "ok"}`},
		{"/healthz/?now=1", `{"status": "ok"}`},
	} {
		wantJSON(t, v.call(http.MethodGet, c[0], ""), http.StatusOK, c[1])
	}
}

func TestAnUnknownPathIsNotFound(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for _, target := range []string{
		"/ap", "/api/client", "/api/clients//", "//api/clients", "/api//clients", "/api/./clients", "/api/clients/../clients",
		"/api/clients/7/8", "/api/clients%2F", "/docs/none.js", "/schemas/Client.json", "/api/%00",
	} {
		w := v.call(http.MethodGet, target, "")
		wantProblem(t, w, http.StatusNotFound)
	}
}

func TestARefusedMethodGetsTheAllowedOnes(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for target, allow := range map[string]string{
		"/api/clients":            "GET, HEAD, POST",
		"/api/clients/7/":         "DELETE, GET, HEAD, PATCH, PUT",
		"/api/mailings/3/pause":   "POST",
		"/api/mailings/fullinfo/": "GET, HEAD",
		"/api/mailings/process":   "POST",
		"/openapi.json":           "GET, HEAD",
		"/openapi-3.0.json":       "GET, HEAD",
	} {
		for _, method := range []string{"TRACE", http.MethodPut, http.MethodDelete} {
			if strings.Contains(allow, method) {
				continue
			}
			w := v.call(method, target, "")
			wantProblem(t, w, http.StatusMethodNotAllowed)
			if got := w.Header().Get("Allow"); got != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, target, got, allow)
			}
		}
	}
}

func TestABodyThatIsNotJSONIsMalformed(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	for _, body := range []string{`{"phone": "79001234567"`, `phone=79001234567`, `{} {}`, ` `, `{'phone': 1}`} {
		for _, request := range [][2]string{
			{http.MethodPost, "/api/clients"}, {http.MethodPut, "/api/clients/7"}, {http.MethodPatch, "/api/clients/7"},
		} {
			w := v.call(request[0], request[1], body)
			wantProblem(t, w, http.StatusBadRequest)
			if strings.Contains(w.Body.String(), "7900") {
				t.Errorf("it repeats what was sent: %s", w.Body)
			}
		}
	}
	wantProblem(t, v.call(http.MethodPost, "/api/clients", ""), http.StatusBadRequest)
	wantProblem(t, v.call(http.MethodPatch, "/api/clients/7", ""), http.StatusBadRequest)
}

func TestAnInvalidJSONBodyGetsThePlaceOfTheError(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	for body, want := range map[string]string{
		"":                                  "the request needs a body in JSON",
		`{"phone": "79001234567",}`:         "the body is not JSON: reading stopped at line 1, column 25",
		"{\n  \"tag\": \"привет\", 'a'}":    "the body is not JSON: reading stopped at line 2, column 20",
		"{\n  \"phone\": \"79001234567\"\n": "the body is not JSON: reading stopped at line 3, column 0",
		"\ufeff{}":                          "the body is not JSON: reading stopped at line 1, column 1",
	} {
		for _, request := range [][2]string{{http.MethodPost, "/api/clients"}, {http.MethodPatch, "/api/clients/7"}} {
			w := v.call(request[0], request[1], body)
			wantJSON(t, w, http.StatusBadRequest, fmt.Sprintf(`{"title": "Bad Request", "status": 400, "detail": %q}`, want))
		}
	}
}

func TestErrorsOfASchemaHaveOurTexts(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	for target, want := range map[string]string{
		"/api/clients?limit=0":     "must be 1 or more",
		"/api/clients?limit=101":   "must be at most 100",
		"/api/clients?limit=x":     "must be an integer",
		"/api/clients?phone=8":     "must be 11 digits that start with 7",
		"/api/mailings?status=odd": "must be one of scheduled, running, paused, completed, cancelled",
	} {
		wantMessage(t, v.call(http.MethodGet, target, ""), want)
	}
	many := `"` + strings.Repeat(`a", "`, 50) + `a"`
	for field, want := range map[string]string{
		`"text": 5`:                              "must be a string",
		`"text": ""`:                             "must be 1 or more characters",
		`"text": " "`:                            "must be more than blanks",
		`"start_at": "tomorrow"`:                 "must be a time with an offset, such as 2030-01-31T09:00:00+03:00",
		`"start_at": "2030-01-31T09:00"`:         "must be a time with an offset, such as 2030-01-31T09:00:00+03:00",
		`"filter": []`:                           "must be an object",
		`"filter": {"tags": "vip"}`:              "must be a list",
		`"filter": {"tags": [` + many + `]}`:     "must be at most 50 entries",
		`"filter": {"tags": [" a"]}`:             "must be without blanks around it",
		`"window": {"from": "9", "to": "10:00"}`: "must be a time as HH:MM",
		`"on_uncertain": "guess"`:                "must be one of resend, stop, null",
	} {
		wantMessage(t, v.call(http.MethodPatch, "/api/mailings/3", "{"+field+"}"), want)
	}
	wantMessage(t, v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", "a b"), "must be printable ASCII without blanks")
}

// wantMessage compares the only error of a problem document with the expected
// message.
func wantMessage(t *testing.T, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || len(p.Errors) != 1 || p.Errors[0].Message != want {
		t.Errorf("want %q, got %v: %s", want, err, w.Body)
	}
}

func TestABodyOfAnotherTypeIsRefused(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{createClient: func(c mailing.Client) (mailing.Client, error) { return c, nil }})
	for _, sent := range []string{"text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json", "json", "; x"} {
		wantProblem(t, v.call(http.MethodPost, "/api/clients", annBody, "Content-Type", sent), http.StatusUnsupportedMediaType)
	}
	for _, sent := range []string{"", "application/json; charset=utf-8", "Application/JSON"} {
		if w := v.call(http.MethodPost, "/api/clients", annBody, "Content-Type", sent); w.Code != http.StatusCreated {
			t.Errorf("%q: status %d: %s", sent, w.Code, w.Body)
		}
	}
}

func TestABodyMayHaveOneMebibyte(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{createClient: func(c mailing.Client) (mailing.Client, error) { return c, nil }})
	full := annBody + strings.Repeat(" ", 1<<20-len(annBody))
	if w := v.call(http.MethodPost, "/api/clients", full); w.Code != http.StatusCreated {
		t.Errorf("1 MiB: status %d: %s", w.Code, w.Body)
	}
	wantProblem(t, v.call(http.MethodPost, "/api/clients", full+" "), http.StatusRequestEntityTooLarge)
}

func TestAnImpossibleIDIsNotFound(t *testing.T) {
	t.Parallel()
	m, message := sale(), aMessage()
	v := serve(t, &stores{client: &ann, mailing: &m, message: &message})
	wrapped := map[string][]string{
		"/api/clients/":  {"4294967303", "18446744073709551623"}, // 7 + 2^32, 7 + 2^64
		"/api/mailings/": {"2097152", "4294967299", "18446744073709551619"},
		"/api/messages/": {"7", "4294967296", "9007199254740993", "18446744086594453511", "9007212139642887"},
	}
	for base, ids := range wrapped {
		for _, id := range append(ids, "0", "-1", "-4294967289", "99999999999999999999999999999") {
			wantProblem(t, v.call(http.MethodGet, base+id, ""), http.StatusNotFound)
		}
		for _, id := range []string{"one", "1.5", "+7", "0x7", "%20", "7e0", "7%2F8"} {
			wantProblem(t, v.call(http.MethodGet, base+id, ""), http.StatusUnprocessableEntity, "path.id")
		}
	}
	wantProblem(t, v.call(http.MethodDelete, "/api/clients/-1", ""), http.StatusNotFound)
	wantProblem(t, v.call(http.MethodPatch, "/api/clients/0", `{}`), http.StatusNotFound)
	wantProblem(t, v.call(http.MethodPost, "/api/mailings/0/pause", ""), http.StatusNotFound)
	wantProblem(t, v.call(http.MethodGet, "/api/messages?mailing_id=0", ""), http.StatusNotFound)
	wantProblem(t, v.call(http.MethodGet, "/api/messages?mailing_id=4", ""), http.StatusNotFound)
}

func TestAnInvalidQueryIsRefusedWithEachParameter(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m})
	for target, locations := range map[string]string{
		"/api/clients?limit=0":                     "query.limit",
		"/api/clients?limit=101":                   "query.limit",
		"/api/clients?limit=ten":                   "query.limit",
		"/api/clients?phone=%2B79001234567":        "query.phone",
		"/api/clients?operator_code=9000":          "query.operator_code",
		"/api/clients?fone=1":                      "query.fone",
		"/api/clients?79001234567=1":               "query",
		"/api/mailings?status=done":                "query.status",
		"/api/mailings?status=running&limit=-1":    "query.limit",
		"/api/mailings/fullinfo?status=sent":       "query.status",
		"/api/mailings/3/info?status=running":      "query.status",
		"/api/mailings/3/info?limit=-1":            "query.limit",
		"/api/messages?mailing_id=x&client_id=1.0": "query.client_id query.mailing_id",
		"/api/messages?limit=9999999999999999999":  "query.limit",
	} {
		wantProblem(t, v.call(http.MethodGet, target, ""), http.StatusUnprocessableEntity, strings.Fields(locations)...)
	}
}

func TestACursorOfAnotherListIsMalformed(t *testing.T) {
	t.Parallel()
	m := sale()
	refused := mailing.Malformed("the cursor is not one of this list")
	v := serve(t, &stores{
		mailing: &m, progress: []mailing.Progress{{}},
		listClients:  func(mailing.ClientQuery) (l mailing.List[mailing.Client], err error) { return l, refused },
		listMailings: func(mailing.MailingQuery) (l mailing.List[mailing.Mailing], err error) { return l, refused },
		listMessages: func(mailing.MessageQuery) (l mailing.List[mailing.Message], err error) { return l, refused },
	})
	for _, path := range []string{"clients", "mailings", "mailings/fullinfo", "mailings/3/info", "messages"} {
		wantProblem(t, v.call(http.MethodGet, "/api/"+path+"?cursor=x", ""), http.StatusBadRequest)
	}
}

func TestAnInternalErrorShowsNoDetailAndIsLogged(t *testing.T) {
	t.Parallel()
	for _, fail := range []error{
		errors.New("table postrider-clients is gone"),
		fmt.Errorf("read it: %w", &mailing.Error{Message: "table postrider-clients is gone"}),
	} {
		v := serve(t, &stores{fail: fail})
		for _, path := range []string{"clients/7", "mailings/3", "mailings/3/info", "messages/12884901895"} {
			w := v.call(http.MethodGet, "/api/"+path, "", "X-Request-Id", "r-1")
			wantProblem(t, w, http.StatusInternalServerError)
			if strings.Contains(w.Body.String(), "table") {
				t.Errorf("it shows the inside: %s", w.Body)
			}
		}
		if log := v.log.String(); strings.Count(log, "postrider-clients") != 4 || !strings.Contains(log, `"request_id":"r-1"`) {
			t.Errorf("not logged: %s", log)
		}
	}
}

func TestAPanicIsAnInternalErrorAndIsLogged(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{listClients: func(mailing.ClientQuery) (mailing.List[mailing.Client], error) {
		panic("79001234567 is out of range")
	}})
	w := v.call(http.MethodGet, "/api/clients", "")
	wantProblem(t, w, http.StatusInternalServerError)
	if strings.Contains(w.Body.String(), "range") {
		t.Errorf("it shows the inside: %s", w.Body)
	}
	if log := v.log.String(); !strings.Contains(log, "goroutine") || !strings.Contains(log, `"status":500`) {
		t.Errorf("not logged: %s", log)
	}
}

func TestALogLineHasTheRouteAndIDsAndNoPhone(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{client: &ann, mailing: &m})
	for target, want := range map[string]map[string]any{
		"/api/clients/7/?79001234567": {"route": "GET /api/clients/{id}", "status": 422.0, "client_id": 7.0},
		"/api/mailings/3":             {"route": "GET /api/mailings/{id}", "status": 200.0, "mailing_id": 3.0},
		"/api/mailings/3/pause":       {"route": "", "status": 405.0},
		"/api/clients/79001234567":    {"route": "GET /api/clients/{id}", "status": 404.0},
		"/79001234567":                {"route": "", "status": 404.0},
	} {
		v.log.Reset()
		v.call(http.MethodGet, target, "", "X-Request-Id", "r-1", "X-API-Key", "79001234567")
		if strings.Contains(v.log.String(), "79001234") {
			t.Errorf("it has the phone: %s", v.log)
		}
		var line map[string]any
		if err := json.Unmarshal(v.log.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, v.log)
		}
		delete(line, "time")
		want["msg"], want["level"], want["method"], want["ms"], want["request_id"] = "request", "INFO", "GET", 0.0, "r-1"
		if target != "/79001234567" {
			want["caller"] = "billing"
		}
		if diff := cmp.Diff(want, line); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
}

func TestHEADAnswersAsGET(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	if w := v.call(http.MethodHead, "/api/clients/7", ""); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("status %d, %v", w.Code, w.Header())
	}
}

func TestAnAnswerListsAtMostAHundredErrors(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for name, body := range map[string]string{
		"values": `{"filter": {"tags": [` + strings.Repeat(`"",`, 5_000) + `""]}}`,
		"keys":   `{"filter": {}` + manyKeys(4_000) + `}`,
	} {
		w := v.call(http.MethodPost, "/api/mailings/preview", body, "Authorization", "Bearer "+viewerKey)
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusUnprocessableEntity || len(p.Errors) != 100 || !strings.Contains(p.Detail, "more errors") {
			t.Errorf("%s: %v, status %d, %d errors in %d bytes", name, err, w.Code, len(p.Errors), w.Body.Len())
		}
	}
}

// manyKeys returns the JSON text of n unknown keys, each after a comma.
func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%c%c%c%c":1`, 'a'+i%26, 'a'+i/26%26, 'a'+i/676%26, 'a'+i/17576%26)
	}
	return b.String()
}
