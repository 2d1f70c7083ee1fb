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
	s.conclude(w, s.now())
	s.bury(ctx, w)
	w.comes = true
	inv.settlements.do(sliceOf(w.batch.Key), w, func(full <-chan struct{}) { s.linger(ctx, full) },
		func(works []*work, free func()) { s.settleSlice(ctx, inv, works, free) })
}

func sliceOf(k mailing.BatchKey) sliceKey { return sliceKey{k.Mailing, k.Slice} }

// lingerTime is how long a batch that is done waits for other batches of its slice that
// are under way. One transaction takes about as long.
const lingerTime = 50 * time.Millisecond

// linger waits until full is closed, at most for lingerTime.
func (s *Sender) linger(ctx context.Context, full <-chan struct{}) {
	select {
	case <-full:
		return
	default:
	}
	// s.sleep may wait by a test's clock, so full ends it by its context.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-full:
			cancel()
		case <-ctx.Done():
		}
	}()
	_ = s.sleep(ctx, lingerTime) // an early end means that full is closed
}

// conclude turns the outcomes of a batch's hand-overs into new states of its recipients,
// and notes what the pending ones wait for. The wait of a pending recipient that was not
// handed over is already noted.
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
// error until the invocation's time is over, and keeps the settlement as a debt then:
// messages that are not settled are charged for a lost claim, and may go out twice.
// After the first error it calls free, so that the next batches of the slice need not
// wait for these.
func (s *Sender) settleSlice(ctx context.Context, inv *invocation, works []*work, free func()) {
	o := owed{key: sliceOf(works[0].batch.Key), works: works}
	// An empty mailing means that nothing was decided on: batches go back as they were.
	o.mailing = works[0].decidedBy(s.mailings.peek(works[0].mailing()))
	o.mailing.ID = o.key.mailing // a test message counts in no mailing, not even in the one that it tests
	now := s.now()
	for _, w := range works {
		o.settlements = append(o.settlements, w.settlement(now, s.jitter))
	}
	ctx, cancel := context.WithTimeout(ctx, max(inv.end.Sub(now)-lastMoment, time.Second))
	defer cancel()
	for n := 0; ; n++ {
		err := s.pay(ctx, o)
		if err == nil {
			return
		}
		free()
		slog.ErrorContext(ctx, "settle", "mailing_id", o.key.mailing, "slice", o.key.slice, "batches", len(works), "tries", n+1, "error", err)
		wait := settleAgain + s.jitter(min(settleAgain<<min(n, 10), time.Second))
		if s.now().Add(wait).After(inv.end.Add(-lastMoment)) || s.sleep(ctx, wait) != nil {
			s.debt.add(o)
			inv.failed(len(works))
			return
		}
	}
}

const (
	// settleAgain is the least wait before the next try of a settlement.
	settleAgain = 100 * time.Millisecond
	// lastMoment is how long before its end an invocation gives up settling.
	lastMoment = 500 * time.Millisecond
)

// pay makes one try at a settlement, and notes in its works what was written. A batch
// whose lease was lost is left to its new holder.
func (s *Sender) pay(ctx context.Context, o owed) error {
	lost, err := s.store.Settle(ctx, o.mailing, o.key.slice, o.settlements)
	if err != nil {
		return err
	}
	var change mailing.Counts
	for i, w := range o.works {
		if slices.Contains(lost, w.batch.Key) {
			slog.WarnContext(ctx, "the lease was lost before settlement", "mailing_id", o.key.mailing, "batch", w.batch.Key.String())
			continue
		}
		logSettled(ctx, w, o.settlements[i].Batch)
		w.batch, w.change, w.settled = o.settlements[i].Batch, o.settlements[i].Change, true
		change = change.Plus(w.change)
	}
	slog.InfoContext(ctx, "settled", "mailing_id", o.key.mailing, "slice", o.key.slice, "batches", len(o.works)-len(lost),
		"sent", change.Sent, "failed", change.Failed, "retrying", change.Retrying, "deferred", change.Deferred,
		"expired", change.Expired, "cancelled", change.Cancelled, "skipped", change.Skipped, "uncertain", change.Uncertain)
	return nil
}

// logSettled logs what became of each message that was pending in a batch, so that the
// message and its client can be followed by their ids.
func logSettled(ctx context.Context, w *work, settled mailing.Batch) {
	byStatus := map[mailing.MessageStatus][]any{}
	var clients []mailing.ClientID
	for i, rec := range settled.Recipients {
		if !w.batch.Recipients[i].Status.Pending() {
			continue
		}
		id := mailing.NewMessageID(settled.Key.Mailing, rec.Client)
		byStatus[rec.Status] = append(byStatus[rec.Status], id)
		clients = append(clients, rec.Client)
		if code := w.outcomes[i].Code; code != "" && rec.Status != mailing.Sent {
			slog.InfoContext(ctx, "hand-over without success", "mailing_id", settled.Key.Mailing, "message_id", id, "client_id", rec.Client,
				"code", code, "status", rec.Status, "attempts", rec.Attempts, "uncertain_attempts", rec.Uncertain)
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

// wrapUp does what concerns whole mailings after an invocation's batches are settled.
// It counts the messages that were sent, and finishes a mailing if these batches were
// its last ones with pending messages.
func (s *Sender) wrapUp(ctx context.Context, works []*work) {
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
		slog.WarnContext(ctx, "count the rate", "mailing_id", id, "error", err)
	}
}

// finish finishes a mailing if none of its slices needs work any more. If that fails, the
// sweep finishes the mailing.
func (s *Sender) finish(ctx context.Context, id mailing.ID) {
	m := s.mailings.peek(id)
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

// buryTime bounds how long adding dead letters may take.
const buryTime = time.Second

// bury adds the messages of a batch that have just failed to the dead letters. It does
// that before the settlement: a letter too many does no harm.
func (s *Sender) bury(ctx context.Context, w *work) {
	var letters []mailing.DeadLetter
	for i, rec := range w.members {
		if rec.Status == mailing.Failed && w.batch.Recipients[i].Status.Pending() {
			letters = append(letters, mailing.DeadLetter{
				Message: mailing.NewMessageID(w.batch.Key.Mailing, rec.Client), Reason: rec.Error, Attempts: rec.Attempts, At: rec.At,
			})
		}
	}
	if len(letters) == 0 {
		return
	}
	// Hand-overs must be settled in this invocation, with or without the letters.
	ctx, cancel := context.WithTimeout(ctx, buryTime)
	defer cancel()
	if err := s.dead.Queue(ctx, letters); err != nil {
		// The settlement stores the failure and its reason, so it is made nevertheless.
		slog.ErrorContext(ctx, "add dead letters", "letters", len(letters), "mailing_id", letters[0].Message.Mailing(), "error", err)
	}
}
