package schedule_test

import (
	"context"
	"time"
)

// QueueReplan keeps until when a task for edited zones was asked for to go on.
func (q *fakeQueue[T]) QueueReplan(_ context.Context, until time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.replans = append(q.replans, until)
	return nil
}
