package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// job is a task that an invocation works on, with its metrics.
type job struct {
	mailing.Task

	// mu guards wrote, which the slices of the task change side by side.
	mu sync.Mutex
	// wrote is the number of messages, by status, that the task's expansion wrote.
	wrote mailing.Counts
}

// addWritten adds the messages that the expansion of a slice wrote.
func (j *job) addWritten(c mailing.Counts) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wrote = j.wrote.Plus(c)
}

// Do works on tasks side by side, and returns the error of each, or nil, in their order.
// It works on tasks of one mailing together.
func (s *Scheduler) Do(ctx context.Context, tasks []mailing.Task) []error {
	until := s.clock.Now().Add(turn)
	byMailing := make(map[mailing.ID][]int) // indices of tasks
	jobs := make([]*job, len(tasks))
	for i, task := range tasks {
		jobs[i] = &job{Task: task}
		byMailing[task.Mailing] = append(byMailing[task.Mailing], i)
	}
	errs := make([]error, len(tasks))
	var wg sync.WaitGroup
	for _, indices := range byMailing {
		wg.Go(func() {
			same := make([]*job, len(indices))
			for n, i := range indices {
				same[n] = jobs[i]
			}
			for n, err := range s.doTogether(ctx, same, until) {
				errs[indices[n]] = err
			}
		})
	}
	wg.Wait()
	s.report(jobs)
	return errs
}

// report sends the metrics of the jobs that wrote messages.
func (s *Scheduler) report(jobs []*job) {
	var wrote []mailing.Counts
	for _, j := range jobs {
		if j.wrote.Total > 0 {
			wrote = append(wrote, j.wrote)
		}
	}
	if len(wrote) > 0 {
		s.meter.Expanded(wrote)
	}
}

// doTogether works on tasks of one mailing. The mailing is started once and finished once
// for all of them.
func (s *Scheduler) doTogether(ctx context.Context, tasks []*job, until time.Time) []error {
	errs := make([]error, len(tasks))
	m, ok, err := s.begin(ctx, tasks[0].Task)
	if err != nil || !ok {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	var (
		wg   sync.WaitGroup
		idle = make([]bool, len(tasks))
	)
	for i, task := range tasks {
		wg.Go(func() { idle[i], errs[i] = s.do(ctx, m, task, until) })
	}
	wg.Wait()
	// If a slice needs no work any more, the mailing may need none: finish checks all
	// slices. One check, after the last task, is enough for all tasks.
	if i := slices.Index(idle, true); i >= 0 {
		errs[i] = s.finish(ctx, m)
	}
	return errs
}

// do works on the task's slices, side by side, until the turn is over. idle reports
// whether one of them needs no work any more, and is false after an error.
func (s *Scheduler) do(ctx context.Context, m mailing.Mailing, task *job, until time.Time) (idle bool, err error) {
	list := task.List()
	each, errs := make([]bool, len(list)), make([]error, len(list))
	var wg sync.WaitGroup
	for i, slice := range list {
		// An error of one slice does not stop the others.
		wg.Go(func() { each[i], errs[i] = s.doSlice(ctx, m, slice, until, task.addWritten) })
	}
	wg.Wait()
	err = errors.Join(errs...)
	return err == nil && slices.Contains(each, true), err
}

// doSlice works on one slice, for one turn. Work that is left is queued as a new task,
// after the other tasks in the queue. idle reports whether the slice needs no work any
// more.
func (s *Scheduler) doSlice(ctx context.Context, m mailing.Mailing, slice int, until time.Time, wrote func(mailing.Counts)) (idle bool, err error) {
	state, err := s.store.Slice(ctx, m.ID, slice)
	if err != nil {
		return false, err
	}
	expand := func(ctx context.Context, m mailing.Mailing, slice int, state *mailing.SliceState, until time.Time) (bool, error) {
		// In this step only written pages change the counts. So the difference is the
		// number of messages in these pages.
		before := state.Counts
		defer func() { wrote(state.Counts.Minus(before)) }()
		return s.expand(ctx, m, slice, state, until)
	}
	// extend comes last, because it also has to reach the batches that expand writes.
	active := works(m, s.clock.Now())
	for _, step := range []struct {
		needed bool
		do     func(context.Context, mailing.Mailing, int, *mailing.SliceState, time.Time) (bool, error)
	}{
		{active && m.Retries(state, s.clock.Now()), s.retry},
		{active && state.Counts.Pending() > 0, s.requeueOverdue},
		{active && m.Expands(state), expand},
		{wasExtended(m), s.extend},
	} {
		if !step.needed {
			continue
		}
		if more, err := step.do(ctx, m, slice, &state, until); err != nil {
			return false, err
		} else if more {
			return false, s.tasks.Queue(ctx, []mailing.Task{{Mailing: m.ID, Slice: slice}}, 0)
		}
	}
	return !m.Works(state, s.clock.Now()), nil
}

// begin reads the mailing, and starts it if its start has come. ok is false if no work
// can be done now.
func (s *Scheduler) begin(ctx context.Context, task mailing.Task) (m mailing.Mailing, ok bool, err error) {
	if task.Mailing == mailing.TestMailing {
		return mailing.Tests(s.clock.Now()), true, nil
	}
	m, err = s.store.Mailing(ctx, task.Mailing)
	if mailing.KindOf(err) == mailing.KindNotFound {
		slog.WarnContext(ctx, "task of an unknown mailing", "mailing_id", task.Mailing, "slice", task.Slice)
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	if m.Status != mailing.StatusScheduled {
		return m, works(m, s.clock.Now()) || wasExtended(m), nil
	}
	early := m.StartAt.Sub(s.clock.Now())
	if early > maxStartWait {
		return m, false, s.later(ctx, m)
	}
	if early > 0 {
		if err := s.clock.Sleep(ctx, early); err != nil {
			return m, false, fmt.Errorf("wait for the start of mailing %d: %w", m.ID, err)
		}
	}
	if m, err = s.store.StartMailing(ctx, task.Mailing); err != nil {
		return m, false, fmt.Errorf("start mailing %d: %w", task.Mailing, err)
	}
	if m.Status == mailing.StatusScheduled {
		// The clock was set back, or the start was moved, during the wait.
		return m, false, s.later(ctx, m)
	}
	return m, works(m, s.clock.Now()), nil
}

// later queues again a task that came before the start of its mailing, for example after
// an edit of the start. If the start is further ahead than a queue can delay a task, the
// sweep queues the task later.
func (s *Scheduler) later(ctx context.Context, m mailing.Mailing) error {
	delay, ok := m.TaskDelay(s.clock.Now())
	if !ok {
		return nil
	}
	return s.tasks.Queue(ctx, []mailing.Task{{Mailing: m.ID, Slice: mailing.AllSlices}}, delay)
}

// works reports whether tasks expand m, queue its batches again, or retry its failures. A
// closed mailing needs this work even while it is paused: its pending messages have to be
// accounted for.
func works(m mailing.Mailing, now time.Time) bool {
	return !m.Finished && m.Status != mailing.StatusScheduled && (m.Status != mailing.StatusPaused || m.Closed(now))
}

// expand writes pages of the slice until the slice is done, the turn is over, the mailing
// is paused or finished, or a page is refused. A page is refused if another task works on
// the slice, or if the mailing's end was moved to a later instant. expand updates state
// accordingly. more reports whether the turn ended first.
func (s *Scheduler) expand(ctx context.Context, m mailing.Mailing, slice int, state *mailing.SliceState, until time.Time) (more bool, err error) {
	for {
		now := s.clock.Now()
		if !works(m, now) {
			return false, nil
		}
		page, err := s.page(ctx, m, slice, state.Cursor, now)
		if err != nil {
			return false, err
		}
		written, err := s.store.WritePage(ctx, m, page)
		if err != nil || !written {
			return false, err
		}
		state.Cursor, state.Done, state.Counts = page.Next, page.Done, state.Counts.Plus(page.Counts)
		if err := s.queueOpen(ctx, page.Batches); err != nil {
			// The batches are stored with a due_at, so the sweep queues them later.
			slog.WarnContext(ctx, "queue a page's batches", "mailing_id", m.ID, "slice", slice, "error", err)
		}
		for _, b := range page.Batches {
			slog.InfoContext(ctx, "batch written", about(b)...)
		}
		slog.InfoContext(ctx, "page expanded", "mailing_id", m.ID, "slice", slice, "messages", page.Counts.Total, "batches", len(page.Batches))
		if page.Done {
			return false, nil
		}
		if !s.clock.Now().Before(until) {
			return true, nil
		}
		// The mailing is read again for each page: a pause or a cancellation applies from
		// the next page on.
		if m, err = s.store.Mailing(ctx, m.ID); err != nil {
			return false, err
		}
	}
}

// about returns the log attributes of a batch. They include the ids of its messages and
// clients, so that a search for an id finds the line.
func about(b mailing.Batch) []any {
	messages, clients := b.IDs()
	return []any{"mailing_id", b.Key.Mailing, "batch", b.Key.String(), "message_ids", messages, "client_ids", clients}
}

// page plans the next page of a slice, after cursor. If the batches cannot hold all of the
// clients that were read, the page ends at the last client that fits. Only the first page
// of a slice stores the instant since which the mailing has been due, for the metric of
// the start lag.
func (s *Scheduler) page(ctx context.Context, m mailing.Mailing, slice int, cursor mailing.ClientID, now time.Time) (mailing.Page, error) {
	clients, next, done, err := s.store.Audience(ctx, slice, m.Filter, m.StartedAt, cursor, mailing.PageSize)
	if err != nil {
		return mailing.Page{}, err
	}
	batches, counts, taken := mailing.GroupPage(m, slice, clients, now)
	if taken < len(clients) {
		next, done = clients[taken-1].ID, false
	}
	if cursor == 0 {
		m.MarkStart(batches)
	}
	return mailing.Page{
		Mailing: m.ID, Slice: slice, Seen: cursor, Next: next, Done: done, Batches: batches, Counts: counts,
	}, nil
}

// queueOpen queues the new batches that may be sent now.
func (s *Scheduler) queueOpen(ctx context.Context, batches []mailing.Batch) error {
	var keys []mailing.BatchKey
	for _, b := range batches {
		if b.Pending() && b.NotBefore.IsZero() {
			keys = append(keys, b.Key)
		}
	}
	return s.deliveries.Queue(ctx, keys, 0)
}

// postponeConcurrency is the number of batches that a task postpones at the same time.
const postponeConcurrency = 10

// requeueOverdue queues again the batches of the slice that are overdue, or will be soon,
// and the other batches for which [mailing.Due.Requeue] reports ok. more reports whether
// the turn ended before the end of the list.
func (s *Scheduler) requeueOverdue(ctx context.Context, m mailing.Mailing, slice int, _ *mailing.SliceState, until time.Time) (more bool, err error) {
	o, err := s.store.Outage(ctx)
	if err != nil {
		return false, err
	}
	err = s.store.Due(ctx, m.ID, slice, m.DueHorizon(o, s.clock.Now()), func(rows []mailing.Due) (bool, error) {
		for first := 0; first < len(rows); first += postponeConcurrency {
			if !s.clock.Now().Before(until) {
				more = true
				return false, nil
			}
			if err := s.requeueSome(ctx, m, o, rows[first:min(first+postponeConcurrency, len(rows))]); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	return more, err
}

// requeueSome first moves the due_at of each batch, then queues the batch. If it fails
// between the two, the batch becomes overdue once more, so it is never lost. Two tasks do
// not queue a batch twice: only one of them moves its due_at.
func (s *Scheduler) requeueSome(ctx context.Context, m mailing.Mailing, o mailing.Outage, rows []mailing.Due) error {
	now := s.clock.Now()
	var (
		mu    sync.Mutex
		ready = map[time.Duration][]mailing.BatchKey{}
	)
	var group errgroup.Group // without a context: batches that were moved have to be queued even after an error
	for _, row := range rows {
		delay, freed, ok := row.Requeue(m, o, now)
		if !ok {
			continue
		}
		group.Go(func() error {
			moved, err := s.store.Postpone(ctx, row, now.Add(delay+mailing.OverdueAfter(row.Sweeps)), freed)
			if err != nil || !moved {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			rounded := (delay + time.Second - 1).Truncate(time.Second)
			ready[rounded] = append(ready[rounded], row.Key)
			return nil
		})
	}
	err := group.Wait()
	for delay, keys := range ready {
		slog.InfoContext(ctx, "batches queued again", "mailing_id", m.ID, "slice", keys[0].Slice, "batches", len(keys), "delay_s", delay.Seconds())
		if err := s.deliveries.Queue(ctx, keys, delay); err != nil {
			return err
		}
	}
	return err
}
