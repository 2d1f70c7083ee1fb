package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// form returns a form with the boundary x, and a part for each pair of name and content.
func form(parts ...string) string {
	var text strings.Builder
	for part := range slices.Chunk(parts, 2) {
		text.WriteString("--x\r\nContent-Disposition: form-data; name=\"" + part[0] + "\"; filename=\"clients.csv\"\r\n\r\n" +
			strings.Join(part[1:], "") + "\r\n")
	}
	return text.String() + "--x--\r\n"
}

const formType = "multipart/form-data; boundary=x"

func TestAFormIsImportedLikeTheFileInIt(t *testing.T) {
	t.Parallel()
	d := &directory{}
	v := serve(t, &stores{upsertClients: d.upsert})
	const file = "phone,id,timezone\r\n79001234560,\"a\r\n--y\",UTC\r\n7,,UTC\r\n"
	plain := v.importFile(t.Context(), file, "text/csv")
	for _, contentType := range []string{formType, `Multipart/Form-Data; charset=UTF-8; boundary="x"`} {
		w := v.importFile(t.Context(), form("file", file), contentType)
		if w.Code != http.StatusOK || w.Body.String() != plain.Body.String() {
			t.Errorf("%s: status %d\n%s\nwant\n%s", contentType, w.Code, w.Body, plain.Body)
		}
	}
	if len(d.rows) != 3 || d.rows[1].Phone != "79001234560" {
		t.Errorf("written: %+v", d.rows)
	}
	// The file is wrong, not the form.
	wantProblem(t, v.importFile(t.Context(), form("file", "tag\nvip\n"), formType), http.StatusUnprocessableEntity, "body")
	wantProblem(t, v.importFile(t.Context(), form("file", ""), formType), http.StatusUnprocessableEntity, "body")
}

func TestAFormHasOnePartTheFile(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for sent, location := range map[string]string{
		"":                                       "body.file",
		"phone\n":                                "body.file",
		form():                                   "body.file",
		form("other", "phone\n"):                 "body.other",
		form("file", "phone\n", "tag", "vip"):    "body.tag",
		form("79001234561", ""):                  "body",
		form("file", "phone\n", "file", "phone"): "body.file",
		form("file", "", "file", "phone"):        "body.file",
	} {
		w := v.importFile(t.Context(), sent, formType)
		wantProblem(t, w, http.StatusUnprocessableEntity, location)
		if strings.Contains(w.Body.String(), "79001234561") {
			t.Errorf("the answer repeats input: %s", w.Body)
		}
	}
}

func TestAFormThatCannotBeReadIsMalformed(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	whole := form("file", "phone\n")
	for name, c := range map[string]struct{ sent, contentType string }{
		"no boundary":     {whole, "multipart/form-data"},
		"cut in the file": {whole[:len(whole)-12], formType},
		"cut in a header": {whole[:20], formType},
	} {
		w := v.importFile(t.Context(), c.sent, c.contentType)
		if wantProblem(t, w, http.StatusBadRequest); !strings.Contains(w.Body.String(), "multipart/form-data") {
			t.Errorf("%s: the answer does not say what is needed: %s", name, w.Body)
		}
	}
}
