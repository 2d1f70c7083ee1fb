// Package schedule is the scheduler's work: the sweep finds what live mailings
// need, and tasks do it, one slice of a mailing each. A task obeys the mailing
// as it reads it; it may be killed anywhere, done twice, or by two at once.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// Store is what the scheduler needs to be kept. internal/dynamo implements it.
type Store interface {
	Live(ctx context.Context) ([]mailing.Mailing, error)
	Mailing(ctx context.Context, id mailing.MailingID) (mailing.Mailing, error)
	StartMailing(ctx context.Context, id mailing.MailingID) (mailing.Mailing, error)
	FinishMailing(ctx context.Context, id mailing.MailingID) (bool, error)
	Slice(ctx context.Context, id mailing.MailingID, slice int) (mailing.SliceState, error)
	Slices(ctx context.Context, ids []mailing.MailingID) (map[mailing.MailingID]*[mailing.Slices]mailing.SliceState, error)
	Audience(ctx context.Context, slice int, f mailing.Filter, started time.Time, after mailing.ClientID, limit int) (clients []mailing.Client, next mailing.ClientID, done bool, err error)
	WritePage(ctx context.Context, m mailing.Mailing, p mailing.Page) (bool, error)
	Due(ctx context.Context, id mailing.MailingID, slice int, until time.Time, visit func([]mailing.Due) (bool, error)) error
	Postpone(ctx context.Context, seen mailing.Due, due time.Time, freed bool) (bool, error)
	SliceBatches(ctx context.Context, id mailing.MailingID, slice int, after string) (batches []mailing.Batch, next string, err error)
	Revive(ctx context.Context, m mailing.Mailing, slice int, revivals []mailing.Revival) (left []mailing.BatchKey, err error)
	MarkRetried(ctx context.Context, id mailing.MailingID, slice int, at time.Time) error
	Outage(ctx context.Context) (mailing.Outage, error)
	ExtendBatches(ctx context.Context, m mailing.Mailing, slice int, after string) (next string, held int, err error)
	MarkExtended(ctx context.Context, m mailing.Mailing, slice int, state mailing.SliceState) (bool, error)
	Rezoned(ctx context.Context, slice int, after mailing.ClientID, limit int) ([]mailing.Rezoning, error)
	BatchOf(ctx context.Context, m mailing.Mailing, client mailing.ClientID) (b mailing.Batch, ok bool, err error)
	Replan(ctx context.Context, seen, replanned mailing.Batch) (bool, error)
	ForgetRezoned(ctx context.Context, slice int, edits []mailing.Rezoning) error
}

// Deliveries is the queue that batches are put into.
type Deliveries interface {
	Queue(ctx context.Context, keys []mailing.BatchKey, delay time.Duration) error
}

// Tasks is the queue that tasks are put into.
type Tasks interface {
	Queue(ctx context.Context, tasks []mailing.Task, delay time.Duration) error
	// QueueReplan asks for [Scheduler.Replan].
	QueueReplan(ctx context.Context, until time.Time) error
}

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep returns early, with an error, when ctx is done.
	Sleep(ctx context.Context, d time.Duration) error
}

// Meter is told what happened.
type Meter interface {
	// Expanded is called at the end of an invocation that expanded anything: the
	// messages, by status, that each of its tasks wrote that wrote any.
	Expanded(wrote []mailing.Counts)
	// Swept is called once a sweep: whether the sending API is down.
	Swept(down bool)
}

// noopMeter discards metrics.
type noopMeter struct{}

func (noopMeter) Expanded([]mailing.Counts) {}
func (noopMeter) Swept(bool)                {}

// Scheduler sweeps and does tasks. It is safe for concurrent use.
type Scheduler struct {
	store      Store
	deliveries Deliveries
	tasks      Tasks
	clock      Clock
	meter      Meter
}

// Option is what a scheduler can do without.
type Option func(*Scheduler)

// WithMeter has m told of what is expanded.
func WithMeter(m Meter) Option { return func(s *Scheduler) { s.meter = m } }

// New is a scheduler.
func New(store Store, deliveries Deliveries, tasks Tasks, clock Clock, options ...Option) *Scheduler {
	s := &Scheduler{store: store, deliveries: deliveries, tasks: tasks, clock: clock, meter: noopMeter{}}
	for _, option := range options {
		option(s)
	}
	return s
}

const (
	// turn is how long a task works before it lets others go first.
	turn = 5 * time.Second
	// patience is how long a task waits for a start that is this close.
	patience = 2 * time.Second
	// sweepConcurrency is how many mailings a sweep queues tasks of at once.
	sweepConcurrency = 8
)

// Sweep queues a task for each slice of each live mailing that needs one, and
// finishes those that need none any more. One mailing's trouble does not keep
// it from the others.
func (s *Scheduler) Sweep(ctx context.Context) error {
	live, err := s.store.Live(ctx)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	now := s.clock.Now()
	live = append(live, mailing.Tests(now))
	var begun []mailing.MailingID
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
	_ = group.Wait() // its functions keep their errors in errs
	errs[len(live)] = s.probe(ctx, live, o, now)
	if err := errors.Join(errors.Join(errs...), s.sweepZones(ctx, live, now)); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	slog.DebugContext(ctx, "swept", "mailings", len(live))
	return nil
}

func (s *Scheduler) sweepOne(ctx context.Context, m mailing.Mailing, states *[mailing.Slices]mailing.SliceState, now time.Time) error {
	if m.Status == mailing.StatusScheduled {
		if m.StartAt.After(now.Add(mailing.Foresight)) {
			return nil
		}
		states = new([mailing.Slices]mailing.SliceState)
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

func (s *Scheduler) finish(ctx context.Context, m mailing.Mailing) error {
	if m.ID == mailing.TestMailing {
		return nil
	}
	finished, err := s.store.FinishMailing(ctx, m.ID)
	if err != nil {
		return err
	}
	if finished {
		slog.InfoContext(ctx, "mailing finished", "mailing_id", m.ID)
	}
	return nil
}
