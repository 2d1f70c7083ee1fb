package faults_test

import (
	"testing"
	"time"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// TestARetryOfAFinishedMailingLeavesNothingPending runs retries of failures that read a page, and write
// it after their mailing was cancelled, deleted or ended, and then finished. After the
// write nothing may be pending.
func TestARetryOfAFinishedMailingLeavesNothingPending(t *testing.T) {
	t.Parallel()
	for _, r := range overtakenRows() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.run(newWorld(t))
		})
	}
}

// overtakenRows are retries that are overtaken between a read and a write.
func overtakenRows() (rows []row) {
	for name, overtake := range map[string]func(w *world, m mailing.Mailing){
		"a cancellation": func(w *world, m mailing.Mailing) { w.must(m.ID, "cancel") },
		"a deletion":     func(w *world, m mailing.Mailing) { w.must(m.ID, "delete") },
		"the end":        func(w *world, m mailing.Mailing) { w.clock.AdvanceTo(m.EndAt) },
	} {
		rows = append(rows, row{name: name + " comes between a retry's read and its write", run: func(w *world) {
			w.inOneSlice("UTC", "UTC", "UTC", "UTC") // the retry of this slice is one transaction
			m := w.failedMailing(3)
			w.must(m.ID, "retry")
			faults := dynamotest.NewFaults(w.env.Client)
			faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() {
				overtake(w, m)
				if _, err := w.store.FinishMailing(w.ctx, m); err != nil {
					w.t.Errorf("finish: %v", err)
				}
			}})
			w.tables = faults
			w.restart()
			w.doTasks()
			w.check()
			if got := w.mailing(m.ID); !got.Finished || got.Counts.Pending() > 0 {
				w.t.Errorf("finished %t with %+v", got.Finished, got.Counts)
			}
			w.run(time.Hour, w.finished(m.ID))
		}})
	}
	return rows
}
