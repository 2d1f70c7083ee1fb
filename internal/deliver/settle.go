package deliver

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// sliceKey identifies a slice of a mailing. Batches of one slice can be settled in one
// transaction.
type sliceKey struct {
	mailing mailing.ID
	slice   int
}

// settle stores the outcomes of a batch. It shares a transaction with other batches of the
// slice that are done at about the same time.
func (s *Sender) settle(ctx context.Context, inv *invocation, w *work) {
	s.applyOutcomes(w, s.now())
	s.queueDeadLetters(ctx, w)
	w.settling = true
	inv.settlements.do(sliceOf(w.batch.Key), w, func(full context.Context) { s.waitForOthers(ctx, full) },
		func(works []*work, release func()) { s.settleSlice(ctx, inv, works, release) })
}

func sliceOf(k mailing.BatchKey) sliceKey { return sliceKey{k.Mailing, k.Slice} }

// waitTime is the longest time for which a batch that is done waits for batches of its
// slice that are in progress. One transaction takes about as long.
const waitTime = 50 * time.Millisecond

// waitForOthers waits until full ends, but not longer than waitTime.
func (s *Sender) waitForOthers(ctx, full context.Context) {
	if full.Err() != nil {
		return
	}
	// s.sleep may wait by a test's clock, so the end of full cancels the sleep's context.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(full, cancel)()
	_ = s.sleep(ctx, waitTime) // an error means that full or ctx has ended
}

// applyOutcomes turns the outcomes of a batch's hand-overs into new states of its
// recipients, and notes what the pending ones wait for. A recipient without a hand-over
// stays as it is.
func (s *Sender) applyOutcomes(w *work, now time.Time) {
	m := w.decidedBy(s.mailings.cached(w.mailing()))
	works := s.health.works(now)
	for _, r := range w.recipients {
		if r.outcome.Kind == 0 {
			continue
		}
		r.state = r.state.After(r.outcome, m, works, now)
		r.wait = waitAfter(r.outcome, works, now)
	}
}

// waitAfter returns what a message that is still pending waits for after an outcome.
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

// settleSlice settles batches of one slice in one transaction. After an error it tries
// again, until the invocation's time is over. Then it leaves the settlement to the next
// invocation: without a settlement, the messages would be charged for a lost claim, and
// might be handed over twice. After an error it also calls release, so that the next
// settlement of the slice does not wait for this one.
func (s *Sender) settleSlice(ctx context.Context, inv *invocation, works []*work, release func()) {
	set := sliceSettlement{key: sliceOf(works[0].batch.Key), works: works}
	// The mailing is empty if it was never read. Then no message was decided on, and the
	// recipients stay as they were.
	set.mailing = works[0].decidedBy(s.mailings.cached(works[0].mailing()))
	set.mailing.ID = set.key.mailing // a test message counts in no mailing, not even in the one that it tests
	now := s.now()
	for _, w := range works {
		set.settlements = append(set.settlements, w.settlement(now, s.config.Jitter))
	}
	ctx, cancel := context.WithTimeout(ctx, max(inv.end.Sub(now)-endReserve, time.Second))
	defer cancel()
	for n := 0; ; n++ {
		err := s.trySettle(ctx, set)
		if err == nil {
			return
		}
		release()
		slog.ErrorContext(ctx, "settle", "mailing_id", set.key.mailing, "slice", set.key.slice,
			"batches", len(works), "tries", n+1, "error", err)
		wait := settleRetry + s.config.Jitter(min(settleRetry<<min(n, 10), time.Second))
		if s.now().Add(wait).After(inv.end.Add(-endReserve)) || s.sleep(ctx, wait) != nil {
			s.unsettled.add(set)
			inv.settlementsFailed(len(works))
			return
		}
	}
}

const (
	// settleRetry is the least wait before the next try of a settlement.
	settleRetry = 100 * time.Millisecond
	// endReserve is how long before its end an invocation gives up settling.
	endReserve = 500 * time.Millisecond
)

// trySettle tries a settlement once, and notes in its works the batches that were written.
// A batch whose lease was lost is left to its new holder.
func (s *Sender) trySettle(ctx context.Context, set sliceSettlement) error {
	lost, err := s.store.Settle(ctx, set.mailing, set.key.slice, set.settlements)
	if err != nil {
		return err
	}
	var change mailing.Counts
	for i, w := range set.works {
		if slices.Contains(lost, w.batch.Key) {
			slog.WarnContext(ctx, "the lease was lost before settlement",
				"mailing_id", set.key.mailing, "batch", w.batch.Key.String())
			continue
		}
		logSettled(ctx, w)
		w.batch, w.change, w.settled = set.settlements[i].Batch, set.settlements[i].Change, true
		change = change.Plus(w.change)
	}
	slog.InfoContext(ctx, "settled", "mailing_id", set.key.mailing, "slice", set.key.slice,
		"batches", len(set.works)-len(lost), "sent", change.Sent, "failed", change.Failed, "retrying", change.Retrying, "deferred", change.Deferred,
		"expired", change.Expired, "cancelled", change.Cancelled, "skipped", change.Skipped, "uncertain", change.Uncertain)
	return nil
}

// logSettled logs the status of each message that was pending when its batch was claimed,
// with the ids of the message and the client. So a search for an id finds the line.
func logSettled(ctx context.Context, w *work) {
	byStatus := map[mailing.MessageStatus][]any{}
	var clients []mailing.ClientID
	for _, r := range w.recipients {
		if !r.wasPending {
			continue
		}
		rec, id := r.state, w.messageID(r)
		byStatus[rec.Status] = append(byStatus[rec.Status], id)
		clients = append(clients, rec.Client)
		if code := r.outcome.Code; code != "" && rec.Status != mailing.Sent {
			slog.InfoContext(ctx, "hand-over without success",
				"mailing_id", id.Mailing(), "message_id", id, "client_id", rec.Client, "code", code,
				"status", rec.Status, "attempts", rec.Attempts, "uncertain_attempts", rec.Uncertain)
		}
	}
	attrs := []any{"mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "client_ids", clients}
	for _, status := range mailing.MessageStatuses {
		if ids := byStatus[status]; ids != nil {
			attrs = append(attrs, string(status)+"_message_ids", ids)
		}
	}
	slog.InfoContext(ctx, "batch settled", attrs...)
}

// updateMailings updates the mailings of an invocation's settled batches. It adds the
// messages that were settled to the series of their mailing. It tries to finish a mailing
// if none of these batches has a pending message.
func (s *Sender) updateMailings(ctx context.Context, works []*work) {
	settled, pending := map[mailing.ID]mailing.Counts{}, map[mailing.ID]bool{}
	for _, w := range works {
		id := w.batch.Key.Mailing
		if id == mailing.TestMailing || !w.settled {
			continue
		}
		settled[id] = settled[id].Plus(w.change)
		pending[id] = pending[id] || w.batch.Pending()
	}
	var wg sync.WaitGroup
	for id, change := range settled {
		wg.Go(func() { s.countSettled(ctx, id, change) })
		if !pending[id] {
			wg.Go(func() { s.finish(ctx, id) })
		}
	}
	wg.Wait()
}

// countSettled adds the messages that settlements have changed to the series of a
// mailing. The series is only for display, so a failure has no consequences.
func (s *Sender) countSettled(ctx context.Context, id mailing.ID, change mailing.Counts) {
	if change.Sent == 0 && change.Failed == 0 && change.Uncertain == 0 {
		return
	}
	m := s.mailings.cached(id)
	m.ID = id // m is empty if it is not in the cache
	if err := s.store.CountSettled(ctx, m, change); err != nil {
		slog.WarnContext(ctx, "count settled messages", "mailing_id", id, "error", err)
	}
}

// finish finishes a mailing if none of its slices needs work any more. If that fails, the
// sweep finishes the mailing.
func (s *Sender) finish(ctx context.Context, id mailing.ID) {
	m := s.mailings.cached(id)
	m.ID = id // m is empty if it is not in the cache
	finished, err := s.store.FinishMailing(ctx, m)
	if err != nil {
		slog.WarnContext(ctx, "finish a mailing", "mailing_id", id, "error", err)
		return
	}
	if finished {
		slog.InfoContext(ctx, "mailing finished", "mailing_id", id)
	}
}

// deadLetterTime bounds how long adding dead letters may take.
const deadLetterTime = time.Second

// queueDeadLetters adds the messages of a batch that have just failed to the dead letters.
// It does so before the settlement. If the settlement then fails, the letters do no harm.
func (s *Sender) queueDeadLetters(ctx context.Context, w *work) {
	var letters []mailing.DeadLetter
	for _, r := range w.recipients {
		if r.wasPending && r.state.Status == mailing.Failed {
			letters = append(letters, mailing.DeadLetter{
				Message: w.messageID(r), Reason: r.state.Error, Attempts: r.state.Attempts, At: r.state.At,
			})
		}
	}
	if len(letters) == 0 {
		return
	}
	// Hand-overs must be settled in this invocation, with or without the letters.
	ctx, cancel := context.WithTimeout(ctx, deadLetterTime)
	defer cancel()
	if err := s.dead.Queue(ctx, letters); err != nil {
		// The settlement stores the failure and its reason, so it is made nevertheless.
		slog.ErrorContext(ctx, "add dead letters",
			"letters", len(letters), "mailing_id", w.batch.Key.Mailing, "error", err)
	}
}
