package faults_test

import (
	"fmt"
	"testing"

	"postrider/internal/mailing"
)

// tally counts the events in runs of the state machine.
type tally struct {
	runs, steps int
	// held counts the invocations that were held, stops the calls at which they were
	// held. Of these calls, failed counts those that did not go on, and died those whose
	// environment was killed.
	held, stops, failed, died int
	// lost counts the claims that were never settled; mixed counts those of them during
	// which the hand-overs of some recipients might begin, and of others not.
	lost, mixed int
	// ends sums up the messages in the end.
	ends mailing.Counts
}

// add adds the events of a run, and the final statuses of its messages.
func (l *tally) add(m *machine) {
	d := m.did
	l.runs, l.steps = l.runs+d.runs, l.steps+d.steps
	l.held, l.stops, l.failed, l.died = l.held+d.held, l.stops+d.stops, l.failed+d.failed, l.died+d.died
	for id := range m.w.history {
		l.ends = l.ends.Plus(m.w.counts(id))
	}
	for key := range m.w.gate.ledger.claims {
		for _, run := range m.w.gate.ledger.lost(key) {
			for _, c := range run {
				l.lost++
				if m.mixed(key, c) {
					l.mixed++
				}
			}
		}
	}
}

func (m *machine) mixed(key mailing.BatchKey, c *claim) bool {
	begun, not := false, false
	for client := range c.recipients {
		if key.Mailing != mailing.TestMailing && m.w.mayHaveBegun(mailing.NewMessageID(key.Mailing, client), c) {
			begun = true
		} else {
			not = true
		}
	}
	return begun && not
}

// check demands that each kind of event happened in at least one of the runs.
func (l *tally) check(t *testing.T) {
	t.Helper()
	for event, n := range map[string]int64{
		"sent": l.ends.Sent, "failed": l.ends.Failed, "expired": l.ends.Expired, "cancelled": l.ends.Cancelled, "skipped": l.ends.Skipped,
		"uncertain": l.ends.Uncertain, "held": int64(l.held), "lost by a claim": int64(l.lost), "in a mixed batch that was lost": int64(l.mixed),
	} {
		if n == 0 {
			t.Errorf("in %d runs nothing was %s", l.runs, event)
		}
	}
}

func (l *tally) String() string {
	return fmt.Sprintf("%d runs of the state machine, %d steps, %d invocations held at %d calls (%d failed then, %d died), nothing lost; "+
		"%d claims were lost, %d of them of mixed batches; %d messages ended as sent %d, failed %d, expired %d, cancelled %d, skipped %d, uncertain %d",
		l.runs, l.steps, l.held, l.stops, l.failed, l.died, l.lost, l.mixed,
		l.ends.Total, l.ends.Sent, l.ends.Failed, l.ends.Expired, l.ends.Cancelled, l.ends.Skipped, l.ends.Uncertain)
}
