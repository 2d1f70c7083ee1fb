package deliver

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// sliceKey is what is settled in one transaction.
type sliceKey struct {
	mailing mailing.MailingID
	slice   int
}

// settle writes what became of batches: a transaction per slice, side by side.
func (s *Sender) settle(ctx context.Context, works []*work) {
	now := s.now()
	bySlice := make(map[sliceKey][]*work)
	for _, w := range works {
		s.conclude(w, now)
		k := sliceKey{w.batch.Key.Mailing, w.batch.Key.Slice}
		bySlice[k] = append(bySlice[k], w)
	}
	s.bury(ctx, works)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		sent = map[mailing.MailingID]int64{}
	)
	for k, group := range bySlice {
		wg.Go(func() {
			n := s.settleSlice(ctx, k, group)
			mu.Lock()
			defer mu.Unlock()
			sent[k.mailing] += n
		})
	}
	wg.Wait()
	for id, n := range sent {
		if id != mailing.TestMailing {
			wg.Go(func() { s.countSent(ctx, id, n) })
			wg.Go(func() { s.finishIfDone(ctx, id, works) })
		}
	}
	wg.Wait()
}

// conclude turns the outcomes of a batch's hand-overs into its members' new
// states, and says what those that are pending wait for.
func (s *Sender) conclude(w *work, now time.Time) {
	m := w.decidedBy(s.mailings.peek(w.mailing()))
	works := s.health.works(now)
	for i, o := range w.outcomes {
		if o.Kind == 0 {
			continue
		}
		w.members[i] = w.members[i].After(o, m, works, now)
		w.waits[i] = waitAfter(o, works, now)
	}
}

// waitAfter says what a message that was not done with waits for.
func waitAfter(o mailing.Outcome, providerWorks bool, now time.Time) mailing.Wait {
	switch o.Kind {
	case mailing.OutcomeNotTried:
		return mailing.Wait{Kind: mailing.WaitTurn}
	case mailing.OutcomeThrottled:
		return mailing.Wait{Kind: mailing.WaitRetry, Until: now.Add(o.RetryAfter)}
	case mailing.OutcomeRetry:
		if providerWorks {
			return mailing.Wait{Kind: mailing.WaitRetry}
		}
	case mailing.OutcomeAmbiguous:
		return mailing.Wait{Kind: mailing.WaitRetry}
	case mailing.OutcomeMisconfigured, mailing.OutcomeSent, mailing.OutcomeRejected:
	}
	return mailing.Wait{Kind: mailing.WaitProvider, Until: now.Add(mailing.ParkTime)}
}

// settleSlice settles the batches of one slice, and tells how many of their
// messages were sent.
func (s *Sender) settleSlice(ctx context.Context, k sliceKey, works []*work) (sent int64) {
	// Where it is not known, nothing was decided on: the batches go back as they were.
	m := works[0].decidedBy(s.mailings.peek(works[0].mailing()))
	m.ID = k.mailing // a test message counts in none, least of all in the one that it tests
	now := s.now()
	settlements := make([]mailing.Settlement, len(works))
	for i, w := range works {
		settlements[i] = mailing.Settlement{
			Batch: w.batch.Settled(w.members, w.waits, w.plan(), now, s.jitter), Holder: w.holder,
			Change: mailing.CountMembers(w.members).Minus(mailing.CountMembers(w.batch.Members)),
		}
	}
	lost, err := s.store.Settle(ctx, m, k.slice, settlements)
	if err != nil {
		// The leases run out; who claims next counts what we did as ambiguous.
		slog.ErrorContext(ctx, "settle", "mailing_id", k.mailing, "slice", k.slice, "batches", len(works), "error", err)
		return 0
	}
	gone := make(map[mailing.BatchKey]bool, len(lost))
	for _, key := range lost {
		slog.WarnContext(ctx, "the lease was lost before settlement", "mailing_id", k.mailing, "batch", key.String())
		gone[key] = true
	}
	var change mailing.Counts
	for i, w := range works {
		if !gone[w.batch.Key] {
			logSettled(ctx, w, settlements[i].Batch)
			w.batch, w.change = settlements[i].Batch, settlements[i].Change
			change = change.Plus(w.change)
		}
	}
	slog.InfoContext(ctx, "settled", "mailing_id", k.mailing, "slice", k.slice, "batches", len(works)-len(lost),
		"sent", change.Sent, "failed", change.Failed, "retrying", change.Retrying, "deferred", change.Deferred,
		"expired", change.Expired, "cancelled", change.Cancelled, "skipped", change.Skipped, "uncertain", change.Uncertain)
	return change.Sent
}

// logSettled says what became of each message of a batch that was worked on, so
// that it and its client can be followed by their ids.
func logSettled(ctx context.Context, w *work, settled mailing.Batch) {
	byStatus := map[mailing.MessageStatus][]any{}
	var clients []mailing.ClientID
	for i, mem := range settled.Members {
		if !w.batch.Members[i].Status.Pending() {
			continue
		}
		id := mailing.NewMessageID(settled.Key.Mailing, mem.Client)
		byStatus[mem.Status] = append(byStatus[mem.Status], id)
		clients = append(clients, mem.Client)
		if code := w.outcomes[i].Code; code != "" && mem.Status != mailing.Sent {
			slog.InfoContext(ctx, "hand-over without success", "mailing_id", settled.Key.Mailing, "message_id", id, "client_id", mem.Client,
				"code", code, "status", mem.Status, "attempts", mem.Attempts, "uncertain_attempts", mem.Uncertain)
		}
	}
	attrs := []any{"mailing_id", settled.Key.Mailing, "batch", settled.Key.String(), "client_ids", clients}
	for _, status := range mailing.MessageStatuses {
		if ids := byStatus[status]; ids != nil {
			attrs = append(attrs, string(status)+"_message_ids", ids)
		}
	}
	slog.InfoContext(ctx, "batch settled", attrs...)
}

// plan is the oldest plan that a wait of the batch comes from: an edit may have
// come between the decisions on two members.
func (w *work) plan() int64 { return slices.Min(w.plans) }

// countSent adds to the rate, which is only for people to look at.
func (s *Sender) countSent(ctx context.Context, id mailing.MailingID, n int64) {
	if n == 0 {
		return
	}
	if err := s.store.CountSent(ctx, id, n); err != nil {
		slog.WarnContext(ctx, "count the rate", "mailing_id", id, "error", err)
	}
}

// finishIfDone finishes a mailing if these batches were the last to have
// anything pending. Where it cannot tell, the sweep does.
func (s *Sender) finishIfDone(ctx context.Context, id mailing.MailingID, works []*work) {
	for _, w := range works {
		if w.batch.Key.Mailing == id && w.batch.Pending() {
			return
		}
	}
	states, err := s.store.Slices(ctx, []mailing.MailingID{id})
	if err != nil {
		slog.WarnContext(ctx, "look whether the mailing is done", "mailing_id", id, "error", err)
		return
	}
	m := s.mailings.peek(id)
	if _, done := m.Done(states[id], s.now()); !done {
		return
	}
	finished, err := s.store.FinishMailing(ctx, id)
	if err != nil {
		slog.WarnContext(ctx, "finish", "mailing_id", id, "error", err)
		return
	}
	if finished {
		slog.InfoContext(ctx, "mailing finished", "mailing_id", id)
	}
}

// buryTime bounds the adding of dead letters.
const buryTime = time.Second

// bury adds the messages that have just failed to the dead letters, before
// that is settled: an entry too many does no harm.
func (s *Sender) bury(ctx context.Context, works []*work) {
	var letters []mailing.DeadLetter
	for _, w := range works {
		for i, mem := range w.members {
			if mem.Status == mailing.Failed && w.batch.Members[i].Status.Pending() {
				letters = append(letters, mailing.DeadLetter{
					Message: mailing.NewMessageID(w.batch.Key.Mailing, mem.Client), Reason: mem.Error, Attempts: mem.Attempts, At: mem.At,
				})
			}
		}
	}
	if len(letters) == 0 {
		return
	}
	// What was handed over has to be settled in this invocation, whatever
	// becomes of a letter.
	ctx, cancel := context.WithTimeout(ctx, buryTime)
	defer cancel()
	if err := s.dead.Queue(ctx, letters); err != nil {
		// The failure itself is in the table, with its reason: that is settled
		// all the same.
		slog.ErrorContext(ctx, "add dead letters", "letters", len(letters), "mailing_id", letters[0].Message.Mailing(), "error", err)
	}
}
