package walk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"postrider/internal/mailing"
)

// request is a request to one operation, in the description's terms.
type request struct {
	op     *operation
	path   map[string]string
	query  url.Values
	header http.Header
	body   []byte
}

// medias returns the media types of the operation's body, "" for none.
func (op *operation) medias() []string {
	if op.RequestBody == nil {
		return []string{""}
	}
	return slices.Sorted(maps.Keys(op.RequestBody.Content))
}

// documented returns the request that the description documents for an operation, with
// the examples of all parameters and of the body. Ids are those that links have led to,
// and If-Match is the current version.
func (w *world) documented(op *operation, media string) *request {
	w.t.Helper()
	r := &request{op: op, path: map[string]string{}, query: url.Values{}, header: http.Header{}}
	for _, p := range op.Parameters {
		value := fmt.Sprint(p.Example)
		if n, ok := p.Example.(float64); ok {
			value = strconv.FormatFloat(n, 'f', -1, 64) // an id, without an exponent
		}
		if linked, ok := w.linked[op.OperationID][p.Name]; ok {
			value = linked
		}
		switch p.In {
		case "path":
			r.path[p.Name] = value
		case "query":
			r.query.Set(p.Name, value)
		}
	}
	if op.takes("header", "If-Match") {
		r.header.Set("If-Match", strconv.Quote(strconv.FormatInt(w.mailing().Version, 10)))
	}
	if media != "" {
		r.header.Set("Content-Type", media)
		r.body = op.RequestBody.Content[media].Example
		switch {
		case media == "multipart/form-data":
			r.form(w)
		case !strings.HasSuffix(media, "json"):
			var text string
			if err := json.Unmarshal(r.body, &text); err != nil {
				w.t.Fatalf("%s: the example of its %s: %v", op.OperationID, media, err)
			}
			r.body = []byte(text)
		}
	}
	return r
}

// form turns the body from an example in JSON into a form, each field a part.
func (r *request) form(w *world) {
	w.t.Helper()
	var fields map[string]string
	if err := json.Unmarshal(r.body, &fields); err != nil {
		w.t.Fatalf("%s: the example of its form: %v", r.op.OperationID, err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		part, err := form.CreateFormFile(name, "example.csv")
		if err == nil {
			_, err = io.WriteString(part, value)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		w.t.Fatal(err)
	}
	r.header.Set("Content-Type", form.FormDataContentType())
	r.body = body.Bytes()
}

// first returns the documented request with the first media type.
func (w *world) first(op *operation) *request { return w.documented(op, op.medias()[0]) }

// mailing returns the current state of the mailing of the walk.
func (w *world) mailing() mailing.Mailing {
	w.t.Helper()
	m, err := w.store.Mailing(w.t.Context(), 1)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) send(r *request) *httptest.ResponseRecorder {
	w.t.Helper()
	target := r.op.path
	for name, value := range r.path {
		target = strings.ReplaceAll(target, "{"+name+"}", url.PathEscape(value))
	}
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader = http.NoBody
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	sent := httptest.NewRequestWithContext(w.t.Context(), r.op.method, target, body)
	w.authorise(sent.Header)
	maps.Copy(sent.Header, r.header)
	answer := httptest.NewRecorder()
	w.api.ServeHTTP(answer, sent)
	return answer
}

// follow records the parameters that the links of an answer lead to.
func (w *world) follow(op *operation, answer *httptest.ResponseRecorder) {
	w.t.Helper()
	said := op.Responses[strconv.Itoa(answer.Code)]
	if len(said.Links) == 0 {
		return
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
		w.t.Fatal(err)
	}
	for _, link := range said.Links {
		for param, expression := range link.Parameters {
			field, ok := strings.CutPrefix(expression, "$response.body#/")
			value, has := body[field]
			if !ok || !has {
				w.t.Errorf("%s: a link's %q leads nowhere", op.OperationID, expression)
			}
			if w.linked[link.OperationID] == nil {
				w.linked[link.OperationID] = map[string]string{}
			}
			w.linked[link.OperationID][param] = string(value)
		}
	}
}

// with returns an example with some fields replaced.
func with(w *world, example []byte, fields map[string]any) []byte {
	w.t.Helper()
	var body map[string]any
	if err := json.Unmarshal(example, &body); err != nil {
		w.t.Fatal(err)
	}
	maps.Copy(body, fields)
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}
