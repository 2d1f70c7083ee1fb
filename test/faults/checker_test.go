package faults_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// books is the content of the tables. It is read directly, not through the store's lists.
type snapshot struct {
	batches map[mailing.ID][]mailing.Batch
	slices  map[mailing.ID]*mailing.SliceStates
	// ttl is the instant after which a batch may be removed, in seconds since 1970; 0 is
	// never.
	ttl map[mailing.BatchKey]int64
}

// check compares three records of all mailings: the audience, what the sending API took,
// and the tables. It demands these invariants:
//   - No client of the audience is missed, and no other client gets a message.
//   - Each duplicate has an uncertain attempt that accounts for it.
//   - No hand-over was made at an instant that did not allow it.
//   - The counts equal a recount of the messages.
//   - A batch is due exactly while something in it is pending.
func (w *world) check() {
	w.t.Helper()
	w.checkInvariants(w.snapshot())
}

func (w *world) checkInvariants(b snapshot) {
	w.t.Helper()
	for _, id := range slices.Sorted(maps.Keys(w.history)) {
		w.checkMailing(b, w.mailing(id))
	}
	took := w.provider.took()
	for id := range took {
		if id.Mailing() == mailing.TestMailing {
			w.checkTaken(mailing.Mailing{Draft: mailing.Draft{OnUncertain: mailing.Stop}}, b.recipient(id), id, took[id])
		} else if b.recipient(id) == nil {
			w.t.Errorf("message %d was handed over, and is of no batch", id)
		}
	}
	w.checkSums(b)
}

// books reads the whole batches table in one scan. Most of the time of a state machine is
// spent here.
func (w *world) snapshot() snapshot {
	w.t.Helper()
	b := snapshot{map[mailing.ID][]mailing.Batch{}, map[mailing.ID]*mailing.SliceStates{}, map[mailing.BatchKey]int64{}}
	for _, id := range append(slices.Collect(maps.Keys(w.history)), mailing.TestMailing) {
		b.batches[id], b.slices[id] = nil, new(mailing.SliceStates)
	}
	pages := dynamodb.NewScanPaginator(w.env.Client, &dynamodb.ScanInput{TableName: &w.env.Tables.Batches, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.ctx)
		if err != nil {
			w.t.Fatalf("scan batches: %v", err)
		}
		for _, it := range page.Items {
			b.add(it)
		}
	}
	return b
}

// add adds a row of the batches table of any kind.
func (b snapshot) add(it map[string]types.AttributeValue) {
	if k, ok := batchAt(it); ok {
		b.batches[k.Mailing] = append(b.batches[k.Mailing], batchIn(k, it))
		b.ttl[k] = numberIn(it["ttl"])
		return
	}
	var id mailing.ID
	var slice int
	if n, _ := fmt.Sscanf(textIn(it["part"]), "%d#%d", &id, &slice); n != 2 || textIn(it["id"]) != "slice" || b.slices[id] == nil {
		return
	}
	for _, status := range mailing.MessageStatuses {
		b.slices[id][slice].Counts.Count(status, numberIn(it[string(status)]))
	}
}

// recipient returns the recipient of a message, nil if there is none.
func (b snapshot) recipient(id mailing.MessageID) *mailing.Recipient {
	for _, batch := range b.batches[id.Mailing()] {
		for i, rec := range batch.Recipients {
			if rec.Client == id.Client() {
				return &batch.Recipients[i]
			}
		}
	}
	return nil
}

func (w *world) checkMailing(b snapshot, m mailing.Mailing) {
	w.t.Helper()
	took := w.provider.took()
	known := map[mailing.ClientID]bool{}
	for _, batch := range b.batches[m.ID] {
		w.checkBatch(b, batch)
		w.checkKept(b, m, batch)
		w.checkOpening(m, batch)
		for _, rec := range batch.Recipients {
			if known[rec.Client] {
				w.t.Errorf("client %d has two messages of mailing %d", rec.Client, m.ID)
			}
			known[rec.Client] = true
			id := mailing.NewMessageID(m.ID, rec.Client)
			w.checkTaken(m, &rec, id, took[id])
			w.checkAsked(m, rec.Client)
			w.checkThere(m, rec.Client)
		}
	}
	if m.Finished && m.Status == mailing.StatusCompleted {
		for id, p := range w.audience {
			if m.Filter.Matches(p.Client) && p.since.Before(w.started(m.ID)) && p.gone.IsZero() && p.touched.Before(m.CreatedAt) && !known[id] {
				w.t.Errorf("client %d was missed by mailing %d", id, m.ID)
			}
		}
	}
}

// started returns the first instant after a mailing was created or began, whichever is
// later. A client that existed before that instant is in its audience.
func (w *world) started(id mailing.ID) time.Time {
	m := w.history[id][0].m
	if m.StartAt.After(m.CreatedAt) {
		return m.StartAt.Add(time.Nanosecond)
	}
	return m.CreatedAt.Add(time.Nanosecond)
}

// checkAsked demands that a mailing's filter matched a client that has a message.
func (w *world) checkAsked(m mailing.Mailing, id mailing.ClientID) {
	w.t.Helper()
	p, ok := w.audience[id]
	if !ok || (!m.Filter.Matches(p.Client) && p.touched.IsZero()) {
		w.t.Errorf("client %d has a message of mailing %d, and was not asked for", id, m.ID)
	}
}

// checkThere demands that a client existed when its mailing started. A mailing without
// StartedAt began before this instant was stored, and is not checked.
func (w *world) checkThere(m mailing.Mailing, id mailing.ClientID) {
	w.t.Helper()
	if !m.StartedAt.IsZero() && m.StartedAt.Before(m.StartAt) {
		w.t.Errorf("mailing %d started at %s, before its start", m.ID, m.StartedAt)
	}
	if p, ok := w.audience[id]; ok && !m.StartedAt.IsZero() && p.since.Truncate(time.Millisecond).After(m.StartedAt) {
		w.t.Errorf("client %d has a message of mailing %d, which had started when it was created", id, m.ID)
	}
}

func (w *world) checkBatch(b snapshot, batch mailing.Batch) {
	w.t.Helper()
	if batch.Pending() == batch.DueAt.IsZero() {
		w.t.Errorf("batch %s: pending %t, due %s", batch.Key, batch.Pending(), batch.DueAt)
	}
	if ttl := b.ttl[batch.Key]; batch.Pending() == (ttl != 0) {
		w.t.Errorf("batch %s: pending %t, and may be removed some day: %t", batch.Key, batch.Pending(), ttl != 0)
	}
	if len(batch.Recipients) == 0 || len(batch.Recipients) > mailing.BatchSize {
		w.t.Errorf("batch %s has %d members", batch.Key, len(batch.Recipients))
	}
}

// checkTaken compares a message with the hand-overs that the sending API took.
func (w *world) checkTaken(m mailing.Mailing, rec *mailing.Recipient, id mailing.MessageID, took []handed) {
	w.t.Helper()
	if rec == nil {
		w.t.Errorf("message %d was handed over, and is not there", id)
		return
	}
	if len(took) > 1+rec.Uncertain {
		w.t.Errorf("message %d was taken %d times, with %d uncertain attempts", id, len(took), rec.Uncertain)
	}
	if m.OnUncertain == mailing.Stop && len(took) > 1 {
		w.t.Errorf("message %d was taken %d times, though its mailing says stop", id, len(took))
	}
	if rec.Status == mailing.Sent && len(took) == 0 {
		w.t.Errorf("message %d is called sent, and was never taken", id)
	}
	if len(took) > 0 && !rec.Status.Pending() && rec.Status != mailing.Sent && rec.Uncertain == 0 {
		w.t.Errorf("message %d is called %s, and was taken", id, rec.Status)
	}
	if id.Mailing() == mailing.TestMailing {
		return
	}
	for _, h := range took {
		p := w.audience[id.Client()]
		if p == nil || !p.phones[h.phone] {
			w.t.Errorf("message %d went to a phone that its client never had", id)
		} else if why := w.forbidden(m.ID, p, h.at); why != "" {
			w.t.Errorf("message %d was handed over at %s: %s; its mailing was%s", id, h.at, why, w.timeline(m.ID))
		}
	}
}

// slack is how long after a pause, a cancellation, an edit or a deletion a hand-over may
// still begin.
const slack = 2 * time.Second

// forbidden returns why a message could not be handed over at an instant: none of the
// states that its mailing had within the slack before allowed it. It returns "" if one
// did.
func (w *world) forbidden(id mailing.ID, p *person, at time.Time) string {
	if !p.gone.IsZero() && at.After(p.gone.Add(slack)) {
		return "the client is deleted"
	}
	why := "the mailing was not there"
	for i, then := range w.history[id] {
		until := at.Add(time.Hour)
		if i+1 < len(w.history[id]) {
			until = w.history[id][i+1].from.Add(slack)
		}
		if then.from.After(at) || until.Before(at) {
			continue
		}
		for zone := range p.zones {
			if why = notNow(then.m, zone, at); why == "" {
				return ""
			}
		}
	}
	return why
}

// told formats a mailing's history for an error message.
func (w *world) timeline(id mailing.ID) string {
	var text strings.Builder
	for _, then := range w.history[id] {
		fmt.Fprintf(&text, " %s since %s (start %s, end %s, version %d);", then.m.Status, then.from.Format(time.TimeOnly), then.m.StartAt.Format(time.TimeOnly), then.m.EndAt.Format(time.TimeOnly), then.m.Version)
	}
	return text.String()
}

// notNow returns why m allows no hand-over at an instant, "" if it allows one. It
// computes this independently of the functions under test.
func notNow(m mailing.Mailing, zone string, at time.Time) string {
	switch {
	case at.Before(m.StartAt):
		return "before its start"
	case !at.Before(m.EndAt):
		return "at or after its end"
	case m.Deleted || m.Status == mailing.StatusCancelled || m.Status == mailing.StatusPaused || m.Status == mailing.StatusCompleted:
		return "the mailing is " + string(m.Status)
	case m.Window == nil:
		return ""
	}
	loc, err := location(zone)
	if err != nil {
		return err.Error()
	}
	local := at.In(loc)
	face := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second
	from, to := time.Duration(m.Window.From), time.Duration(m.Window.To)
	inside := face >= from && face < to
	if from > to {
		inside = face >= from || face < to
	}
	if !inside {
		return "outside its client's window"
	}
	return ""
}

// locations caches the time zones that were loaded, by name.
var locations sync.Map

func location(zone string) (*time.Location, error) {
	if loc, ok := locations.Load(zone); ok {
		return loc.(*time.Location), nil //nolint:forcetypeassert // the map holds nothing else
	}
	loc, err := time.LoadLocation(zone)
	if err == nil {
		locations.Store(zone, loc)
	}
	return loc, err
}

// checkSums recounts each slice, each finished mailing, and the sum of all mailings.
func (w *world) checkSums(b snapshot) {
	w.t.Helper()
	var all mailing.Counts
	for id, batches := range b.batches {
		var counted [mailing.Slices]mailing.Counts
		var sum mailing.Counts
		for _, batch := range batches {
			counted[batch.Key.Slice] = counted[batch.Key.Slice].Plus(mailing.CountRecipients(batch.Recipients))
		}
		for slice, state := range b.slices[id] {
			if counted[slice] != state.Counts {
				w.t.Errorf("mailing %d slice %d: recounted %+v, counts say %+v", id, slice, counted[slice], state.Counts)
			}
			sum = sum.Plus(counted[slice])
		}
		if id == mailing.TestMailing {
			continue
		}
		m := w.mailing(id)
		if m.Finished && (m.Counts != sum || sum.Pending() > 0) {
			w.t.Errorf("mailing %d is finished with %+v; recounted %+v", id, m.Counts, sum)
		}
		if !m.Deleted {
			all = all.Plus(sum)
		}
	}
	overall, err := w.store.Overall(w.ctx, "")
	if err != nil {
		w.t.Fatalf("sum up all mailings: %v", err)
	}
	if overall.Totals != all {
		w.t.Errorf("all mailings: recounted %+v, the overall statistics say %+v", all, overall.Totals)
	}
}

// sentAll demands that a mailing is completed with all n messages sent, that each was
// handed over once, and that the invariants hold.
func (w *world) sentAll(id mailing.ID, n int64) {
	w.t.Helper()
	w.ends(id, mailing.Counts{Total: n, Sent: n})
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
