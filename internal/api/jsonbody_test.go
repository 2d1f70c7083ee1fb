package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"postrider/internal/mailing"
)

func TestAKeyThatIsTwiceInAnObjectIsRefused(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	for body, place := range map[string]string{
		`{"phone": "79001234567", "phone": "79001234568", "timezone": "UTC"}`:               "line 1, column 32",
		"{\"phone\": \"79001234567\",\n \"tag\": \"я\", \"t\\u0061g\": \"b\"}":              "line 2, column 23",
		`{"phone": "79001234567", "timezone": "UTC", "id": {"a": 1, "b": [{}], "a": 1}}`:    "line 1, column 73",
		`{"phone": "79001234567", "timezone": "UTC", "id": [{"a": {"a": {}}}, {"a": 1, "a"`: "line 1, column 81",
	} {
		w := v.call(http.MethodPost, "/api/clients", body)
		wantProblem(t, w, http.StatusBadRequest)
		if !strings.Contains(w.Body.String(), "a key twice in one object: see "+place) {
			t.Errorf("%s: %s", body, w.Body)
		}
	}
	for _, target := range []string{"/api/clients/7", "/api/mailings/3"} {
		wantProblem(t, v.call(http.MethodPatch, target, `{"tag": "a", "tag": "a"}`), http.StatusBadRequest)
	}
	// The same key in different objects is not twice in one.
	if w := v.call(http.MethodPatch, "/api/clients/7", `{"id": [{"a": {"a": 1}}, {"a": [{"a": 2}, {"a": 3}]}], "tag": "a"}`); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTextThatIsNoUnicodeIsRefused(t *testing.T) {
	t.Parallel()
	m := sale()
	s := &stores{client: &ann, mailing: &m, createClient: func(c mailing.Client) (mailing.Client, error) { return c, nil }}
	v := serve(t, s)
	for _, tag := range []string{`\ud800`, `a\uDBFFb`, `\udc00`, `\udc00\ud800`, `\ud800\ud800\udc00`, `\\\ud83d`, `\ud83d\\udc00`, `\ud83d\n`} {
		w := v.call(http.MethodPost, "/api/clients", `{"timezone": "UTC", "phone": "79001234567", "tag": "`+tag+`"}`)
		wantProblem(t, w, http.StatusUnprocessableEntity, "body.tag")
	}
	wantProblem(t, v.call(http.MethodPost, "/api/mailings/preview", `{"filter": {"tags": ["a", "\ud800"]}}`), http.StatusUnprocessableEntity, "body.filter.tags[1]")
	wantProblem(t, v.call(http.MethodPatch, "/api/mailings/3", `{"text": "\ud800"}`), http.StatusUnprocessableEntity, "body.text")
	wantProblem(t, v.call(http.MethodPatch, "/api/clients/7", "{\"tag\": \"a\xff\"}"), http.StatusBadRequest)
	for tag, want := range map[string]string{`\ud83d\ude42`: "🙂", `\\ud800`: `\\ud800`, `\ufffd`: "\ufffd", `\u0416`: "Ж", "🙂": "🙂"} {
		w := v.call(http.MethodPost, "/api/clients", `{"timezone": "UTC", "phone": "79001234567", "tag": "`+tag+`"}`)
		if w.Code != http.StatusCreated || !strings.Contains(w.Body.String(), `"tag":"`+want+`"`) {
			t.Errorf("%s: %d %s", tag, w.Code, w.Body)
		}
	}
}

func TestATagWithControlCharactersIsRefusedUnlessItStaysAsItIs(t *testing.T) {
	t.Parallel()
	old := ann
	old.Tag = "a\n=cmd|x;b"
	s := &stores{client: &old, createClient: func(c mailing.Client) (mailing.Client, error) { return c, nil }}
	v := serve(t, s)
	for _, tag := range []string{`\u0000`, `a\nb`, `a\tb`, `\u007f`, `a\u0085b`, `a\n=cmd|x;b`} {
		body := `{"timezone": "UTC", "phone": "79001234567", "tag": "` + tag + `"}`
		wantProblem(t, v.call(http.MethodPost, "/api/clients", body), http.StatusUnprocessableEntity, "body.tag")
		wantProblem(t, v.call(http.MethodPut, "/api/clients/7", body), http.StatusUnprocessableEntity, "body.tag")
		if tag != `a\n=cmd|x;b` {
			wantProblem(t, v.call(http.MethodPatch, "/api/clients/7", `{"tag": "`+tag+`"}`), http.StatusUnprocessableEntity, "body.tag")
		}
	}
	wantJSON(t, v.call(http.MethodPatch, "/api/clients/7", `{"timezone": "UTC"}`), http.StatusOK,
		`{"id": 7, "phone": "79001234567", "operator_code": "900", "tag": "a\n=cmd|x;b", "timezone": "UTC"}`)
	wantJSON(t, v.call(http.MethodPatch, "/api/clients/7", `{"tag": null}`), http.StatusOK,
		`{"id": 7, "phone": "79001234567", "operator_code": "900", "tag": "", "timezone": "Europe/Moscow"}`)
	wantJSON(t, v.call(http.MethodGet, "/api/clients/7", ""), http.StatusOK,
		`{"id": 7, "phone": "79001234567", "operator_code": "900", "tag": "a\n=cmd|x;b", "timezone": "Europe/Moscow"}`)
	if w := v.call(http.MethodPost, "/api/clients", `{"timezone": "UTC", "phone": "79001234567", "tag": "  vip "}`); !strings.Contains(w.Body.String(), `"tag":"vip"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAHugeOrDeepPatchTakesLittleTime(t *testing.T) {
	t.Parallel()
	m := sale()
	m.Status, m.StartAt, m.EndAt = mailing.StatusScheduled, now.Add(time.Hour), now.Add(1000*time.Hour)
	v := serve(t, &stores{client: &ann, mailing: &m})
	nested := func(open, shut string, depth int) string {
		return strings.Repeat(open, depth) + "1" + strings.Repeat(shut, depth)
	}
	many := strings.Repeat("null, ", 59_999) + "null"
	keys := make([]byte, 0, 1<<20)
	for n := range 60_000 {
		keys = strconv.AppendInt(append(keys, '"'), int64(n), 10)
		keys = append(keys, `":null,`...)
	}
	for name, body := range map[string]string{
		"deep objects":              `{"id": ` + nested(`{"a": `, "}", 9000) + `}`,
		"deep lists":                `{"id": ` + nested("[", "]", 400_000) + `}`,
		"deep, and never closed":    `{"id": ` + strings.Repeat(`{"a":`, 150_000),
		"many nulls in a list":      `{"id": [` + many + `]}`,
		"many nulls in an object":   `{"id": {` + string(keys) + `"a": null}}`,
		"many unknown keys":         `{` + string(keys) + `"tag": "a"}`,
		"a list in a list of lists": `{"filter": {"tags": [[` + many + `]]}}`,
	} {
		for _, target := range []string{"/api/clients/7", "/api/mailings/3"} {
			began := time.Now()
			w := v.call(http.MethodPatch, target, body)
			if took := time.Since(began); w.Code != http.StatusBadRequest && w.Code != http.StatusUnprocessableEntity || took > 2*time.Second {
				t.Errorf("%s, %s: %d in %v: %.200s", name, target, w.Code, took, w.Body)
			}
		}
	}
	// Read-only fields may have any value that is not too large.
	wide := strings.Repeat(`{"a": null, "b": [null]}, `, 1000) + "1"
	if w := v.call(http.MethodPatch, "/api/clients/7", `{"id": [`+wide+`], "tag": "new"}`); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"tag":"new"`) {
		t.Errorf("%d %.300s", w.Code, w.Body)
	}
}

func TestOnlyZonesOfTheEmbeddedDatabaseAreTaken(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	for _, zone := range []string{
		"localtime", "posixrules", "right/Europe/Moscow", "posix/Europe/Moscow", "Factory", "Europe//Moscow",
		strings.Repeat("Europe/./", 220) + "Moscow", "../zoneinfo/Europe/Moscow", "europe/moscow", "UTC\u0000",
	} {
		body := `{"phone": "79001234567", "timezone": "` + strings.ReplaceAll(zone, "\x00", `\u0000`) + `"}`
		wantProblem(t, v.call(http.MethodPost, "/api/clients", body), http.StatusUnprocessableEntity, "body.timezone")
		wantProblem(t, v.call(http.MethodPatch, "/api/clients/7", body), http.StatusUnprocessableEntity, "body.timezone")
	}
}

func TestATagThatCannotMatchIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	m := sale()
	m.Status, m.Version, m.StartAt, m.EndAt = mailing.StatusScheduled, 3, now.Add(time.Hour), now.Add(1000*time.Hour)
	v := serve(t, &stores{mailing: &m})
	for tag, want := range map[string]string{
		`W/"3"`: "is weak", `W/"3", W/"4"`: "is weak", `"3-gzip"`: "none of this API", `"abc"`: "none of this API", `""`: "none of this API",
		`W/"3-gzip"`: "is weak", `"2"`: "changed", `W/"3", "2"`: "changed", `"3-gzip", "4"`: "changed",
	} {
		w := v.call(http.MethodPatch, "/api/mailings/3", `{"text": "a"}`, "If-Match", tag)
		wantProblem(t, w, http.StatusPreconditionFailed)
		if !strings.Contains(w.Body.String(), want) || want != "changed" && strings.Contains(w.Body.String(), "it has been changed") {
			t.Errorf("%s: %s", tag, w.Body)
		}
	}
	for _, tag := range []string{`"3"`, `W/"3", "3"`, `"3-gzip" , "3"`, "*"} {
		if w := v.call(http.MethodPatch, "/api/mailings/3", `{"text": "a"}`, "If-Match", tag); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", tag, w.Code, w.Body)
		}
	}
}

func TestPATCHSaysWhichTypesItTakes(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	const types = "application/merge-patch+json, application/json"
	for _, c := range []struct {
		method, target, kind string
		status               int
		want                 string
	}{
		{http.MethodPatch, "/api/clients/7", "application/json", http.StatusOK, types},
		{http.MethodPatch, "/api/clients/7", "application/json-patch+json", http.StatusUnsupportedMediaType, types},
		{http.MethodOptions, "/api/clients/7", "", http.StatusMethodNotAllowed, types},
		{http.MethodOptions, "/api/mailings/3/", "", http.StatusMethodNotAllowed, types},
		{http.MethodOptions, "/api/clients", "", http.StatusMethodNotAllowed, ""},
		{http.MethodPut, "/api/clients/7", "text/csv", http.StatusUnsupportedMediaType, ""},
	} {
		w := v.call(c.method, c.target, `{"tag": "a"}`, "Content-Type", c.kind)
		if got := w.Header().Get("Accept-Patch"); w.Code != c.status || got != c.want {
			t.Errorf("%s %s as %s: %d, %q", c.method, c.target, c.kind, w.Code, got)
		}
	}
}
