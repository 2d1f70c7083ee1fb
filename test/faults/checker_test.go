package faults_test

import (
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
	"postrider/test/invariants"
)

// check demands the invariants of all mailings.
func (w *world) check() {
	w.t.Helper()
	w.checkRecords(w.records())
}

func (w *world) checkRecords(r invariants.Records) {
	w.t.Helper()
	for _, v := range invariants.Check(r).Violations {
		w.t.Errorf("%s", v)
	}
	w.checkOpenings(r)
}

// records reads the records of all mailings. One scan reads the whole batches table,
// because most of the time of a state machine is spent here.
func (w *world) records() invariants.Records {
	w.t.Helper()
	overall, err := w.store.Overall(w.ctx, "")
	if err != nil {
		w.t.Fatalf("sum up all mailings: %v", err)
	}
	r := invariants.Records{
		Clients: w.audience, Handovers: w.provider.ledger(), Retention: dynamotest.Retention, Totals: &overall.Totals,
		Mailings: map[mailing.ID]*invariants.Mailing{mailing.TestMailing: {}},
	}
	for id, timeline := range w.history {
		r.Mailings[id] = &invariants.Mailing{Mailing: w.mailing(id), Timeline: timeline}
	}
	pages := dynamodb.NewScanPaginator(w.env.Client, &dynamodb.ScanInput{TableName: &w.env.Tables.Batches, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.ctx)
		if err != nil {
			w.t.Fatalf("scan batches: %v", err)
		}
		for _, row := range page.Items {
			if err := r.AddRow(row); err != nil {
				w.t.Errorf("%v", err)
			}
		}
	}
	return r
}

// recipients returns the messages of a mailing as they are stored.
func (w *world) recipients(id mailing.ID) []mailing.Recipient {
	w.t.Helper()
	return w.records().Mailings[id].Recipients()
}

// openingSlack is how much longer than until its window opens a message may wait. It is
// the longest wait for a sending API in trouble, which may be added to the wait for the
// window.
const openingSlack = mailing.MaxBackoff + time.Minute

// checkOpenings demands that each message that waits for a window may be claimed when the
// window opens in its client's current zone. Batches that a sender holds are not checked.
// Messages for whose client an edit of the zone is still recorded may wait longer.
func (w *world) checkOpenings(r invariants.Records) {
	w.t.Helper()
	now := w.clock.Now()
	for _, id := range slices.Sorted(maps.Keys(w.history)) {
		m := r.Mailings[id]
		for _, b := range m.Batches {
			if !m.Replans(now) || b.Generation != m.Generation || b.Holder != "" {
				continue
			}
			for _, rec := range b.Recipients {
				w.checkOpening(m, b, rec)
			}
		}
	}
}

func (w *world) checkOpening(m *invariants.Mailing, b invariants.Batch, rec mailing.Recipient) {
	w.t.Helper()
	now, from, client := w.clock.Now(), b.NotBefore, w.audience[rec.Client]
	if rec.NotBefore.After(from) {
		from = rec.NotBefore
	}
	if rec.Status != mailing.Deferred || client == nil || !client.DeletedAt.IsZero() || !from.After(now.Add(openingSlack)) {
		return
	}
	opens := now
	for !invariants.Inside(*m.Window, client.Timezone, opens) && opens.Before(m.EndAt) {
		opens = opens.Truncate(time.Minute).Add(time.Minute)
	}
	if from.After(opens.Add(openingSlack)) && !w.zoneEdited(rec.Client) {
		w.t.Errorf("the message of mailing %d to client %d waits until %s, and its window in %s opens at %s",
			m.ID, rec.Client, from, client.Timezone, opens)
	}
}

// zoneEdited reports whether an edit of a client's zone is still recorded.
func (w *world) zoneEdited(id mailing.ClientID) bool {
	w.t.Helper()
	edits, err := w.store.ZoneEdits(w.ctx, id.Slice(), id-1, 1)
	if err != nil {
		w.t.Fatalf("read edited zones: %v", err)
	}
	return len(edits) > 0 && edits[0].Client == id
}

// sentAll demands that a mailing is completed with all n messages sent, that each was
// taken once, and that the invariants hold.
func (w *world) sentAll(id mailing.ID, n int64) {
	w.t.Helper()
	w.ends(id, mailing.Counts{Total: n, Sent: n})
	w.takenOnce()
}

// takenOnce demands that the sending API took no message twice.
func (w *world) takenOnce() {
	w.t.Helper()
	for msg, times := range w.provider.took() {
		if len(times) != 1 {
			w.t.Errorf("message %d was taken %d times", msg, len(times))
		}
	}
}

// ends demands that a mailing has ended with these counts, and that the invariants hold.
func (w *world) ends(id mailing.ID, want mailing.Counts) {
	w.t.Helper()
	if got := w.counts(id); got != want {
		w.t.Errorf("counts %+v, want %+v", got, want)
	}
	if !w.mailing(id).Finished {
		w.t.Errorf("mailing %d is not finished", id)
	}
	w.check()
}
