package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestCreatingAMailingReturnsItAndQueuesItsTasks(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{createMailing: func(m mailing.Mailing) (mailing.Mailing, error) {
		m.ID = 3
		return m, nil
	}})
	w := v.call(http.MethodPost, "/api/mailings", `{"text": "Sale", "start_at": "2030-01-31T15:00:00+03:00",
		"end_at": "2030-02-01T00:00:00.5Z", "filter": {"operator_codes": ["900"]}, "window": {"from": "21:00", "to": "09:00"},
		"status": 5, "version": null, "created_at": "never"}`)
	wantJSON(t, w, http.StatusCreated, `{"id": 3, "text": "Sale", "start_at": "2030-01-31T12:00:00.000Z",
		"end_at": "2030-02-01T00:00:00.500Z", "filter": {"operator_codes": ["900"], "tags": []},
		"window": {"from": "21:00", "to": "09:00"}, "on_uncertain": "resend",
		"sms": {"encoding": "GSM-7", "units": 4, "segments": 1}, "status": "scheduled", "paused_by": null, "version": 1,
		"created_at": "2030-01-31T12:00:00.000Z", "updated_at": "2030-01-31T12:00:00.000Z"}`)
	if l, e := where(t, "/api/mailings", w), w.Header().Get("ETag"); l != "/api/mailings/3" || e != `"1"` {
		t.Errorf("Location %q, ETag %q", l, e)
	}
	if diff := cmp.Diff([]mailing.ID{3}, v.tasks.queued); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

func TestAMailingIsCreatedEvenIfItsTasksCannotBeQueued(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{createMailing: func(m mailing.Mailing) (mailing.Mailing, error) {
		m.ID = 3
		return m, nil
	}})
	v.tasks.fail = errors.New("no queue")
	w := v.call(http.MethodPost, "/api/mailings", saleBody)
	if w.Code != http.StatusCreated {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if log := v.log.String(); !strings.Contains(log, `"mailing_id":3`) || !strings.Contains(log, "no queue") {
		t.Errorf("not logged: %s", log)
	}
}

func TestAnInvalidMailingIsRefusedWithEachField(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	with := func(old, fresh string) string {
		if !strings.Contains(saleBody, old) {
			t.Fatalf("%s is not in the body", old)
		}
		return strings.Replace(saleBody, old, fresh, 1)
	}
	for name, c := range map[string]struct {
		body      string
		locations []string
	}{
		"everything is missing":     {`{}`, []string{"body.end_at", "body.filter", "body.start_at", "body.text"}},
		"a blank text":              {with("Sale", "  "), []string{"body.text"}},
		"a text that is too long":   {with("Sale", strings.Repeat("я", 1601)), []string{"body.text"}},
		"an end before the start":   {with("T11:00", "T14:00"), []string{"body.end_at"}},
		"an end that is past":       {with("13:00", "11:30"), []string{"body.end_at"}},
		"a time without an offset":  {with("11:00:00Z", "11:00:00"), []string{"body.start_at"}},
		"a day without a time":      {with("2030-01-31T11:00:00Z", "2030-01-31"), []string{"body.start_at"}},
		"a day that is not":         {with("2030-01-31T11", "2030-02-31T11"), []string{"body.start_at"}},
		"an offset that is not":     {with("11:00:00Z", "11:00:00+24:00"), []string{"body.start_at"}},
		"a time beyond the years":   {with("2030-01-31T13:00:00Z", "9999-12-31T23:00:00-10:00"), []string{"body.end_at"}},
		"a time as a number":        {with(`"2030-01-31T11:00:00Z"`, "1"), []string{"body.start_at"}},
		"a mistyped filter":         {with("tags", "tag"), []string{"body.filter.tag"}},
		"a filter that is a list":   {with(`{"tags": ["vip"]}`, "[]"), []string{"body.filter"}},
		"a filter that is null":     {with(`{"tags": ["vip"]}`, "null"), []string{"body.filter"}},
		"a tag that is a number":    {with(`"vip"`, `"vip", 1`), []string{"body.filter.tags[1]"}},
		"an operator of two digits": {with(`"tags": ["vip"]`, `"operator_codes": ["90"]`), []string{"body.filter.operator_codes[0]"}},
		"a tag with blanks":         {with(`"vip"`, `" vip"`), []string{"body.filter.tags[0]"}},
		"too many tags":             {with(`"vip"`, `"vip"`+strings.Repeat(`, "vip"`, 50)), []string{"body.filter.tags"}},
		"a window without an end":   {with(`"filter"`, `"window": {"from": "09:00"}, "filter"`), []string{"body.window.to"}},
		"a window of no length":     {with(`"filter"`, `"window": {"from": "09:00", "to": "09:00"}, "filter"`), []string{"body.window"}},
		"a window until midnight":   {with(`"filter"`, `"window": {"from": "09:00", "to": "24:00"}, "filter"`), []string{"body.window.to"}},
		"a mistyped window":         {with(`"filter"`, `"window": {"from": "09:00", "to": "21:00", "till": 1}, "filter"`), []string{"body.window.till"}},
		"an unknown on_uncertain":   {with(`"filter"`, `"on_uncertain": "hope", "filter"`), []string{"body.on_uncertain"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantProblem(t, v.call(http.MethodPost, "/api/mailings", c.body), http.StatusUnprocessableEntity, c.locations...)
		})
	}
}

func TestAMailingIsReadWithItsVersion(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m})
	w := v.call(http.MethodGet, "/api/mailings/3", "")
	wantJSON(t, w, http.StatusOK, "{"+saleFields+"}")
	if got := w.Header().Get("ETag"); got != `"4"` {
		t.Errorf("ETag %q", got)
	}
}

func TestMailingsAreListed(t *testing.T) {
	t.Parallel()
	var asked mailing.MailingQuery
	v := serve(t, &stores{listMailings: func(q mailing.MailingQuery) (mailing.List[mailing.Mailing], error) {
		asked = q
		return mailing.List[mailing.Mailing]{Items: []mailing.Mailing{sale()}, Next: "older"}, nil
	}})
	wantJSON(t, v.call(http.MethodGet, "/api/mailings/?status=running&limit=1&cursor=c", ""), http.StatusOK,
		`{"items": [{`+saleFields+`}], "next_cursor": "older"}`)
	if diff := cmp.Diff(mailing.MailingQuery{Status: mailing.StatusRunning, Limit: 1, Cursor: "c"}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestReplacingAMailingResetsFieldsThatAreLeftOut(t *testing.T) {
	t.Parallel()
	m := sale()
	m.Window = &mailing.Window{From: mailing.ClockTime(9 * time.Hour), To: mailing.ClockTime(21 * time.Hour)}
	v := serve(t, &stores{mailing: &m})
	w := v.call(http.MethodPut, "/api/mailings/3", saleBody)
	wantJSON(t, w, http.StatusOK, strings.NewReplacer(`"version": 4`, `"version": 5`, `"updated_at": "2030-01-31T11`, `"updated_at": "2030-01-31T12`).
		Replace("{"+saleFields+"}"))
	if len(v.tasks.queued) != 1 {
		t.Error("the window is gone, but no task was queued")
	}
}

func TestAPatchOfAMailingChangesOnlyItsFields(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		patch  string
		change []string // old, new in the fields
		queued int
	}{
		"the text":                   {`{"text": "Sold out"}`, []string{`"Sale"`, `"Sold out"`, `"units": 4`, `"units": 8`}, 0},
		"the end":                    {`{"end_at": "2030-01-31T20:00:00+03:00"}`, []string{"T13:00", "T17:00"}, 1},
		"half of the window":         {`{"window": {"to": "20:00"}}`, []string{`"21:00"`, `"20:00"`}, 1},
		"no window any more":         {`{"window": null}`, []string{`{"from": "09:00", "to": "21:00"}`, "null"}, 1},
		"a locked field as it is":    {`{"filter": {"tags": ["vip"]}, "on_uncertain": null}`, nil, 0},
		"what is not looked at":      {`{"id": 1, "sms": 0, "status": null, "version": "x", "created_at": 0, "updated_at": []}`, nil, 0},
		"a list in a filter to null": {`{"filter": {"operator_codes": null}}`, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := sale()
			m.Window = &mailing.Window{From: mailing.ClockTime(9 * time.Hour), To: mailing.ClockTime(21 * time.Hour)}
			v := serve(t, &stores{mailing: &m})
			before := strings.NewReplacer(`"window": null`, `"window": {"from": "09:00", "to": "21:00"}`,
				`"version": 4`, `"version": 5`, `"updated_at": "2030-01-31T11`, `"updated_at": "2030-01-31T12`).Replace("{" + saleFields + "}")
			w := v.call(http.MethodPatch, "/api/mailings/3", c.patch, "Content-Type", "application/merge-patch+json")
			wantJSON(t, w, http.StatusOK, strings.NewReplacer(c.change...).Replace(before))
			if len(v.tasks.queued) != c.queued {
				t.Errorf("queued %d times, want %d", len(v.tasks.queued), c.queued)
			}
		})
	}
}

func TestAPatchThatLeavesAMailingInvalidIsRefused(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m})
	for patch, location := range map[string]string{
		`{"text": null}`:                             "body.text",
		`{"end_at": "2030-01-31T11:59:59Z"}`:         "body.end_at",
		`{"filter": null}`:                           "body.filter",
		`{"windw": null}`:                            "body.windw",
		`{"filter": {"tgs": null}}`:                  "body.filter.tgs",
		`{"filter": {"tags": ["vip", null]}}`:        "body.filter.tags[1]",
		`{"window": {"from": "09:00"}}`:              "body.window.to",
		`{"window": {"from": "9:00", "to": "10:0"}}`: "body.window.from body.window.to",
	} {
		wantProblem(t, v.call(http.MethodPatch, "/api/mailings/3", patch), http.StatusUnprocessableEntity, strings.Fields(location)...)
	}
}

func TestALockedFieldIsAConflictOnlyIfItChanges(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m})
	wantProblem(t, v.call(http.MethodPatch, "/api/mailings/3", `{"filter": {"tags": []}}`), http.StatusConflict)
	wantProblem(t, v.call(http.MethodPut, "/api/mailings/3", strings.Replace(saleBody, "T11", "T10", 1)), http.StatusConflict)
}

func TestMovingTheStartOfAMailingQueuesItsTasks(t *testing.T) {
	t.Parallel()
	m := sale()
	m.Status, m.StartAt = mailing.StatusScheduled, now.Add(30*time.Minute)
	v := serve(t, &stores{mailing: &m})
	w := v.call(http.MethodPatch, "/api/mailings/3", `{"start_at": "2030-01-31T12:00:01Z"}`)
	if w.Code != http.StatusOK || len(v.tasks.queued) != 1 {
		t.Errorf("status %d, queued %d: %s", w.Code, len(v.tasks.queued), w.Body)
	}
}

func TestAStaleVersionIsRefused(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m})
	for tag, status := range map[string]int{
		`"3"`: http.StatusPreconditionFailed, `W/"4"`: http.StatusPreconditionFailed, `"3,4"`: http.StatusPreconditionFailed,
		`"4"`: http.StatusOK, `"1", "4"`: http.StatusOK, `*`: http.StatusOK,
	} {
		for _, request := range [][3]string{
			{http.MethodPut, "/api/mailings/3", saleBody},
			{http.MethodPatch, "/api/mailings/3", `{"text": "Other"}`},
			{http.MethodPost, "/api/mailings/3/pause", ""},
			{http.MethodDelete, "/api/mailings/3", ""},
		} {
			want := status
			if request[0] == http.MethodDelete && want == http.StatusOK {
				want = http.StatusNoContent
			}
			if w := v.call(request[0], request[1], request[2], "If-Match", tag); w.Code != want {
				t.Errorf("%s %s with %s: status %d, want %d", request[0], request[1], tag, w.Code, want)
			}
		}
	}
}

func TestAVersionWithoutQuotesIsRefused(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m})
	for _, tag := range []string{`4`, `'4'`, `"4`, `4, "4"`, `w/"4"`, `"4" "5"`, `**`} {
		for _, request := range [][3]string{
			{http.MethodPut, "/api/mailings/3", saleBody},
			{http.MethodPatch, "/api/mailings/3", `{"text": "Other"}`},
			{http.MethodPost, "/api/mailings/3/pause", ""},
			{http.MethodDelete, "/api/mailings/3", ""},
		} {
			w := v.call(request[0], request[1], request[2], "If-Match", tag)
			wantProblem(t, w, http.StatusUnprocessableEntity, "header.If-Match")
			if !strings.Contains(w.Body.String(), `must be an ETag with its quotes, such as \"2\"`) {
				t.Errorf("%s: the answer does not name the right form: %s", tag, w.Body)
			}
		}
	}
}

func TestAnEmptyOrRepeatedIfMatchIsRefused(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m})
	for _, tags := range [][]string{{"If-Match", ""}, {"If-Match", `"9"`, "If-Match", `"4"`}, {"If-Match", `"4"`, "If-Match", ""}} {
		for _, action := range []string{"pause", "cancel", "retry"} {
			wantProblem(t, v.call(http.MethodPost, "/api/mailings/3/"+action, "", tags...), http.StatusUnprocessableEntity, "header.If-Match")
		}
	}
}

func TestADeletedMailingIsNotFoundByAnyOperation(t *testing.T) {
	t.Parallel()
	m := sale().AsDeleted(now)
	v := serve(t, &stores{mailing: &m})
	for _, request := range [][3]string{
		{http.MethodGet, "/api/mailings/3", ""},
		{http.MethodPut, "/api/mailings/3", saleBody},
		{http.MethodPatch, "/api/mailings/3", `{}`},
		{http.MethodDelete, "/api/mailings/3", ""},
		{http.MethodPost, "/api/mailings/3/pause", ""},
		{http.MethodPost, "/api/mailings/3/resume", ""},
		{http.MethodPost, "/api/mailings/3/cancel", ""},
		{http.MethodGet, "/api/mailings/3/info", ""},
		{http.MethodGet, "/api/messages?mailing_id=3", ""},
		{http.MethodGet, "/api/messages/12884901889", ""},
	} {
		wantProblem(t, v.call(request[0], request[1], request[2]), http.StatusNotFound)
	}
	if len(v.tasks.queued) > 0 {
		t.Error("tasks were queued")
	}
}
