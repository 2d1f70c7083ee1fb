package api_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/api"
	"postrider/internal/mailing"
)

func TestCreatingAClientReturnsItWithItsLocation(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{createClient: func(c mailing.Client) (mailing.Client, error) {
		c.ID = 7
		return c, nil
	}})
	for _, body := range []string{
		annBody,
		`{"phone": "79001234567", "operator_code": null, "tag": "  vip ", "timezone": "Europe/Moscow"}`,
		`{"id": "of no interest", "phone": "79001234567", "tag": "vip", "timezone": "Europe/Moscow"}`,
	} {
		w := v.call(http.MethodPost, "/api/clients", body)
		wantJSON(t, w, http.StatusCreated, annJSON)
		if got := where(t, "/api/clients", w); got != "/api/clients/7" {
			t.Errorf("Location %q", got)
		}
	}
}

func TestAnInvalidClientIsRefusedWithEachField(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for name, c := range map[string]struct {
		body      string
		locations []string
	}{
		"everything is missing":      {`{}`, []string{"body.phone", "body.timezone"}},
		"ten digits":                 {`{"phone": "7900123456", "timezone": "UTC"}`, []string{"body.phone"}},
		"a phone with a plus":        {`{"phone": "+79001234567", "timezone": "UTC"}`, []string{"body.phone"}},
		"a phone as a number":        {`{"phone": 79001234567, "timezone": "UTC"}`, []string{"body.phone"}},
		"a phone that is null":       {`{"phone": null, "timezone": "UTC"}`, []string{"body.phone"}},
		"an unknown zone":            {`{"phone": "79001234567", "timezone": "Mars/Olympus"}`, []string{"body.timezone"}},
		"the machine's zone":         {`{"phone": "79001234567", "timezone": "Local"}`, []string{"body.timezone"}},
		"no zone":                    {`{"phone": "79001234567", "timezone": ""}`, []string{"body.timezone"}},
		"an offset for a zone":       {`{"phone": "79001234567", "timezone": "+03:00"}`, []string{"body.timezone"}},
		"a short operator code":      {`{"phone": "79001234567", "timezone": "UTC", "operator_code": "90"}`, []string{"body.operator_code"}},
		"an empty operator code":     {`{"phone": "79001234567", "timezone": "UTC", "operator_code": ""}`, []string{"body.operator_code"}},
		"a long tag":                 {`{"phone": "79001234567", "timezone": "UTC", "tag": "` + strings.Repeat("я", 65) + `"}`, []string{"body.tag"}},
		"a mistyped key":             {`{"phone": "79001234567", "timezone": "UTC", "tags": "vip"}`, []string{"body.tags"}},
		"a key in another case":      {`{"phone": "79001234567", "Timezone": "UTC"}`, []string{"body.Timezone", "body.timezone"}},
		"a phone for a key":          {`{"79001234567": 1, "phone": "79001234567", "timezone": "UTC"}`, []string{"body"}},
		"a list":                     {`[]`, []string{"body"}},
		"null":                       {`null`, []string{"body"}},
		"the phone and the tag both": {`{"phone": "7", "timezone": "UTC", "tag": 1}`, []string{"body.phone", "body.tag"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := v.call(http.MethodPost, "/api/clients", c.body)
			wantProblem(t, w, http.StatusUnprocessableEntity, c.locations...)
			for _, sent := range []string{"7900123", "Mars", "+03", "яя", `"value"`} {
				if strings.Contains(w.Body.String(), sent) {
					t.Errorf("it repeats what was sent: %s", w.Body)
				}
			}
		})
	}
}

func TestAllErrorsOfAClientAreReportedTogether(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	body := `{"phone": "7", "operator_code": "90", "tag": "` + strings.Repeat("я", 65) + `", "timezone": "Mars/Olympus"}`
	for _, request := range [][2]string{{http.MethodPost, "/api/clients"}, {http.MethodPut, "/api/clients/7"}} {
		w := v.call(request[0], request[1], body)
		wantProblem(t, w, http.StatusUnprocessableEntity, "body.operator_code", "body.phone", "body.tag", "body.timezone")
	}
}

func TestARuleHasOneTextInSchemaAndDomain(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	cells := map[string]string{"phone": "7", "operator_code": "90", "tag": strings.Repeat("я", 65), "timezone": "Mars/Olympus"}
	for name, cell := range cells {
		good := map[string]string{"phone": "79001234567", "timezone": "UTC", name: cell}
		body, err := json.Marshal(good)
		if err != nil {
			t.Fatal(err)
		}
		var sent api.Problem
		var row api.Imported
		answer := v.call(http.MethodPost, "/api/clients", string(body))
		columns := slices.Sorted(maps.Keys(good))
		line := make([]string, len(columns))
		for i, column := range columns {
			line[i] = good[column]
		}
		imported := v.call(http.MethodPost, "/api/clients/import", strings.Join(columns, ",")+"\n"+strings.Join(line, ",")+"\n", "Content-Type", "text/csv")
		if err := errors.Join(json.Unmarshal(answer.Body.Bytes(), &sent), json.Unmarshal(imported.Body.Bytes(), &row)); err != nil || len(sent.Errors) != 1 || len(row.Rows) != 1 {
			t.Fatalf("%s: %v: %s %s", name, err, answer.Body, imported.Body)
		}
		if got, want := sent.Errors[0].Message, row.Rows[0].Errors[0].Message; got != want {
			t.Errorf("%s: in JSON %q, in a file %q", name, got, want)
		}
	}
}

func TestATakenPhoneIsAConflict(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{createClient: func(mailing.Client) (mailing.Client, error) {
		return mailing.Client{}, mailing.Conflict("another client has this phone")
	}})
	w := v.call(http.MethodPost, "/api/clients", annBody)
	wantJSON(t, w, http.StatusConflict, `{"title": "Conflict", "status": 409, "detail": "another client has this phone"}`)
}

func TestAClientIsReadAndReplaced(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &mailing.Client{ID: 7, Phone: "79991234567", OperatorCode: "111", Tag: "old", Timezone: "UTC"}})
	wantJSON(t, v.call(http.MethodGet, "/api/clients/7", ""), http.StatusOK,
		`{"id": 7, "phone": "79991234567", "operator_code": "111", "tag": "old", "timezone": "UTC"}`)
	wantJSON(t, v.call(http.MethodPut, "/api/clients/7", `{"id": 8, "phone": "79001234567", "timezone": "UTC"}`), http.StatusOK,
		`{"id": 7, "phone": "79001234567", "operator_code": "900", "tag": "", "timezone": "UTC"}`)
}

func TestAPatchOfAClientChangesOnlyItsFields(t *testing.T) {
	t.Parallel()
	ported := mailing.Client{ID: 7, Phone: "79001234567", OperatorCode: "999", Tag: "vip", Timezone: "UTC"}
	derived := ported
	derived.OperatorCode = "900"
	for name, c := range map[string]struct {
		client mailing.Client
		patch  string
		want   string
	}{
		"nothing": {ported, `{}`, `{"id": 7, "phone": "79001234567", "operator_code": "999", "tag": "vip", "timezone": "UTC"}`},
		"a new phone derives a derived code again": {
			derived, `{"phone": "79111234567"}`,
			`{"id": 7, "phone": "79111234567", "operator_code": "911", "tag": "vip", "timezone": "UTC"}`,
		},
		"a new phone keeps a code that was set": {
			ported, `{"phone": "79111234567"}`,
			`{"id": 7, "phone": "79111234567", "operator_code": "999", "tag": "vip", "timezone": "UTC"}`,
		},
		"null derives the code again": {
			ported, `{"phone": "79111234567", "operator_code": null}`,
			`{"id": 7, "phone": "79111234567", "operator_code": "911", "tag": "vip", "timezone": "UTC"}`,
		},
		"the code as it is stays with a new phone": {
			derived, `{"phone": "79111234567", "operator_code": "900"}`,
			`{"id": 7, "phone": "79111234567", "operator_code": "900", "tag": "vip", "timezone": "UTC"}`,
		},
		"null clears the tag, and the id is not looked at": {
			derived, `{"id": 99, "tag": null}`,
			`{"id": 7, "phone": "79001234567", "operator_code": "900", "tag": "", "timezone": "UTC"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := serve(t, &stores{client: &c.client})
			wantJSON(t, v.call(http.MethodPatch, "/api/clients/7", c.patch), http.StatusOK, c.want)
			wantJSON(t, v.call(http.MethodPatch, "/api/clients/7", c.patch, "Content-Type", "Application/Merge-Patch+JSON; charset=utf-8"),
				http.StatusOK, c.want)
		})
	}
}

func TestAPatchThatLeavesAClientInvalidIsRefused(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	for patch, location := range map[string]string{
		`{"phone": null}`:            "body.phone",
		`{"phone": 79001234567}`:     "body.phone",
		`{"timezone": "Mars/Base"}`:  "body.timezone",
		`{"time_zone": null}`:        "body.time_zone",
		`[{"phone": "79001234567"}]`: "body",
		`null`:                       "body",
	} {
		wantProblem(t, v.call(http.MethodPatch, "/api/clients/7", patch), http.StatusUnprocessableEntity, location)
	}
	wantProblem(t, v.call(http.MethodPatch, "/api/clients/7", `{"phone": `), http.StatusBadRequest)
}

func TestClientsAreSearchedAndPaged(t *testing.T) {
	t.Parallel()
	var asked mailing.ClientQuery
	page := mailing.List[mailing.Client]{Items: []mailing.Client{ann}, Next: "more"}
	v := serve(t, &stores{listClients: func(q mailing.ClientQuery) (mailing.List[mailing.Client], error) {
		asked = q
		return page, nil
	}})
	wantJSON(t, v.call(http.MethodGet, "/api/clients?phone=79001234567&operator_code=900&tag=v%20p&limit=2&cursor=abc", ""), http.StatusOK,
		`{"items": [`+annJSON+`], "next_cursor": "more"}`)
	want := mailing.ClientQuery{Phone: "79001234567", OperatorCode: "900", Tag: "v p", Limit: 2, Cursor: "abc"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	page = mailing.List[mailing.Client]{}
	wantJSON(t, v.call(http.MethodGet, "/api/clients", ""), http.StatusOK, `{"items": []}`)
	if diff := cmp.Diff(mailing.ClientQuery{Limit: 50}, asked); diff != "" {
		t.Errorf("asked by default (-want +got):\n%s", diff)
	}
}

func TestDeletingAClientTwiceIsNotFound(t *testing.T) {
	t.Parallel()
	var result error
	v := serve(t, &stores{deleteClient: func(mailing.ClientID) error { return result }})
	w := v.call(http.MethodDelete, "/api/clients/7", "")
	if w.Code != http.StatusNoContent || w.Body.Len() > 0 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	result = mailing.NotFound("client")
	wantProblem(t, v.call(http.MethodDelete, "/api/clients/7", ""), http.StatusNotFound)
}
