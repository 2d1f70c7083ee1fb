//go:build integration

package integration_test

import (
	"testing"
	"time"
)

// Five thousand clients that the larger mailings share.
var (
	many = filter{Tags: []string{"many"}}
	most = filter{Tags: []string{"many"}, OperatorCodes: []string{"301"}} // 3,000 of them
	some = filter{Tags: []string{"many"}, OperatorCodes: []string{"302"}} // the other 2,000
)

func makeMany(t *testing.T, s *service) {
	t.Helper()
	s.clients(t, "1300", 5000, func(i int, c *client) {
		c.Tag, c.OperatorCode = "many", "301"
		if i%5 > 2 {
			c.OperatorCode = "302"
		}
	})
}

// testPurge empties the deliveries queue in the middle of a mailing. The function that it
// returns waits until all messages are delivered nevertheless. That takes some minutes,
// during which other tests can run.
func testPurge(t *testing.T, s *service) func(*testing.T, *service) {
	t.Helper()
	s.setBehaviour(t, behaviour{LatencyMS: 400})
	m := s.create(t, now("purge", most))
	s.until(t, m.ID, "some are sent", func(i info) bool { return i.Expanded && i.Counts.Sent > 0 })
	queued := batchesQueued(t, s, m.ID)
	if queued == 0 {
		t.Error("there is nothing in the queue to be lost")
	}
	purgeDeliveries(t)
	purged := time.Now()
	s.setBehaviour(t, behaviour{})
	quiet(t, 5*time.Second) // messages in flight at the purge are settled by then
	left := s.info(t, m.ID)
	if left.Counts.pending() == 0 {
		t.Errorf("nothing was lost with the queue: %+v", left.Counts)
	}
	return func(t *testing.T, own *service) {
		own.mailings.add(s.mailings.list()...) // its invariants are checked now, when it ends
		i := s.completed(t, m.ID)
		if want := (counts{Total: 3000, Sent: 3000}); i.Counts != want {
			t.Errorf("counts %+v", i.Counts)
		}
		lines := s.ledger(t, m.ID)
		// On a slow machine this overlaps with the part that kills. Then some messages
		// are taken again after a hang.
		if sum := ledgerOf(lines); sum.unique != 3000 || sum.taken-sum.unique > sum.hangs {
			t.Errorf("the ledger: %+v", sum)
		}
		figure(t, "purged with %d batches in the queue, %d messages pending after it; all 3000 delivered once, %.0f s later",
			queued, left.Counts.pending(), lines[len(lines)-1].Arrival.Sub(purged).Seconds())
	}
}
