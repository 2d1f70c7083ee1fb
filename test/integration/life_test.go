//go:build integration

package integration_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// openAt returns a window around the current local time in Moscow, two zones in which it
// is open, and two in which it is closed.
func openAt(now time.Time) (w window, open, closed []string) {
	moscow := now.UTC().Add(3 * time.Hour)
	clock := func(d time.Duration) string { return moscow.Add(d).Format("15:04") }
	w = window{From: clock(-90 * time.Minute), To: clock(90 * time.Minute)}
	return w, []string{"Europe/Moscow", "Europe/Kaliningrad"}, []string{"Asia/Vladivostok", "Asia/Novosibirsk"}
}

func testWindow(t *testing.T, s *service) {
	w, open, closed := openAt(time.Now())
	s.clients(t, "1600", 200, func(i int, c *client) {
		c.Tag = "window"
		c.Timezone = append(open, closed...)[i%4]
	})
	m := now("window", filter{Tags: []string{"window"}})
	m.Window = &w
	m = s.create(t, m)
	i := s.until(t, m.ID, "the open ones are sent", func(i info) bool { return i.Expanded && i.Counts.Sent == 100 })
	if i.Counts.Deferred != 100 || i.Counts.Queued != 0 {
		t.Errorf("counts %+v", i.Counts)
	}
	sentOnce(t, s.ledger(t, m.ID), 100)
	// The batches of the open zones leave the queue when their sender's invocation has
	// ended.
	inQueue := -1
	poll(t, "the queue is empty while the window is closed", func() (bool, string) {
		inQueue = batchesQueued(t, s, m.ID)
		return inQueue == 0, fmt.Sprintf("%d batches", inQueue)
	})
	figure(t, "window %s to %s in Moscow: %d sent, %d deferred, %d batches of it in the queue", w.From, w.To, i.Counts.Sent, i.Counts.Deferred, inQueue)
	zones := map[int64]bool{}
	for _, msg := range s.messages(t, m.ID, "&status=deferred") {
		zones[msg.ClientID] = true
	}
	if len(zones) != 100 {
		t.Errorf("%d messages are listed as deferred", len(zones))
	}
	for id := range zones {
		moved := time.Now()
		s.call(t, http.MethodPatch, fmt.Sprintf("/api/clients/%d", id), fmt.Sprintf(`{"timezone": %q}`, open[0]), http.StatusOK, nil)
		s.until(t, m.ID, "the one whose zone was edited is sent", func(i info) bool { return i.Counts.Sent == 101 })
		figure(t, "a client moved to a zone whose window is open: its message was sent %.1f s later", time.Since(moved).Seconds())
		break
	}
	edited := time.Now()
	s.call(t, http.MethodPatch, fmt.Sprintf("/api/mailings/%d", m.ID), `{"window": null}`, http.StatusOK, nil)
	i = s.completed(t, m.ID)
	sentOnce(t, s.ledger(t, m.ID), 200)
	if i.Counts.Sent != 200 {
		t.Errorf("counts %+v", i.Counts)
	}
	figure(t, "the window opened by an edit: all 200 sent %.1f s later", time.Since(edited).Seconds())
}

func testPauseAndResume(t *testing.T, s *service) {
	s.behave(t, behaviour{LatencyMS: 500})
	m := s.create(t, now("pause", most))
	s.until(t, m.ID, "some are sent", func(i info) bool { return i.Counts.Sent > 0 })
	s.call(t, http.MethodPost, fmt.Sprintf("/api/mailings/%d/pause", m.ID), nil, http.StatusOK, &m)
	paused := time.Now()
	if m.Status != "paused" {
		t.Errorf("it is %s", m.Status)
	}
	quiet(t, 6*time.Second)
	late := 0
	for _, l := range s.ledger(t, m.ID) {
		if l.Arrival.After(paused.Add(2 * time.Second)) {
			late++
		}
	}
	i := s.info(t, m.ID)
	if late > 0 || i.Counts.Sent == 3000 || i.Counts.pending() == 0 {
		t.Errorf("%d hand-overs began more than 2 s after the pause; %+v", late, i.Counts)
	}
	s.setBehaviour(t, behaviour{})
	s.call(t, http.MethodPost, fmt.Sprintf("/api/mailings/%d/pause", m.ID), nil, http.StatusOK, nil)
	s.call(t, http.MethodPost, fmt.Sprintf("/api/mailings/%d/resume", m.ID), nil, http.StatusOK, &m)
	if m.Status != "running" {
		t.Errorf("it is %s", m.Status)
	}
	done := s.completed(t, m.ID)
	if done.Counts.Sent != 3000 {
		t.Errorf("counts %+v", done.Counts)
	}
	sentOnce(t, s.ledger(t, m.ID), 3000)
	figure(t, "paused at %d of 3000 sent, no hand-over later than 2 s after it; resumed: all sent", i.Counts.Sent)
	s.call(t, http.MethodPost, fmt.Sprintf("/api/mailings/%d/cancel", m.ID), nil, http.StatusConflict, nil)
	s.call(t, http.MethodPost, fmt.Sprintf("/api/mailings/%d/pause", m.ID), nil, http.StatusConflict, nil)
}

func testCancel(t *testing.T, s *service) {
	s.behave(t, behaviour{LatencyMS: 1000})
	m := s.create(t, now("cancel", most))
	s.until(t, m.ID, "some are sent", func(i info) bool { return i.Counts.Sent > 0 })
	s.call(t, http.MethodPost, fmt.Sprintf("/api/mailings/%d/cancel", m.ID), nil, http.StatusOK, &m)
	cancelled := time.Now()
	i := s.until(t, m.ID, "all is accounted for", func(i info) bool { return i.Expanded && i.Counts.pending() == 0 })
	took := time.Since(cancelled)
	c := i.Counts
	if c.Total != 3000 || c.Sent+c.Cancelled+c.Uncertain != 3000 || c.Cancelled == 0 || i.Mailing.Status != "cancelled" {
		t.Errorf("%s, %+v", i.Mailing.Status, c)
	}
	for _, l := range s.ledger(t, m.ID) {
		if l.Arrival.After(cancelled.Add(2 * time.Second)) {
			t.Errorf("a hand-over began %s after the cancellation", l.Arrival.Sub(cancelled))
		}
	}
	s.agrees(t, i)
	s.call(t, http.MethodPost, fmt.Sprintf("/api/mailings/%d/resume", m.ID), nil, http.StatusConflict, nil)
	s.call(t, http.MethodPost, fmt.Sprintf("/api/mailings/%d/cancel", m.ID), nil, http.StatusOK, nil)
	figure(t, "cancelled: %d sent + %d cancelled + %d uncertain = %d, %.1f s after it", c.Sent, c.Cancelled, c.Uncertain, c.Total, took.Seconds())
}

func testCancelBeforeStart(t *testing.T, s *service) {
	m := now("never", most)
	m.StartAt = time.Now().Add(30 * time.Minute)
	m = s.create(t, m)
	s.call(t, http.MethodPost, fmt.Sprintf("/api/mailings/%d/cancel", m.ID), nil, http.StatusOK, &m)
	if i := s.info(t, m.ID); i.Mailing.Status != "cancelled" || i.Counts.Total != 0 {
		t.Errorf("%s, %+v", i.Mailing.Status, i.Counts)
	}
}

func testDelete(t *testing.T, s *service) {
	s.behave(t, behaviour{LatencyMS: 1000})
	m := s.create(t, now("delete", most))
	s.until(t, m.ID, "some are sent", func(i info) bool { return i.Counts.Sent > 0 })
	path := fmt.Sprintf("/api/mailings/%d", m.ID)
	s.call(t, http.MethodDelete, path, nil, http.StatusNoContent, nil)
	deleted := time.Now()
	for _, gone := range []string{path, path + "/info", fmt.Sprintf("/api/messages?mailing_id=%d", m.ID)} {
		s.call(t, http.MethodGet, gone, nil, http.StatusNotFound, nil)
	}
	s.call(t, http.MethodDelete, path, nil, http.StatusNotFound, nil)
	var list struct {
		Items []mailing `json:"items"`
	}
	s.call(t, http.MethodGet, "/api/mailings?limit=100", nil, http.StatusOK, &list)
	for _, other := range list.Items {
		if other.ID == m.ID {
			t.Error("it is still in the list")
		}
	}
	quiet(t, 5*time.Second)
	for _, l := range s.ledger(t, m.ID) {
		if l.Arrival.After(deleted.Add(2 * time.Second)) {
			t.Errorf("a hand-over began %s after the deletion", l.Arrival.Sub(deleted))
		}
	}
}

func testDeletedClientIsSkipped(t *testing.T, s *service) {
	w, _, closed := openAt(time.Now())
	made := s.clients(t, "1800", 10, func(_ int, c *client) { c.Tag, c.Timezone = "skip", closed[0] })
	m := now("skip", filter{Tags: []string{"skip"}})
	m.Window = &w
	m = s.create(t, m)
	s.until(t, m.ID, "all are deferred", func(i info) bool { return i.Expanded && i.Counts.Deferred == 10 })
	s.call(t, http.MethodDelete, fmt.Sprintf("/api/clients/%d", made[3].ID), nil, http.StatusNoContent, nil)
	s.call(t, http.MethodPatch, fmt.Sprintf("/api/mailings/%d", m.ID), `{"window": null}`, http.StatusOK, nil)
	i := s.completed(t, m.ID)
	if want := (counts{Total: 10, Sent: 9, Skipped: 1}); i.Counts != want {
		t.Errorf("counts %+v", i.Counts)
	}
	s.agrees(t, i)
}

func testProcess(t *testing.T, s *service) {
	s.call(t, http.MethodPost, "/api/mailings/process", nil, http.StatusAccepted, nil)
}
