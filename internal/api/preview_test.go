package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestAPreviewReturnsTheAudienceAndTheSizeOfTheText(t *testing.T) {
	t.Parallel()
	var asked mailing.Filter
	v := serve(t, &stores{countAudience: func(f mailing.Filter) (int64, error) {
		asked = f
		return 42, nil
	}})
	for body, want := range map[string]string{
		`{"filter": {}}`:                                    `{"recipients": 42}`,
		`{"filter": {}, "text": ""}`:                        `{"recipients": 42}`,
		`{"filter": {}, "text": "Your order is ready"}`:     `{"recipients": 42, "sms": {"encoding": "GSM-7", "units": 19, "segments": 1}}`,
		`{"filter": {"tags": ["vip"]}, "text": "Привет 🙂"}`: `{"recipients": 42, "sms": {"encoding": "UCS-2", "units": 9, "segments": 1}}`,
	} {
		wantJSON(t, v.call(http.MethodPost, "/api/mailings/preview", body), http.StatusOK, want)
	}
	wantJSON(t, v.call(http.MethodPost, "/api/mailings/preview/", `{"filter": {"operator_codes": ["900"], "tags": ["vip", "b"]}}`),
		http.StatusOK, `{"recipients": 42}`)
	if diff := cmp.Diff(mailing.Filter{OperatorCodes: []string{"900"}, Tags: []string{"vip", "b"}}, asked); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

func TestAPreviewChecksItsFilterAsAMailingDoes(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for body, location := range map[string]string{
		`{}`:                                     "body.filter",
		`{"filter": null}`:                       "body.filter",
		`{"filter": {"tgs": []}}`:                "body.filter.tgs",
		`{"filter": {"operator_codes": ["90"]}}`: "body.filter.operator_codes[0]",
		`{"filter": {"tags": [" vip"]}}`:         "body.filter.tags[0]",
		`{"filter": {"tags": ["` + strings.Repeat(`a", "`, 50) + `"]}}`:  "body.filter.tags",
		`{"filter": {}, "text": "` + strings.Repeat("я", 1601) + `"}`:    "body.text",
		`{"filter": {}, "texts": ["` + strings.Repeat("я", 1601) + `"]}`: "body.texts",
	} {
		w := v.call(http.MethodPost, "/api/mailings/preview", body)
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `"`+location+`"`) {
			t.Errorf("%.60s: %d: %s", body, w.Code, w.Body)
		}
	}
}
