package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"postrider/internal/mailing"
)

// Tasks is the scheduler's queue.
type Tasks struct {
	api API
	url string
	now func() time.Time
}

// NewTasks returns the scheduler's queue at url.
func NewTasks(api API, url string, now func() time.Time) *Tasks {
	return &Tasks{api: api, url: url, now: now}
}

// taskBody is a task in the queue. It is one of three: a task for one slice of a mailing
// (0 for test messages), or for all its slices if it names none; a sweep; or a replan for
// edited zones, until an instant in milliseconds since 1970.
type taskBody struct {
	Mailing *mailing.ID `json:"mailing_id,omitempty"`
	Slice   *int        `json:"slice,omitempty"`
	Sweep   bool        `json:"sweep,omitempty"`
	Replan  int64       `json:"replan_until,omitempty"`
}

func encodeTask(task mailing.Task) taskBody {
	b := taskBody{Mailing: &task.Mailing}
	if task.Slice != mailing.AllSlices {
		b.Slice = &task.Slice
	}
	return b
}

// sweepGroup is the message group of sweeps that are requested through this queue.
const sweepGroup = "sweep"

// QueueTasks queues a task for all of m, delayed until its start. It queues none if m
// needs none now.
func (t *Tasks) QueueTasks(ctx context.Context, m mailing.Mailing) error {
	delay, ok := m.TaskDelay(t.now())
	if !ok {
		return nil
	}
	return t.Queue(ctx, []mailing.Task{{Mailing: m.ID, Slice: mailing.AllSlices}}, delay)
}

// Queue queues tasks that have to run after delay (at most 15 minutes; a fraction of a
// second is dropped).
func (t *Tasks) Queue(ctx context.Context, tasks []mailing.Task, delay time.Duration) error {
	messages := make([]message, len(tasks))
	for i, task := range tasks {
		messages[i] = message{
			body:  encodeTask(task),
			group: strconv.FormatUint(uint64(task.Mailing), 10), delay: delay.Truncate(time.Second),
		}
	}
	if err := send(ctx, t.api, t.url, messages); err != nil {
		return fmt.Errorf("queue %d tasks: %w", len(tasks), err)
	}
	return nil
}

// QueueSweep requests a sweep now.
func (t *Tasks) QueueSweep(ctx context.Context) error {
	if err := send(ctx, t.api, t.url, []message{{body: taskBody{Sweep: true}, group: sweepGroup}}); err != nil {
		return fmt.Errorf("queue a sweep: %w", err)
	}
	return nil
}

// replanGroup is the message group of replans for edited zones.
const replanGroup = "replan"

// QueueReplan requests new waiting times for messages to clients whose zone was
// edited, for one turn. Further turns follow until an instant.
func (t *Tasks) QueueReplan(ctx context.Context, until time.Time) error {
	if err := send(ctx, t.api, t.url, []message{{body: taskBody{Replan: until.UnixMilli()}, group: replanGroup}}); err != nil {
		return fmt.Errorf("queue a task for edited zones: %w", err)
	}
	return nil
}

// request is the content of a message of the queue: a sweep, or a replan until an
// instant, or else a task.
type request struct {
	task   mailing.Task
	sweep  bool
	replan time.Time
}

func decodeTask(body string) (request, error) {
	var b taskBody
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		return request{}, fmt.Errorf("decode a task: %w", err)
	}
	switch {
	case b.Sweep:
		return request{sweep: true}, nil
	case b.Replan != 0:
		return request{replan: time.UnixMilli(b.Replan)}, nil
	case b.Mailing == nil:
		return request{}, errors.New("decode a task: it names no mailing")
	}
	task := mailing.Task{Mailing: *b.Mailing, Slice: mailing.AllSlices}
	if b.Slice != nil {
		task.Slice = *b.Slice
		if task.Slice < 0 || task.Slice >= mailing.Slices {
			return request{}, fmt.Errorf("decode a task: mailing %d has no slice %d", task.Mailing, task.Slice)
		}
	}
	return request{task: task}, nil
}
