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
	// replanPage is the maximum number of edited clients of a slice that are read
	// together.
	replanPage = 100
	// replanConcurrency is the number of slices that are worked on at the same time.
	replanConcurrency = 4
	// replanTime is how long the task of one sweep continues, turn after turn. After that
	// time the next sweep has queued another task.
	replanTime = time.Minute
)

// sweepZones queues a replan task if the zone of a client was edited and a message to that
// client may wait by the old zone. While no live mailing can have such a message, the
// edits are not read, and stay stored.
func (s *Scheduler) sweepZones(ctx context.Context, live []mailing.Mailing, now time.Time) error {
	if !slices.ContainsFunc(live, func(m mailing.Mailing) bool { return m.Replans(now) }) {
		return nil
	}
	var found [mailing.Slices]bool
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(sweepConcurrency)
	for slice := range found {
		group.Go(func() error {
			edits, err := s.store.ZoneEdits(groupCtx, slice, 0, 1)
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

// Replan frees the messages that wait by the old zone of their client, for one turn. A
// sender then decides them by the new zone. If edits are left after the turn, Replan
// queues another task, but not after until: by then another sweep has queued a task of its
// own. An edit is deleted when no message of its client can wait by the old zone any more.
// Replan may be killed at any point, run twice, or run twice at the same time.
func (s *Scheduler) Replan(ctx context.Context, until time.Time) error {
	end := s.clock.Now().Add(turn)
	var (
		more  [mailing.Slices]bool
		errs  [mailing.Slices]error
		group errgroup.Group // without a context: a failed slice must not stop the others
	)
	group.SetLimit(replanConcurrency)
	for slice := range more {
		group.Go(func() error {
			more[slice], errs[slice] = s.replanSlice(ctx, slice, end)
			return nil
		})
	}
	_ = group.Wait() // always nil: the functions put their errors into errs
	err := errors.Join(errs[:]...)
	if slices.Contains(more[:], true) && s.clock.Now().Before(until) {
		err = errors.Join(err, s.tasks.QueueReplan(ctx, until))
	}
	return err
}

// replanSlice does the work of [Scheduler.Replan] for the clients of one slice. more
// reports whether the turn ended first.
func (s *Scheduler) replanSlice(ctx context.Context, slice int, until time.Time) (more bool, err error) {
	for after := mailing.ClientID(0); ; {
		if !s.clock.Now().Before(until) {
			return true, nil
		}
		edits, err := s.store.ZoneEdits(ctx, slice, after, replanPage)
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

// replanSome frees the waiting messages to some clients of a slice, and deletes the edits
// that need no further work.
func (s *Scheduler) replanSome(ctx context.Context, slice int, edits []mailing.ZoneEdit) error {
	// The mailings are read after the edits. A mailing that starts, or gets a window,
	// after this reading is planned by the new zones.
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
			// After an error all of these edits stay stored. The other mailings are still
			// planned again.
			errs = append(errs, fmt.Errorf("plan for edited zones: mailing %d slice %d: %w", m.ID, slice, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	done := slices.DeleteFunc(slices.Clone(edits), func(e mailing.ZoneEdit) bool { return r.left[e.Client] })
	return s.store.DeleteZoneEdits(ctx, slice, done)
}

// replanning is the state of the work on some edits of clients of one slice.
type replanning struct {
	*Scheduler

	slice int
	edits []mailing.ZoneEdit
	// left holds the clients whose edit a later sweep has to look at again.
	left map[mailing.ClientID]bool
}

// edited reports whether a client's zone was edited.
func (r *replanning) edited(id mailing.ClientID) bool {
	return slices.ContainsFunc(r.edits, func(e mailing.ZoneEdit) bool { return e.Client == id })
}

// mailing frees the waiting messages of m to the edited clients, and queues their batches
// if m runs.
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

// batches returns the batches of a mailing with a message to an edited client. state has
// to be read before the call. Then every batch up to the cursor in state is found. If a
// later page may still be written by an old zone, the edit is left to a later sweep.
func (r *replanning) batches(ctx context.Context, m mailing.Mailing, state mailing.SliceState) ([]mailing.Batch, error) {
	var batches []mailing.Batch
	now := r.clock.Now()
	for _, e := range r.edits {
		if e.Plannable(state, now) {
			r.left[e.Client] = true
		}
		holds := func(b mailing.Batch) bool {
			return slices.ContainsFunc(b.Recipients, func(rec mailing.Recipient) bool { return rec.Client == e.Client })
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

// batch frees the messages of b to edited clients, and reports whether b was changed. If a
// sender holds b, it may settle b by the old zones: the edits are left to a later sweep.
// This holds after the end of its lease, too: a sender that was frozen settles late if
// no other sender has claimed b since.
func (r *replanning) batch(ctx context.Context, m mailing.Mailing, b mailing.Batch) (bool, error) {
	now := r.clock.Now()
	if b.Holder != "" {
		r.leave(b)
		return false, nil
	}
	replanned, ok := b.Replanned(r.edited, now)
	if !ok {
		return false, nil
	}
	if m.Status == mailing.StatusRunning {
		// A running mailing's batch is queued now. The later due_at gives a sender time to
		// claim it. A paused mailing's batch is queued after the resume.
		replanned.DueAt = now.Add(mailing.QueuedOverdueAfter)
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

// leave keeps the edits of the clients that have a pending message in b.
func (r *replanning) leave(b mailing.Batch) {
	for _, rec := range b.Recipients {
		if rec.Status.Pending() && r.edited(rec.Client) {
			r.left[rec.Client] = true
		}
	}
}
