package deliver

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"postrider/internal/mailing"
)

// sliceKey identifies a slice, whose batches are settled in one transaction.
type sliceKey struct {
	mailing mailing.ID
	slice   int
}

// settle writes what became of a batch, in one transaction with other batches of its
// slice that are done at about the same time.
func (s *Sender) settle(ctx context.Context, inv *invocation, w *work) {
	s.applyOutcomes(w, s.now())
	s.queueDeadLetters(ctx, w)
	w.settling = true
	inv.settlements.do(sliceOf(w.batch.Key), w, func(full context.Context) { s.waitForOthers(ctx, full) },
		func(works []*work, release func()) { s.settleSlice(ctx, inv, works, release) })
}

func sliceOf(k mailing.BatchKey) sliceKey { return sliceKey{k.Mailing, k.Slice} }

// waitTime is how long a batch that is done waits for other batches of its slice that
// are in progress. One transaction takes about as long.
const waitTime = 50 * time.Millisecond

// waitForOthers waits until full ends, at most for waitTime.
func (s *Sender) waitForOthers(ctx, full context.Context) {
	if full.Err() != nil {
		return
	}
	// s.sleep may wait by a test's clock, so full ends it by its context.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(full, cancel)()
	_ = s.sleep(ctx, waitTime) // an error means that full has ended
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

// settleSlice settles batches of one slice in one transaction. It repeats after every
// error until the invocation's time is over, and leaves the settlement to the next
// invocation then: messages that are never settled are charged for a lost claim, and may
// be handed over twice. After the first error it calls release, so that the next batches
// of the slice need not wait for these.
func (s *Sender) settleSlice(ctx context.Context, inv *invocation, works []*work, release func()) {
	set := sliceSettlement{key: sliceOf(works[0].batch.Key), works: works}
	// An empty mailing means that nothing was decided on: batches go back as they were.
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

// trySettle makes one try at a settlement, and notes in its works what was written. A
// batch whose lease was lost is left to its new holder.
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

// logSettled logs what became of each message that was pending in a batch, so that the
// message and its client can be followed by their ids.
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

// updateMailings does what concerns whole mailings after an invocation's batches are
// settled. It counts the messages that were sent, and finishes a mailing if these batches
// were its last ones with pending messages.
func (s *Sender) updateMailings(ctx context.Context, works []*work) {
	sent, pending := map[mailing.ID]int64{}, map[mailing.ID]bool{}
	for _, w := range works {
		id := w.batch.Key.Mailing
		if id == mailing.TestMailing || !w.settled {
			continue
		}
		sent[id] += w.change.Sent
		pending[id] = pending[id] || w.batch.Pending()
	}
	var wg sync.WaitGroup
	for id, n := range sent {
		wg.Go(func() { s.countSent(ctx, id, n) })
		if !pending[id] {
			wg.Go(func() { s.finish(ctx, id) })
		}
	}
	wg.Wait()
}

// countSent adds n messages to the rate of a mailing. Only people look at the rate, so
// a failure has no consequences.
func (s *Sender) countSent(ctx context.Context, id mailing.ID, n int64) {
	if n == 0 {
		return
	}
	if err := s.store.CountSent(ctx, id, n); err != nil {
		slog.WarnContext(ctx, "count sent messages", "mailing_id", id, "error", err)
	}
}

// finish finishes a mailing if none of its slices needs work any more. If that fails, the
// sweep finishes the mailing.
func (s *Sender) finish(ctx context.Context, id mailing.ID) {
	m := s.mailings.cached(id)
	m.ID = id // it may not be in the cache
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

// queueDeadLetters adds the messages of a batch that have just failed to the dead
// letters. It does that before the settlement: a letter too many does no harm.
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
