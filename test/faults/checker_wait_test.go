package faults_test

import (
	"time"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// checkKept demands that no batch of a finished mailing may be removed before the
// retention after the mailing's current end has passed.
func (w *world) checkKept(b snapshot, m mailing.Mailing, batch mailing.Batch) {
	w.t.Helper()
	if until := m.EndAt.Add(dynamotest.Retention); m.Finished && !m.Deleted && b.ttl[batch.Key] < until.Unix() {
		w.t.Errorf("batch %s may be removed at %s, and is to be kept until %s", batch.Key, time.Unix(b.ttl[batch.Key], 0).UTC(), until)
	}
}

// openingSlack is how much longer than until its window opens a message may wait. It is
// the longest wait for a sending API in trouble, which may be added to the wait for the
// window.
const openingSlack = mailing.MaxBackoff + time.Minute

// checkOpening demands that each message that waits for a window may be claimed when the
// window opens in its client's current zone. Batches that a sender holds are not checked.
// Messages for whose client an edit of the zone is still recorded may wait longer.
func (w *world) checkOpening(m mailing.Mailing, batch mailing.Batch) {
	w.t.Helper()
	now := w.clock.Now()
	if !m.Replans(now) || batch.Generation != m.Generation || batch.Holder != "" {
		return
	}
	for _, rec := range batch.Recipients {
		p := w.audience[rec.Client]
		from := batch.NotBefore
		if rec.NotBefore.After(from) {
			from = rec.NotBefore
		}
		if rec.Status != mailing.Deferred || p == nil || !p.gone.IsZero() || !from.After(now.Add(openingSlack)) {
			continue
		}
		if opens := opening(w, m, p.Timezone, now); from.After(opens.Add(openingSlack)) && !w.rezoned(rec.Client) {
			w.t.Errorf("the message to client %d waits until %s, and its window in %s opens at %s", rec.Client, from, p.Timezone, opens)
		}
	}
}

// opening returns the first minute at or after now at which the local time in a zone is
// inside a mailing's window, or at which the mailing has ended.
func opening(w *world, m mailing.Mailing, zone string, now time.Time) time.Time {
	w.t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		w.t.Fatalf("load a zone: %v", err)
	}
	for at := now; ; at = at.Truncate(time.Minute).Add(time.Minute) {
		face := mailing.ClockTime(time.Duration(at.In(loc).Hour())*time.Hour + time.Duration(at.In(loc).Minute())*time.Minute)
		inside := face >= m.Window.From && face < m.Window.To
		if m.Window.From > m.Window.To {
			inside = face >= m.Window.From || face < m.Window.To
		}
		if inside || !at.Before(m.EndAt) {
			return at
		}
	}
}

// rezoned reports whether an edit of a client's zone is still recorded.
func (w *world) rezoned(id mailing.ClientID) bool {
	w.t.Helper()
	edits, err := w.store.ZoneEdits(w.ctx, id.Slice(), id-1, 1)
	if err != nil {
		w.t.Fatalf("read edited zones: %v", err)
	}
	return len(edits) > 0 && edits[0].Client == id
}
