package faults_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// TestACancellationDuringASlowReadTakesEffect holds a sender's read of its
// recipients. The first read took two seconds, so the sender reads again, and the mailing
// is cancelled during the second read.
func TestACancellationDuringASlowReadTakesEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := inMemory(t)
		w.ctx = context.Background() // the context must belong to the bubble
		w.clients(1)
		m := w.create(nil)
		w.sweep()
		w.doTasks()
		some := w.queues.receive(deliveriesURL, 10)
		of, work := w.worksOn(deliveriesURL)
		w.restartSender()
		var response events.SQSEventResponse
		var err error
		h := w.launch("deliveries", of, &hold{call: readsClients}, func() { response, err = work(some) }, nil)
		w.clock.Advance(2 * time.Second)
		h.release(w, goesOn, &hold{call: readsClients})
		w.must(m.ID, "cancel")
		w.clock.Advance(10 * time.Second)
		h.release(w, goesOn, nil)
		<-h.done
		w.settled(deliveriesURL, of, some, response, err)
		w.run(time.Hour, w.finished(m.ID))
		w.check()
	})
}
