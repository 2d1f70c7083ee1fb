//go:build integration

package integration_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// figure prints the result of a "show" target.
func figure(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("figure: "+format, args...)
}

// sentOnce demands that each of n messages was accepted exactly once.
func sentOnce(t *testing.T, lines []handOver, n int) {
	t.Helper()
	b := ledgerOf(lines)
	if duplicates := b.taken - b.unique; b.unique != n || duplicates != 0 {
		t.Errorf("the ledger holds %d messages of %d, %d duplicates", b.unique, n, duplicates)
	}
}

// agrees demands that a mailing's messages, its counts and the ledger agree.
func (s *service) agrees(t *testing.T, i info) {
	t.Helper()
	by := map[string]int{}
	took := accepted(s.ledger(t, i.Mailing.ID))
	for _, m := range s.messages(t, i.Mailing.ID, "") {
		by[m.Status]++
		if m.ID != i.Mailing.ID<<32|m.ClientID || m.MailingID != i.Mailing.ID {
			t.Errorf("message %d is of mailing %d and client %d", m.ID, m.MailingID, m.ClientID)
		}
		if k := took[m.ID]; m.Status == "sent" && k == 0 || k > 1+m.UncertainAttempts {
			t.Errorf("message %d is %s with %d uncertain attempts; the ledger has it %d times", m.ID, m.Status, m.UncertainAttempts, k)
		}
		if sent := m.SentAt != nil; sent != (m.Status == "sent") {
			t.Errorf("message %d is %s, sent at %v", m.ID, m.Status, m.SentAt)
		}
	}
	c := i.Counts
	want := map[string]int{
		"queued": c.Queued, "retrying": c.Retrying, "deferred": c.Deferred, "sent": c.Sent, "failed": c.Failed,
		"expired": c.Expired, "cancelled": c.Cancelled, "skipped": c.Skipped, "uncertain": c.Uncertain,
	}
	for status, n := range want {
		if by[status] != n {
			t.Errorf("mailing %d: %d messages are %s, the count is %d", i.Mailing.ID, by[status], status, n)
		}
	}
}

// overall is the answer of fullinfo, with the fields that tests read.
type overall struct {
	Mailings []struct {
		mailing
		Counts counts `json:"counts"`
	} `json:"mailings"`
	Totals           counts         `json:"totals"`
	MailingsByStatus map[string]int `json:"mailings_by_status"`
	NextCursor       string         `json:"next_cursor"`
}

func testImmediate(t *testing.T, s *service) {
	s.clients(t, "1000", 500, func(i int, c *client) {
		c.Tag = "sample"
		c.Timezone = []string{"Europe/Kaliningrad", "Europe/Moscow", "Asia/Yekaterinburg", "Asia/Vladivostok"}[i%4]
	})
	before := s.fullinfo(t)
	measured := measure(t)
	m := now("hello", filter{Tags: []string{"sample"}})
	posted := time.Now()
	took := s.call(t, http.MethodPost, "/api/mailings", m, http.StatusCreated, &m).took
	i := s.completed(t, m.ID)
	lines := s.ledger(t, m.ID)
	sentOnce(t, lines, 500)
	if want := (counts{Total: 500, Sent: 500}); i.Counts != want {
		t.Errorf("counts %+v", i.Counts)
	}
	s.agrees(t, i)
	measured.countMailing(t, 500)
	full := s.fullinfo(t)
	if got := full.Totals.Sent - before.Totals.Sent; got != 500 || full.Mailings[0].Counts != i.Counts {
		t.Errorf("fullinfo: %d sent more, the newest mailing has %+v", got, full.Mailings[0].Counts)
	}
	figure(t, "%d of 500 messages in the ledger, %d duplicates; info %+v; fullinfo totals grew by %d sent",
		len(accepted(lines)), len(lines)-len(accepted(lines)), i.Counts, full.Totals.Sent-before.Totals.Sent)
	figure(t, "POST took %d ms; first hand-over %d ms after it was sent off", took.Milliseconds(), lines[0].Arrival.Sub(posted).Milliseconds())
}

func testFirstHandOver(t *testing.T, s *service) {
	s.clients(t, "1900", 20, func(_ int, c *client) { c.Tag = "first" })
	for round := range 5 {
		// Let the pollers of an idle stack reach their longest interval, two seconds.
		quiet(t, 3*time.Second)
		m := now("first", filter{Tags: []string{"first"}})
		posted := time.Now()
		took := s.call(t, http.MethodPost, "/api/mailings", m, http.StatusCreated, &m).took
		s.completed(t, m.ID)
		lines := s.ledger(t, m.ID)
		sentOnce(t, lines, 20)
		figure(t, "round %d: POST took %d ms, first hand-over after %d ms", round+1, took.Milliseconds(), lines[0].Arrival.Sub(posted).Milliseconds())
	}
}

func testFilters(t *testing.T, s *service) {
	codes := []string{"901", "902"}
	tags := []string{"gold", "iron"}
	s.clients(t, "1100", 40, func(i int, c *client) {
		c.OperatorCode, c.Tag = codes[i%2], "filters-"+tags[i/2%2]
	})
	tests := []struct {
		name string
		f    filter
		want int
	}{
		{"code", filter{OperatorCodes: []string{"901"}}, 20},
		{"several codes", filter{OperatorCodes: []string{"901", "902", "999"}}, 40},
		{"tag", filter{Tags: []string{"filters-gold"}}, 20},
		{"code and tag", filter{OperatorCodes: []string{"902"}, Tags: []string{"filters-iron", "none"}}, 10},
		{"a tag of no client", filter{Tags: []string{"filters-lead"}}, 0},
	}
	t.Run("by", func(t *testing.T) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				m := s.create(t, now("filter", test.f))
				i := s.completed(t, m.ID)
				if i.Counts.Total != test.want || i.Counts.Sent != test.want {
					t.Errorf("counts %+v, want %d sent", i.Counts, test.want)
				}
				sentOnce(t, s.ledger(t, m.ID), test.want)
			})
		}
		t.Run("no filter", func(t *testing.T) {
			t.Parallel()
			m := s.create(t, now("everyone", filter{}))
			i := s.completed(t, m.ID)
			if i.Counts.Total < 40 || i.Counts.Sent != i.Counts.Total {
				t.Errorf("counts %+v", i.Counts)
			}
			sentOnce(t, s.ledger(t, m.ID), i.Counts.Total)
		})
	})
}

func testFutureStart(t *testing.T, s *service) {
	s.clients(t, "1200", 100, func(_ int, c *client) { c.Tag = "future" })
	m := now("future", filter{Tags: []string{"future"}})
	m.StartAt = time.Now().Add(20 * time.Second).Truncate(time.Millisecond)
	m = s.create(t, m)
	if i := s.info(t, m.ID); m.Status != "scheduled" || i.Progress != nil || i.Counts.Total != 0 {
		t.Errorf("before its start: %s, %+v", m.Status, i)
	}
	s.completed(t, m.ID)
	lines := s.ledger(t, m.ID)
	sentOnce(t, lines, 100)
	after := lines[0].Arrival.Sub(m.StartAt)
	if after < 0 {
		t.Errorf("the first hand-over was %s before the start", -after)
	}
	figure(t, "first hand-over %d ms after a start 20 s ahead (never before, at most 3,000 ms)", after.Milliseconds())
}

func testThroughput(t *testing.T, s *service) {
	s.behave(t, behaviour{LatencyMS: 200})
	m := s.create(t, now("many", many))
	quiet(t, 5*time.Second) // polling would slow the delivery that is measured
	i := s.completed(t, m.ID)
	lines := s.ledger(t, m.ID)
	sentOnce(t, lines, 5000)
	if want := (counts{Total: 5000, Sent: 5000}); i.Counts != want {
		t.Errorf("counts %+v", i.Counts)
	}
	first, last := span(lines)
	took := last.Sub(first).Seconds()
	figure(t, "%d of 5000 delivered in %.2f s from the first to the last line of the ledger: %.0f messages a second at 200 ms",
		len(accepted(lines)), took, 5000/took)
}

func testEndWhileRunning(t *testing.T, s *service) {
	s.behave(t, behaviour{LatencyMS: 1500})
	m := s.create(t, now("end", many))
	s.until(t, m.ID, "some are sent", func(i info) bool { return i.Counts.Sent > 0 })
	// Later than the two seconds for which a sender may trust the mailing that it has read.
	end := time.Now().Add(8 * time.Second).UTC().Format("2006-01-02T15:04:05.000Z07:00")
	s.call(t, http.MethodPatch, fmt.Sprintf("/api/mailings/%d", m.ID), map[string]string{"end_at": end}, http.StatusOK, &m)
	i := s.completed(t, m.ID)
	lines := s.ledger(t, m.ID)
	_, last := span(lines)
	if !last.Before(m.EndAt) {
		t.Errorf("a hand-over arrived %s after the end", last.Sub(m.EndAt))
	}
	c := i.Counts
	if c.Sent+c.Expired+c.Uncertain != c.Total || c.Total != 5000 {
		t.Errorf("counts %+v", c)
	}
	if c.Sent == 0 || c.Expired == 0 {
		t.Errorf("the end did not come while it was running: %+v", c)
	}
	s.agrees(t, i)
	figure(t, "last arrival %d ms before the end; %d sent + %d expired + %d uncertain = %d", m.EndAt.Sub(last).Milliseconds(), c.Sent, c.Expired, c.Uncertain, c.Total)
}

func testRejected(t *testing.T, s *service) {
	made := s.clients(t, "1400", 45, func(_ int, c *client) { c.Tag = "reject" })
	s.behave(t, behaviour{RejectPhones: []string{made[7].Phone}})
	m := s.create(t, now("reject", filter{Tags: []string{"reject"}}))
	i := s.completed(t, m.ID)
	if want := (counts{Total: 45, Sent: 44, Failed: 1}); i.Counts != want {
		t.Errorf("counts %+v", i.Counts)
	}
	var got message
	id := m.ID<<32 | made[7].ID
	s.call(t, http.MethodGet, fmt.Sprintf("/api/messages/%d", id), nil, http.StatusOK, &got)
	if got.Status != "failed" || got.Attempts != 1 || got.LastError != "http_400" {
		t.Errorf("the message: %+v", got)
	}
	letters := deadLetters(t, m.ID)
	n := 0
	for _, l := range letters {
		if l.Message == id {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d dead letters of it: %+v", n, letters)
	}
	for _, other := range s.messages(t, m.ID, "&status=sent") {
		if other.Attempts != 1 {
			t.Errorf("another message: %+v", other)
		}
	}
	s.agrees(t, i)
	figure(t, "status %s, %d attempt, last error %s, %d dead letter; the other 44 of its mailing sent, one attempt each", got.Status, got.Attempts, got.LastError, n)
}

func testOutage(t *testing.T, s *service) {
	s.behave(t, behaviour{LatencyMS: 400})
	m := s.create(t, now("outage", some))
	s.until(t, m.ID, "some are sent", func(i info) bool { return i.Counts.Sent > 0 })
	s.setBehaviour(t, behaviour{Down: true})
	var (
		mu    sync.Mutex
		times []time.Duration
	)
	down := time.Now()
	for time.Since(down) < outage {
		got, err := s.ask(t.Context(), http.MethodGet, fmt.Sprintf("%s/api/mailings/%d/info?limit=10", s.base, m.ID), nil)
		if err != nil || got.status != http.StatusOK {
			t.Fatalf("the API while the sending API is down: status %d, %v", got.status, err)
		}
		mu.Lock()
		times = append(times, got.took)
		mu.Unlock()
		quiet(t, 100*time.Millisecond)
	}
	during := s.info(t, m.ID)
	s.setBehaviour(t, behaviour{})
	back := time.Now()
	i := s.completed(t, m.ID)
	if want := (counts{Total: 2000, Sent: 2000}); i.Counts != want {
		t.Errorf("counts %+v", i.Counts)
	}
	sentOnce(t, s.ledger(t, m.ID), 2000)
	slices.Sort(times)
	figure(t, "down for %.0f s with %d of 2000 sent; all delivered %.0f s after it was back; the API's p95 during the outage %d ms (%d requests)",
		outage.Seconds(), during.Counts.Sent, time.Since(back).Seconds(), times[len(times)*95/100].Milliseconds(), len(times))
}
