package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"postrider/internal/api"
	"postrider/internal/mailing"
)

func TestAnActionReturnsTheMailing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status mailing.Status
		action string
		want   int
		queued int
	}{
		"pausing":                        {mailing.StatusRunning, "pause", http.StatusOK, 0},
		"pausing again":                  {mailing.StatusPaused, "pause", http.StatusOK, 0},
		"pausing what has not begun":     {mailing.StatusScheduled, "pause", http.StatusConflict, 0},
		"resuming":                       {mailing.StatusPaused, "resume", http.StatusOK, 1},
		"resuming again":                 {mailing.StatusRunning, "resume", http.StatusOK, 0},
		"resuming what is done":          {mailing.StatusCompleted, "resume", http.StatusConflict, 0},
		"cancelling":                     {mailing.StatusRunning, "cancel", http.StatusOK, 1},
		"cancelling what is paused":      {mailing.StatusPaused, "cancel", http.StatusOK, 1},
		"cancelling what has not begun":  {mailing.StatusScheduled, "cancel", http.StatusOK, 0},
		"cancelling again":               {mailing.StatusCancelled, "cancel", http.StatusOK, 0},
		"cancelling what is done":        {mailing.StatusCompleted, "cancel", http.StatusConflict, 0},
		"trying again":                   {mailing.StatusRunning, "retry", http.StatusOK, 1},
		"trying again what is paused":    {mailing.StatusPaused, "retry", http.StatusOK, 1},
		"trying again, nothing failed":   {mailing.StatusCompleted, "retry", http.StatusOK, 0},
		"trying again before it began":   {mailing.StatusScheduled, "retry", http.StatusConflict, 0},
		"trying again what is cancelled": {mailing.StatusCancelled, "retry", http.StatusConflict, 0},
		"an action that there is not":    {mailing.StatusRunning, "stop", http.StatusNotFound, 0},
		"with one slash more at the end": {mailing.StatusRunning, "pause/", http.StatusOK, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := sale()
			m.Status = c.status
			v := serve(t, &stores{mailing: &m})
			w := v.call(http.MethodPost, "/api/mailings/3/"+c.action, "")
			if w.Code != c.want {
				t.Errorf("status %d, want %d: %s", w.Code, c.want, w.Body)
			}
			if c.want != http.StatusOK {
				wantProblem(t, w, c.want)
			}
			if len(v.tasks.queued) != c.queued {
				t.Errorf("queued %d times, want %d", len(v.tasks.queued), c.queued)
			}
		})
	}
}

func TestAnOperationWithoutABodyIgnoresTheBody(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{"multipart/form-data", "multipart/form-data; boundary=x", "application/json", "; x"} {
		for _, body := range []string{"", "--x\r\n", "{"} {
			m := sale()
			m.Status = mailing.StatusRunning
			v := serve(t, &stores{mailing: &m})
			if w := v.call(http.MethodPost, "/api/mailings/3/pause", body, "Content-Type", sent); w.Code != http.StatusOK {
				t.Errorf("%q of %q: status %d: %s", body, sent, w.Code, w.Body)
			}
		}
	}
}

func TestRetryingACompletedMailingReopensItAndQueuesItsTasks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		counts mailing.Counts
		status api.Status
		queued int
	}{
		"with a failure":   {mailing.Counts{Total: 2, Sent: 1, Failed: 1}, "running", 1},
		"without failures": {mailing.Counts{Total: 2, Sent: 1, Uncertain: 1}, "completed", 0},
	} {
		m := sale().AsFinished(c.counts, now.Add(-time.Minute))
		v := serve(t, &stores{mailing: &m, progress: []mailing.Progress{{Counts: c.counts}}})
		w := v.call(http.MethodPost, "/api/mailings/3/retry", "")
		var got api.RetriedMailing
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || got.Status != c.status {
			t.Errorf("%s: status %d, %v: %s", name, w.Code, err, w.Body)
		}
		if len(v.tasks.queued) != c.queued {
			t.Errorf("%s: queued %d times, want %d", name, len(v.tasks.queued), c.queued)
		}
	}
	over := sale().AsFinished(mailing.Counts{Total: 1, Failed: 1}, now)
	over.EndAt = now
	wantProblem(t, serve(t, &stores{mailing: &over}).call(http.MethodPost, "/api/mailings/3/retry", ""), http.StatusConflict)
}

func TestARetryReturnsTheNumbersOfRetriedMessages(t *testing.T) {
	t.Parallel()
	counts := mailing.Counts{Total: 9, Sent: 2, Failed: 3, Uncertain: 4}
	for body, want := range map[string]api.Retrying{
		"":                                      {Failed: 3},
		"{}":                                    {Failed: 3},
		`{"statuses": null}`:                    {Failed: 3},
		`{"statuses": ["failed"]}`:              {Failed: 3},
		`{"statuses": ["uncertain"]}`:           {Uncertain: 4},
		`{"statuses": ["failed", "uncertain"]}`: {Failed: 3, Uncertain: 4},
	} {
		m := sale().AsFinished(counts, now.Add(-time.Minute))
		v := serve(t, &stores{mailing: &m, progress: []mailing.Progress{{Counts: counts}}})
		w := v.call(http.MethodPost, "/api/mailings/3/retry", body)
		var got api.RetriedMailing
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || got.Retrying != want || got.Status != "running" {
			t.Errorf("%s: status %d, %v: %s", body, w.Code, err, w.Body)
		}
	}
	for bad, at := range map[string]string{
		`{"statuses": []}`: "body.statuses", `{"statuses": ["sent"]}`: "body.statuses[0]",
		`{"status": "failed"}`: "body.status", `{"statuses": "failed"}`: "body.statuses",
	} {
		m := sale().AsFinished(counts, now)
		wantProblem(t, serve(t, &stores{mailing: &m}).call(http.MethodPost, "/api/mailings/3/retry", bad), http.StatusUnprocessableEntity, at)
	}
	stop := sale().AsFinished(counts, now)
	stop.OnUncertain = mailing.Stop
	wantProblem(t, serve(t, &stores{mailing: &stop}).call(http.MethodPost, "/api/mailings/3/retry", `{"statuses": ["uncertain"]}`), http.StatusConflict)
}

func TestAMailingPausedForRejectionsHasTheReason(t *testing.T) {
	t.Parallel()
	m := sale()
	m.Status, m.PausedBy, m.RejectedShare = mailing.StatusPaused, mailing.ByRejections, 0.97125
	v := serve(t, &stores{mailing: &m, progress: []mailing.Progress{{}}})
	var got api.Info
	w := v.call(http.MethodGet, "/api/mailings/3/info?limit=0", "")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Mailing.PausedBy != "rejections" || got.Rejected == nil || *got.Rejected != 0.971 {
		t.Errorf("%v: %s", err, w.Body)
	}
}

func TestDeletingAMailingCancelsItFirst(t *testing.T) {
	t.Parallel()
	for status, queued := range map[mailing.Status]int{
		mailing.StatusScheduled: 0, mailing.StatusRunning: 1, mailing.StatusPaused: 1,
		mailing.StatusCompleted: 0, mailing.StatusCancelled: 0,
	} {
		m := sale()
		m.Status = status
		m.Finished = status == mailing.StatusCompleted || status == mailing.StatusCancelled
		v := serve(t, &stores{mailing: &m})
		w := v.call(http.MethodDelete, "/api/mailings/3", "")
		if w.Code != http.StatusNoContent || w.Body.Len() > 0 {
			t.Errorf("%s: status %d: %s", status, w.Code, w.Body)
		}
		if len(v.tasks.queued) != queued {
			t.Errorf("%s: queued %d times, want %d", status, len(v.tasks.queued), queued)
		}
	}
}

func TestProcessingQueuesASweep(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	wantJSON(t, v.call(http.MethodPost, "/api/mailings/process", ""), http.StatusAccepted, `{"status": "accepted"}`)
	if v.tasks.sweeps != 1 {
		t.Errorf("%d sweeps", v.tasks.sweeps)
	}
	v.tasks.fail = errors.New("no queue")
	wantProblem(t, v.call(http.MethodPost, "/api/mailings/process", ""), http.StatusServiceUnavailable)
}
