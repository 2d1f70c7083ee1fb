package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

const (
	// replanPage is how many edited clients of a slice are looked at together.
	replanPage = 100
	// replanConcurrency is how many slices are looked at at once.
	replanConcurrency = 4
	// replanTime is how long one sweep's task goes on, turn after turn: until the
	// next sweep queues another one.
	replanTime = time.Minute
)

// sweepZones queues a task if the zone of any client was edited for whom a message
// may wait. Edits that are of no matter to what is live now are left for later.
func (s *Scheduler) sweepZones(ctx context.Context, live []mailing.Mailing, now time.Time) error {
	if !slices.ContainsFunc(live, func(m mailing.Mailing) bool { return m.Replans(now) }) {
		return nil
	}
	var found [mailing.Slices]bool
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(sweepConcurrency)
	for slice := range found {
		group.Go(func() error {
			edits, err := s.store.Rezoned(groupCtx, slice, 0, 1)
			found[slice] = len(edits) > 0
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if !slices.Contains(found[:], true) {
		return nil
	}
	return s.tasks.QueueReplan(ctx, now.Add(replanTime))
}

// Replan plans the waiting messages of clients whose zone was edited again, for one
// turn, and queues itself for another one if any is left; but not after until, when
// another sweep has queued a task of its own. An edit is forgotten when all waiting
// messages of its client are free to be decided on by the new zone. It may be killed
// anywhere, done twice, or by two at once.
func (s *Scheduler) Replan(ctx context.Context, until time.Time) error {
	end := s.clock.Now().Add(turn)
	var (
		more  [mailing.Slices]bool
		errs  [mailing.Slices]error
		group errgroup.Group // one slice's trouble does not keep the others from their work
	)
	group.SetLimit(replanConcurrency)
	for slice := range more {
		group.Go(func() error {
			more[slice], errs[slice] = s.replanSlice(ctx, slice, end)
			return nil
		})
	}
	_ = group.Wait() // its functions keep their errors in errs
	err := errors.Join(errs[:]...)
	if slices.Contains(more[:], true) && s.clock.Now().Before(until) {
		err = errors.Join(err, s.tasks.QueueReplan(ctx, until))
	}
	return err
}

// replanSlice is [Scheduler.Replan] for the clients of one slice. more reports
// whether the turn ended first.
func (s *Scheduler) replanSlice(ctx context.Context, slice int, until time.Time) (more bool, err error) {
	for after := mailing.ClientID(0); ; {
		if !s.clock.Now().Before(until) {
			return true, nil
		}
		edits, err := s.store.Rezoned(ctx, slice, after, replanPage)
		if err != nil || len(edits) == 0 {
			return false, err
		}
		if err := s.replanSome(ctx, slice, edits); err != nil {
			return false, err
		}
		if len(edits) < replanPage {
			return false, nil
		}
		after = edits[len(edits)-1].Client
	}
}

// replanSome plans what waits for some clients of a slice again, and forgets the
// edits that nothing more has to be done for.
func (s *Scheduler) replanSome(ctx context.Context, slice int, edits []mailing.Rezoning) error {
	// Read after the edits: a mailing that starts or gets a window later than that
	// is planned by the new zones anyway.
	live, err := s.store.Live(ctx)
	if err != nil {
		return fmt.Errorf("plan for edited zones: %w", err)
	}
	r := replanning{Scheduler: s, slice: slice, edits: edits, left: map[mailing.ClientID]bool{}}
	var errs []error
	for _, m := range live {
		if !m.Replans(s.clock.Now()) {
			continue
		}
		if err := r.mailing(ctx, m); err != nil {
			// It keeps the edits in mind, and does not keep the other mailings from theirs.
			errs = append(errs, fmt.Errorf("plan for edited zones: mailing %d slice %d: %w", m.ID, slice, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	done := slices.DeleteFunc(slices.Clone(edits), func(e mailing.Rezoning) bool { return r.left[e.Client] })
	return s.store.ForgetRezoned(ctx, slice, done)
}

// replanning is what becomes of some edits of clients of one slice.
type replanning struct {
	*Scheduler

	slice int
	edits []mailing.Rezoning
	// left are the clients whose edit has to be looked at again by a later sweep.
	left map[mailing.ClientID]bool
}

// edited reports whether a client's zone was edited.
func (r *replanning) edited(id mailing.ClientID) bool {
	return slices.ContainsFunc(r.edits, func(e mailing.Rezoning) bool { return e.Client == id })
}

// mailing plans what waits for the clients in one mailing again.
func (r *replanning) mailing(ctx context.Context, m mailing.Mailing) error {
	state, err := r.store.Slice(ctx, m.ID, r.slice)
	if err != nil {
		return err
	}
	batches, err := r.batches(ctx, m, state)
	if err != nil {
		return err
	}
	var keys []mailing.BatchKey
	for _, b := range batches {
		written, err := r.batch(ctx, m, b)
		if err != nil {
			return err
		}
		if written && m.Status == mailing.StatusRunning {
			keys = append(keys, b.Key)
		}
	}
	return r.deliveries.Queue(ctx, keys, 0)
}

// batches are those of a mailing with a message to an edited client. It is read after
// the slice: what the slice says to be expanded is there.
func (r *replanning) batches(ctx context.Context, m mailing.Mailing, state mailing.SliceState) ([]mailing.Batch, error) {
	var batches []mailing.Batch
	now := r.clock.Now()
	for _, e := range r.edits {
		if e.Plannable(state, now) {
			r.left[e.Client] = true
		}
		holds := func(b mailing.Batch) bool {
			return slices.ContainsFunc(b.Members, func(mem mailing.Member) bool { return mem.Client == e.Client })
		}
		if !e.Concerns(m) || slices.ContainsFunc(batches, holds) {
			continue
		}
		b, ok, err := r.store.BatchOf(ctx, m, e.Client)
		if err != nil {
			return nil, err
		}
		if ok {
			batches = append(batches, b)
		}
	}
	return batches, nil
}

// batch plans a batch again, and reports whether it was changed. One that a sender
// holds may be settled by what the sender had read of the clients: it is left to a
// later sweep. One whose holder is gone is decided on again by whoever claims it.
func (r *replanning) batch(ctx context.Context, m mailing.Mailing, b mailing.Batch) (bool, error) {
	now := r.clock.Now()
	if b.LeaseUntil.After(now) {
		r.leave(b)
		return false, nil
	}
	replanned, ok := b.Replanned(r.edited, now)
	if !ok || b.Holder != "" {
		return false, nil
	}
	if m.Status == mailing.StatusRunning {
		// It is queued now. Of a paused mailing it is for the resume to queue it.
		replanned.DueAt = now.Add(mailing.QueuedPatience)
	}
	written, err := r.store.Replan(ctx, b, replanned)
	if err != nil {
		return false, err
	}
	if !written {
		r.leave(b)
		return false, nil
	}
	slog.InfoContext(ctx, "batch planned again for edited zones", about(b)...)
	return true, nil
}

// leave keeps the edits in mind of the clients whose messages in a batch wait.
func (r *replanning) leave(b mailing.Batch) {
	for _, mem := range b.Members {
		if mem.Status.Pending() && r.edited(mem.Client) {
			r.left[mem.Client] = true
		}
	}
}
