package api_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestTagsAndOperatorCodesAreListed(t *testing.T) {
	t.Parallel()
	var asked []string
	found := mailing.Facets{Tags: []string{"gold", "vip"}, MoreTags: true, OperatorCodes: []string{"900", "999"}}
	v := serve(t, &stores{facets: func(prefix string) (mailing.Facets, error) {
		asked = append(asked, prefix)
		return found, nil
	}})
	want := `{"tags": ["gold", "vip"], "more_tags": true, "operator_codes": ["900", "999"]}`
	prefix := strings.Repeat("я", mailing.MaxTag)
	for _, target := range []string{
		"/api/clients/facets", "/api/clients/facets/", "/api/clients/facets?prefix=" + url.QueryEscape("vip "),
		"/api/clients/facets?prefix=" + url.QueryEscape(prefix),
	} {
		wantJSON(t, v.call(http.MethodGet, target, "", "Authorization", "Bearer "+viewerKey), http.StatusOK, want)
	}
	if diff := cmp.Diff([]string{"", "", "vip ", prefix}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	found = mailing.Facets{}
	wantJSON(t, v.call(http.MethodGet, "/api/clients/facets", ""), http.StatusOK, `{"tags": [], "more_tags": false, "operator_codes": []}`)
}

func TestAnInvalidRequestForFacetsIsRefused(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{facets: func(string) (mailing.Facets, error) { return mailing.Facets{}, errors.New("no table") }})
	for query, location := range map[string]string{
		"prefix=" + strings.Repeat("x", mailing.MaxTag+1): "query.prefix",
		"prefix=a&prefix=b": "query.prefix",
		"prefix=":           "query.prefix",
		"limit=5":           "query.limit",
	} {
		wantProblem(t, v.call(http.MethodGet, "/api/clients/facets?"+query, ""), http.StatusUnprocessableEntity, location)
	}
	wantProblem(t, v.call(http.MethodGet, "/api/clients/facets", ""), http.StatusInternalServerError)
	// The path is no client's.
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodPost} {
		w := v.call(method, "/api/clients/facets", "")
		wantProblem(t, w, http.StatusMethodNotAllowed)
		if got := w.Header().Get("Allow"); got != "GET, HEAD" {
			t.Errorf("Allow %q", got)
		}
	}
}
