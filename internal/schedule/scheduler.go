// Package schedule does the scheduler's work. The sweep finds the live mailings and slices
// that need work, and queues tasks. A task works on one slice of a mailing, or on all
// slices. It finds out at its run which work they need. A task may be killed at any point,
// run twice, or run twice at the same time. The package also publishes the daily report.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/internal/clock"
	"postrider/internal/mailing"
)

// Store is the part of the storage that the scheduler uses. internal/dynamo implements
// it.
type Store interface {
	// Live returns all mailings that are not finished, oldest first.
	Live(ctx context.Context) ([]mailing.Mailing, error)
	// Mailing returns one mailing, strongly consistent. A deleted mailing is returned,
	// too.
	Mailing(ctx context.Context, id mailing.ID) (mailing.Mailing, error)
	// StartMailing starts a scheduled mailing whose start has come. It returns the
	// mailing as it is now, started or not.
	StartMailing(ctx context.Context, id mailing.ID) (mailing.Mailing, error)
	// FinishMailing finishes a mailing if no slice of it needs work. It reports whether
	// the mailing is finished now.
	FinishMailing(ctx context.Context, m mailing.Mailing) (bool, error)
	// Slice returns the state of one slice, strongly consistent. The zero state is a
	// slice whose expansion has not begun.
	Slice(ctx context.Context, id mailing.ID, slice int) (mailing.SliceState, error)
	// Slices returns the states of all slices of several mailings, strongly consistent.
	Slices(ctx context.Context, ids []mailing.ID) (map[mailing.ID]*mailing.SliceStates, error)
	// Audience returns up to limit clients of a slice that f matches, with ids above
	// after, in the order of ids. It leaves out clients that were created after started.
	// next is the last client that was looked at. done reports whether that was the end of
	// the slice. If it was not, there may still be fewer than limit clients, or none.
	Audience(ctx context.Context, slice int, f mailing.Filter, started time.Time, after mailing.ClientID, limit int) (clients []mailing.Client, next mailing.ClientID, done bool, err error)
	// WritePage writes a page in one transaction. It returns false, and writes nothing, if
	// the slice's cursor is no longer p.Seen, or if the slice is kept by a later end than
	// that of m.
	WritePage(ctx context.Context, m mailing.Mailing, p mailing.Page) (bool, error)
	// Due calls visit with the pending batches of a slice whose due_at is until or
	// earlier, page by page, in the order of due_at. The zero time means no limit. It
	// stops when visit returns false or an error. The index is eventually consistent.
	Due(ctx context.Context, id mailing.ID, slice int, until time.Time, visit func([]mailing.Due) (bool, error)) error
	// Postpone moves a batch's due_at to due. With freed, the batch may be claimed at
	// once. It returns false if the stored due_at is no longer that of seen.
	Postpone(ctx context.Context, seen mailing.Due, due time.Time, freed bool) (bool, error)
	// SliceBatches returns the batches of a slice that follow the sort key after, as many
	// as one transaction can change. next is the sort key to continue from, "" at the end.
	SliceBatches(ctx context.Context, id mailing.ID, slice int, after string) (batches []mailing.Batch, next string, err error)
	// Requeue writes requeuings, with the slice's counts, in one transaction. It leaves
	// out batches that have a holder or have changed since they were read, and returns
	// their keys as left. The error is a [mailing.KindConflict] if m is finished or was
	// retried again.
	Requeue(ctx context.Context, m mailing.Mailing, slice int, requeuings []mailing.Requeuing) (left []mailing.BatchKey, err error)
	// MarkRetried notes that the failures of a slice are queued again for the retry of the
	// instant at.
	MarkRetried(ctx context.Context, id mailing.ID, slice int, at time.Time) error
	// Outage returns the state of the sending API, strongly consistent.
	Outage(ctx context.Context) (mailing.Outage, error)
	// ExtendBatches moves the time to live of some settled batches to that of the end of
	// m. after and next are as in SliceBatches. held is the number of batches that it left
	// as they are because a sender holds them.
	ExtendBatches(ctx context.Context, m mailing.Mailing, slice int, after string) (next string, held int, err error)
	// ExtendSeries moves the time to live of some of the counts over time. next is where to
	// continue, "" at the end.
	ExtendSeries(ctx context.Context, m mailing.Mailing, after string) (next string, err error)
	// MarkExtended marks the slice as kept by the end of m. It returns false if pages
	// were written since state was read, or if a later end is marked already.
	MarkExtended(ctx context.Context, m mailing.Mailing, slice int, state mailing.SliceState) (bool, error)
	// ZoneEdits returns up to limit edits of clients of a slice, with ids above after, in
	// the order of ids.
	ZoneEdits(ctx context.Context, slice int, after mailing.ClientID, limit int) ([]mailing.ZoneEdit, error)
	// BatchOf returns the batch with the message of m to a client. ok is false if there is
	// none.
	BatchOf(ctx context.Context, m mailing.Mailing, client mailing.ClientID) (b mailing.Batch, ok bool, err error)
	// Replan writes a batch that is planned again. It returns false if the batch has a
	// holder, or if its recipients are no longer those of seen.
	Replan(ctx context.Context, seen, replanned mailing.Batch) (bool, error)
	// DeleteZoneEdits deletes edits, except those of clients that were edited again.
	DeleteZoneEdits(ctx context.Context, slice int, edits []mailing.ZoneEdit) error
}

// Deliveries is the queue of batches for the sender.
type Deliveries interface {
	Queue(ctx context.Context, keys []mailing.BatchKey, delay time.Duration) error
}

// Tasks is the queue of tasks for the scheduler.
type Tasks interface {
	Queue(ctx context.Context, tasks []mailing.Task, delay time.Duration) error
	// QueueReplan queues a task that calls [Scheduler.Replan] with until.
	QueueReplan(ctx context.Context, until time.Time) error
}

// Meter receives the scheduler's metrics.
type Meter interface {
	// Expanded is called at the end of an invocation that expanded an audience. wrote has
	// an entry for each task that wrote messages: their numbers by status.
	Expanded(wrote []mailing.Counts)
	// Swept is called once in each sweep. down reports whether the sending API is down.
	Swept(down bool)
}

// noopMeter discards metrics.
type noopMeter struct{}

func (noopMeter) Expanded([]mailing.Counts) {}
func (noopMeter) Swept(bool)                {}

// Scheduler sweeps and works on tasks. It is safe for concurrent use.
type Scheduler struct {
	store      Store
	deliveries Deliveries
	tasks      Tasks
	clock      clock.Clock
	meter      Meter
}

// Option sets an optional part of a scheduler.
type Option func(*Scheduler)

// WithMeter sends the scheduler's metrics to m.
func WithMeter(m Meter) Option { return func(s *Scheduler) { s.meter = m } }

// New returns a scheduler.
func New(store Store, deliveries Deliveries, tasks Tasks, clock clock.Clock, options ...Option) *Scheduler {
	s := &Scheduler{store: store, deliveries: deliveries, tasks: tasks, clock: clock, meter: noopMeter{}}
	for _, option := range options {
		option(s)
	}
	return s
}

const (
	// turn is how long a task works before other tasks have their turn.
	turn = 5 * time.Second
	// maxStartWait is the longest time for which a task waits for a start. A task that
	// comes earlier is queued again.
	maxStartWait = 2 * time.Second
	// sweepConcurrency is the number of mailings, or of slices with edited zones, that a
	// sweep works on at the same time.
	sweepConcurrency = 8
)

// Sweep queues a task for each slice of each live mailing that needs one, and finishes the
// mailings that need no more work. An error of one mailing does not stop the sweep of the
// others.
func (s *Scheduler) Sweep(ctx context.Context) error {
	live, err := s.store.Live(ctx)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	now := s.clock.Now()
	live = append(live, mailing.Tests(now))
	var begun []mailing.ID
	for _, m := range live {
		if m.Status != mailing.StatusScheduled {
			begun = append(begun, m.ID)
		}
	}
	states, err := s.store.Slices(ctx, begun)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	o, err := s.store.Outage(ctx)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	s.meter.Swept(o.Down())
	errs := make([]error, len(live)+1)
	var group errgroup.Group
	group.SetLimit(sweepConcurrency)
	for i, m := range live {
		group.Go(func() error {
			errs[i] = s.sweepOne(ctx, m, states[m.ID], now)
			return nil
		})
	}
	_ = group.Wait() // always nil: the functions put their errors into errs
	errs[len(live)] = s.probe(ctx, live, o, now)
	if err := errors.Join(errors.Join(errs...), s.sweepZones(ctx, live, now)); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	slog.DebugContext(ctx, "swept", "mailings", len(live))
	return nil
}

// sweepOne does the work of [Scheduler.Sweep] for one mailing. A scheduled mailing has no
// slices yet; it gets its task shortly before its start, delayed until then. A paused
// mailing gets tasks only to keep its settled batches longer. If all slices need a task,
// one task for the whole mailing replaces them.
func (s *Scheduler) sweepOne(ctx context.Context, m mailing.Mailing, states *mailing.SliceStates, now time.Time) error {
	if m.Status == mailing.StatusScheduled {
		if m.StartAt.After(now.Add(mailing.LookAhead)) {
			return nil
		}
		states = new(mailing.SliceStates)
	}
	if _, done := m.Done(states, now); done {
		return s.finish(ctx, m)
	}
	delay, ok := m.TaskDelay(now)
	var tasks []mailing.Task
	for slice, state := range states {
		if ok && m.Works(state, now) || m.ExtendsNow(state, now) {
			tasks = append(tasks, mailing.Task{Mailing: m.ID, Slice: slice})
		}
	}
	if len(tasks) == mailing.Slices {
		tasks = []mailing.Task{{Mailing: m.ID, Slice: mailing.AllSlices}}
	}
	if err := s.tasks.Queue(ctx, tasks, delay); err != nil {
		return fmt.Errorf("mailing %d: %w", m.ID, err)
	}
	return nil
}

// finish finishes a mailing, unless the store finds that a slice needs work. The
// mailing of test messages is never finished.
func (s *Scheduler) finish(ctx context.Context, m mailing.Mailing) error {
	if m.ID == mailing.TestMailing {
		return nil
	}
	finished, err := s.store.FinishMailing(ctx, m)
	if err != nil {
		return err
	}
	if finished {
		slog.InfoContext(ctx, "mailing finished", "mailing_id", m.ID)
	}
	return nil
}
