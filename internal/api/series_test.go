package api_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"postrider/internal/mailing"
)

func TestTheMessagesOfAMailingOverTime(t *testing.T) {
	t.Parallel()
	m := sale()
	m.Status = mailing.StatusCompleted
	v := serve(t, &stores{mailing: &m, series: []mailing.Point{
		{At: now.Add(-2 * time.Minute), Sent: 3, Failed: 1},
		{At: now.Add(-2*time.Minute + 10*time.Second), Sent: 1},
		{At: now.Add(-time.Minute), Uncertain: 2},
	}})
	wantJSON(t, v.call(http.MethodGet, "/api/mailings/3/series?step=60", "", "Authorization", "Bearer "+viewerKey), http.StatusOK,
		`{"step": 60, "points": [
			{"at": "2030-01-31T11:58:00.000Z", "sent": 4, "failed": 1, "uncertain": 0},
			{"at": "2030-01-31T11:59:00.000Z", "sent": 0, "failed": 0, "uncertain": 2}]}`)
	wantJSON(t, v.call(http.MethodGet, "/api/mailings/3/series/", ""), http.StatusOK,
		`{"step": 10, "points": [
			{"at": "2030-01-31T11:58:00.000Z", "sent": 3, "failed": 1, "uncertain": 0},
			{"at": "2030-01-31T11:58:10.000Z", "sent": 1, "failed": 0, "uncertain": 0},
			{"at": "2030-01-31T11:58:20.000Z", "sent": 0, "failed": 0, "uncertain": 0},
			{"at": "2030-01-31T11:58:30.000Z", "sent": 0, "failed": 0, "uncertain": 0},
			{"at": "2030-01-31T11:58:40.000Z", "sent": 0, "failed": 0, "uncertain": 0},
			{"at": "2030-01-31T11:58:50.000Z", "sent": 0, "failed": 0, "uncertain": 0},
			{"at": "2030-01-31T11:59:00.000Z", "sent": 0, "failed": 0, "uncertain": 2}]}`)
}

func TestAMailingWithoutMessagesHasNoPoints(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m})
	wantJSON(t, v.call(http.MethodGet, "/api/mailings/3/series", ""), http.StatusOK, `{"step": 10, "points": []}`)
	wantJSON(t, v.call(http.MethodGet, "/api/mailings/3/series?step=300", ""), http.StatusOK, `{"step": 300, "points": []}`)
}

func TestAnInvalidStepIsRefused(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m, series: []mailing.Point{{At: now.Add(-3 * time.Hour), Sent: 1}, {At: now, Sent: 1}}})
	for step, want := range map[string]string{
		"15":          "must be a multiple of 10",
		"0":           "must be 10 or more",
		"-60":         "must be 10 or more",
		"604810":      "must be at most 604800",
		"x":           "must be an integer",
		"10":          "must be 20 or more for this mailing, which would otherwise have more than 1000 points",
		"9999999999x": "must be an integer",
	} {
		wantMessage(t, v.call(http.MethodGet, "/api/mailings/3/series?step="+step, ""), want)
	}
	wantProblem(t, v.call(http.MethodGet, "/api/mailings/3/series?step=10", ""), http.StatusUnprocessableEntity, "query.step")
	if w := v.call(http.MethodGet, "/api/mailings/3/series?step=20", ""); w.Code != http.StatusOK {
		t.Errorf("the step that the error names gets %d: %s", w.Code, w.Body)
	}
}

func TestAMailingThatIsNotThereHasNoSeries(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m})
	for target, status := range map[string]int{
		"/api/mailings/4/series": http.StatusNotFound, "/api/mailings/99999999999999999999/series": http.StatusNotFound,
		"/api/mailings/x/series": http.StatusUnprocessableEntity,
	} {
		w := v.call(http.MethodGet, target, "")
		if w.Code != status {
			t.Errorf("%s: status %d, want %d: %s", target, w.Code, status, w.Body)
		}
	}
	m.Deleted = true
	wantProblem(t, v.call(http.MethodGet, "/api/mailings/3/series", ""), http.StatusNotFound)
	v.stores.fail = errors.New("no table")
	wantProblem(t, v.call(http.MethodGet, "/api/mailings/3/series", ""), http.StatusInternalServerError)
}
