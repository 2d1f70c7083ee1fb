//go:build integration

package integration_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// phonesOf returns the phone of each n-th client.
func phonesOf(clients []client, n int) []string {
	var phones []string
	for i := 0; i < len(clients); i += n {
		phones = append(phones, clients[i].Phone)
	}
	return phones
}

// fullinfo reads the overall statistics.
func (s *service) fullinfo(t *testing.T) overall {
	t.Helper()
	var o overall
	s.call(t, http.MethodGet, "/api/mailings/fullinfo", nil, http.StatusOK, &o)
	return o
}

// grew demands that the overall statistics have grown since before by want, all of it by
// the newest mailing.
func (s *service) grew(t *testing.T, before overall, id int64, want counts) {
	t.Helper()
	after := s.fullinfo(t)
	if newest := after.Mailings[0]; newest.ID != id || newest.Counts != want || newest.Status != "completed" {
		t.Errorf("fullinfo: the newest mailing is %d, %s, with %+v, want %d with %+v", newest.ID, newest.Status, newest.Counts, id, want)
	}
	got := counts{
		Total: after.Totals.Total - before.Totals.Total, Sent: after.Totals.Sent - before.Totals.Sent, Failed: after.Totals.Failed - before.Totals.Failed,
	}
	if got != want || after.MailingsByStatus["completed"]-before.MailingsByStatus["completed"] != 1 {
		t.Errorf("fullinfo: the totals grew by %+v, mailings by status from %v to %v", got, before.MailingsByStatus, after.MailingsByStatus)
	}
}

// failing lets the sending API refuse every sixth of n clients, and returns the mailing
// to all of them after it is completed with these failures.
func (s *service) failing(t *testing.T, prefix, tag string, n int) (mailing, []client) {
	t.Helper()
	made := s.clients(t, prefix, n, func(_ int, c *client) { c.Tag = tag })
	refused := phonesOf(made, 6)
	s.behave(t, behaviour{RejectPhones: refused})
	m := s.create(t, now(tag, filter{Tags: []string{tag}}))
	i := s.completed(t, m.ID)
	if want := (counts{Total: n, Sent: n - len(refused), Failed: len(refused)}); i.Counts != want {
		t.Fatalf("counts %+v, want %+v", i.Counts, want)
	}
	s.setBehaviour(t, behaviour{})
	return i.Mailing, made
}

func testRetry(t *testing.T, s *service) {
	before := s.fullinfo(t)
	m, made := s.failing(t, "2000", "retry", 120)
	failed := counts{Total: 120, Sent: 100, Failed: 20}
	s.grew(t, before, m.ID, failed)
	letters := deadLetters(t, m.ID)
	if len(letters) != 20 {
		t.Errorf("%d dead letters of it", len(letters))
	}
	path := fmt.Sprintf("/api/mailings/%d", m.ID)
	asked := time.Now()
	s.call(t, http.MethodPost, path+"/retry", nil, http.StatusOK, &m)
	if m.Status != "running" {
		t.Errorf("after the request to try again it is %s", m.Status)
	}
	i := s.completed(t, m.ID)
	took := time.Since(asked)
	if want := (counts{Total: 120, Sent: 120}); i.Counts != want {
		t.Errorf("counts %+v", i.Counts)
	}
	s.grew(t, before, m.ID, counts{Total: 120, Sent: 120})
	s.agrees(t, i)
	sentOnce(t, s.ledger(t, m.ID), 120)
	refused := 0
	for _, l := range s.ledger(t, m.ID) {
		if l.Answer == "400" {
			refused++
		}
	}
	if refused != 20 {
		t.Errorf("%d hand-overs were refused", refused)
	}
	var got message
	s.call(t, http.MethodGet, fmt.Sprintf("/api/messages/%d", m.ID<<32|made[0].ID), nil, http.StatusOK, &got)
	if got.Status != "sent" || got.Attempts != 1 || got.LastError != "" {
		t.Errorf("a message that was tried again: %+v", got)
	}
	// With no failures left the retry changes nothing.
	var again mailing
	s.call(t, http.MethodPost, path+"/retry", nil, http.StatusOK, &again)
	if again.Status != "completed" || again.Version != i.Mailing.Version {
		t.Errorf("tried again without failures: %+v", again)
	}
	figure(t, "20 of 120 failed, %d dead letters; tried again: all 120 sent once, %.1f s later; fullinfo the same", len(letters), took.Seconds())
}
