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

// job is a task on its way through an invocation.
type job struct {
	mailing.Task

	mu sync.Mutex
	// wrote are the messages that its expansion wrote.
	wrote mailing.Counts
}

// write adds what a slice's pages wrote.
func (j *job) write(c mailing.Counts) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wrote = j.wrote.Plus(c)
}

// Do does tasks side by side, and says of each whether it failed.
func (s *Scheduler) Do(ctx context.Context, tasks []mailing.Task) []error {
	until := s.clock.Now().Add(turn)
	of := make(map[mailing.MailingID][]int)
	jobs := make([]*job, len(tasks))
	for i, task := range tasks {
		jobs[i] = &job{Task: task}
		of[task.Mailing] = append(of[task.Mailing], i)
	}
	errs := make([]error, len(tasks))
	var wg sync.WaitGroup
	for _, places := range of {
		wg.Go(func() {
			same := make([]*job, len(places))
			for n, i := range places {
				same[n] = jobs[i]
			}
			for n, err := range s.doTogether(ctx, same, until) {
				errs[places[n]] = err
			}
		})
	}
	wg.Wait()
	s.report(jobs)
	return errs
}

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

// doTogether does tasks of one mailing. What concerns all of it, its start and
// its finish, is done once, not once a slice.
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
	if last := slices.Index(idle, true); last >= 0 {
		errs[last] = s.finishIfDone(ctx, m)
	}
	return errs
}

// do does what the task's slices need, side by side, until the turn is over.
// idle reports whether one of them has nothing to be done any more.
func (s *Scheduler) do(ctx context.Context, m mailing.Mailing, task *job, until time.Time) (idle bool, err error) {
	list := task.List()
	each, errs := make([]bool, len(list)), make([]error, len(list))
	var wg sync.WaitGroup
	for i, slice := range list {
		// One slice's trouble does not keep the others from their work.
		wg.Go(func() { each[i], errs[i] = s.doSlice(ctx, m, slice, until, task.write) })
	}
	wg.Wait()
	err = errors.Join(errs...)
	return err == nil && slices.Contains(each, true), err
}

// doSlice does what one slice needs, for one turn; what is left goes behind the
// other tasks in the queue. idle tells whether there is nothing to be done any
// more.
func (s *Scheduler) doSlice(ctx context.Context, m mailing.Mailing, slice int, until time.Time, wrote func(mailing.Counts)) (idle bool, err error) {
	state, err := s.store.Slice(ctx, m.ID, slice)
	if err != nil {
		return false, err
	}
	expand := func(ctx context.Context, m mailing.Mailing, slice int, state *mailing.SliceState, until time.Time) (bool, error) {
		// Nothing but pages that were written changes them there.
		before := state.Counts
		defer func() { wrote(state.Counts.Minus(before)) }()
		return s.expand(ctx, m, slice, state, until)
	}
	active := works(m, s.clock.Now())
	for _, step := range []struct {
		needed bool
		do     func(context.Context, mailing.Mailing, int, *mailing.SliceState, time.Time) (bool, error)
	}{
		{active && m.Retries(state, s.clock.Now()), s.retry},
		{active && state.Counts.Pending() > 0, s.requeue},
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

// begin reads the mailing, and starts it if its start has come. ok is false if
// there is nothing to do now.
func (s *Scheduler) begin(ctx context.Context, task mailing.Task) (m mailing.Mailing, ok bool, err error) {
	if task.Mailing == mailing.TestMailing {
		return mailing.Tests(s.clock.Now()), true, nil
	}
	m, err = s.store.Mailing(ctx, task.Mailing)
	if mailing.KindOf(err) == mailing.KindNotFound {
		slog.WarnContext(ctx, "task of a mailing that is not there", "mailing_id", task.Mailing, "slice", task.Slice)
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	if m.Status != mailing.StatusScheduled {
		return m, works(m, s.clock.Now()) || wasExtended(m), nil
	}
	early := m.StartAt.Sub(s.clock.Now())
	if early > patience {
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
		// The clock was set back, or the start moved, while we waited.
		return m, false, s.later(ctx, m)
	}
	return m, works(m, s.clock.Now()), nil
}

// later queues a mailing's task again that came before its time, as after an
// edit of the start. One whose start is far is left to the sweep.
func (s *Scheduler) later(ctx context.Context, m mailing.Mailing) error {
	delay, ok := m.TaskDelay(s.clock.Now())
	if !ok {
		return nil
	}
	return s.tasks.Queue(ctx, []mailing.Task{{Mailing: m.ID, Slice: mailing.AllSlices}}, delay)
}

// works reports whether a task of m has anything to do.
func works(m mailing.Mailing, now time.Time) bool {
	return !m.Finished && m.Status != mailing.StatusScheduled && (m.Status != mailing.StatusPaused || m.Closed(now))
}

// finishIfDone finishes the mailing if no slice has anything to do any more.
func (s *Scheduler) finishIfDone(ctx context.Context, m mailing.Mailing) error {
	states, err := s.store.Slices(ctx, []mailing.MailingID{m.ID})
	if err != nil {
		return err
	}
	if _, done := m.Done(states[m.ID], s.clock.Now()); !done {
		return nil
	}
	return s.finish(ctx, m)
}

// expand writes pages of the slice until it is done, the turn is over, or
// somebody else is found at the same work, and keeps state up to that. more
// tells whether anything is left for this task.
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
			// They are owed by their due_at.
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
		// Read again for each page: a pause or a cancellation holds from the next one on.
		if m, err = s.store.Mailing(ctx, m.ID); err != nil {
			return false, err
		}
	}
}

// about is what a log line says of a batch, so that its messages and clients
// can be followed by their ids.
func about(b mailing.Batch) []any {
	messages, clients := b.IDs()
	return []any{"mailing_id", b.Key.Mailing, "batch", b.Key.String(), "message_ids", messages, "client_ids", clients}
}

func (s *Scheduler) page(ctx context.Context, m mailing.Mailing, slice int, cursor mailing.ClientID, now time.Time) (mailing.Page, error) {
	clients, next, done, err := s.store.Audience(ctx, slice, m.Filter, m.StartedAt, cursor, mailing.PageSize)
	if err != nil {
		return mailing.Page{}, err
	}
	batches, counts, taken := mailing.PlanPage(m, slice, clients, now)
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

// queueOpen queues those of new batches that may be sent now.
func (s *Scheduler) queueOpen(ctx context.Context, batches []mailing.Batch) error {
	var keys []mailing.BatchKey
	for _, b := range batches {
		if b.Pending() && b.NotBefore.IsZero() {
			keys = append(keys, b.Key)
		}
	}
	return s.deliveries.Queue(ctx, keys, 0)
}

// postponeConcurrency is how many batches a task moves on at once.
const postponeConcurrency = 10

// requeue queues batches of the slice that are, or will soon be, overdue. more
// tells whether the turn ended before the list did.
func (s *Scheduler) requeue(ctx context.Context, m mailing.Mailing, slice int, _ *mailing.SliceState, until time.Time) (more bool, err error) {
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

// requeueSome first moves the due_at of each batch on, then queues it: should
// it fail in between, the batch is overdue once more.
func (s *Scheduler) requeueSome(ctx context.Context, m mailing.Mailing, o mailing.Outage, rows []mailing.Due) error {
	now := s.clock.Now()
	var (
		mu    sync.Mutex
		ready = map[time.Duration][]mailing.BatchKey{}
	)
	var group errgroup.Group // without a context of its own: what is moved on has to be queued
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
