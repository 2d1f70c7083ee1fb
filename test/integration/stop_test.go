//go:build integration

package integration_test

import (
	"testing"
)

// testStop causes uncertain outcomes in all possible ways, for a mailing with
// on_uncertain stop: it is never handed over twice.
func testStop(t *testing.T, s *service) {
	s.clients(t, "2400", 320, func(_ int, c *client) { c.Tag = "stop" })
	s.behave(t, behaviour{LatencyMS: 50, ResetShare: 0.1, GarbageShare: 0.1, HangShare: 0.02, HangMS: int(quickProvider.Milliseconds()) + 1000})
	m := now("stop", filter{Tags: []string{"stop"}})
	m.OnUncertain = "stop"
	m = s.create(t, m)
	i := s.completed(t, m.ID)
	c := i.Counts
	if c.Total != 320 || c.Sent+c.Uncertain != c.Total || c.Uncertain == 0 || c.Sent == 0 {
		t.Errorf("counts %+v", c)
	}
	lines := s.ledger(t, m.ID)
	answers := map[string]int{}
	for _, l := range lines {
		answers[l.Answer]++
	}
	sentOnce(t, lines, 320)
	if ambiguous := answers["reset"] + answers["garbage"] + answers["hang"]; ambiguous != c.Uncertain || answers["accepted"] != c.Sent {
		t.Errorf("the sending API's answers were %v, the counts are %+v", answers, c)
	}
	for _, msg := range s.messages(t, m.ID, "&status=uncertain") {
		if msg.Attempts != 1 || msg.UncertainAttempts != 1 || msg.LastError == "" || msg.SentAt != nil {
			t.Errorf("an uncertain message: %+v", msg)
		}
	}
	s.agrees(t, i)
	figure(t, "answers %v: %d sent + %d uncertain = %d; none was handed over twice", answers, c.Sent, c.Uncertain, c.Total)
}
