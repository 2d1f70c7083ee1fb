package faults_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"postrider/internal/mailing"
)

// TestALargeMailingDoesNotDelayASmallOneIfQueuesAreFair gives the sender as many
// environments as it has on AWS by default, and gives each invocation a duration.
func TestALargeMailingDoesNotDelayASmallOneIfQueuesAreFair(t *testing.T) {
	t.Parallel()
	size, senders := 100_000, 10
	if sampled() {
		size, senders = 2_000, 1
	}
	w := newWorld(t)
	w.queues.fair = true
	crowd := make([]mailing.Client, size)
	for i := range crowd {
		crowd[i] = mailing.Client{ID: mailing.ClientID(1 + i*42_900), Phone: fmt.Sprintf("7900%07d", i), OperatorCode: "900", Timezone: "Europe/Moscow"}
	}
	w.seed(time.Time{}, crowd...)
	small := make([]mailing.Client, 10)
	for i := range small {
		small[i] = w.client(mailing.Client{Phone: "7955000000" + string(rune('0'+i)), Timezone: "UTC", Tag: "small"})
	}
	large := w.create(func(d *mailing.Draft) { d.Filter.OperatorCodes = []string{"900"} })
	w.sweep()
	// The large mailing is half expanded, thousands of its batches are queued, and all
	// senders are busy.
	for w.counts(large.ID).Total < int64(size/2) && w.doSome(tasksURL) > 0 {
	}
	const invocation = 500 * time.Millisecond
	inFlight := [][]*message{}
	for range senders {
		inFlight = append(inFlight, w.queues.receive(deliveriesURL, 10))
	}
	answer := w.call("POST", "/api/mailings", w.posted(func(fields map[string]any) { fields["filter"] = map[string]any{"tags": []string{"small"}} }))
	m := w.adopt(answer)
	created := w.clock.Now()
	first := func() bool { return w.counts(m.ID).Sent > 0 }
	for !first() && w.clock.Now().Before(created.Add(time.Minute)) {
		w.clock.Advance(invocation)
		w.doSome(tasksURL)
		var wg sync.WaitGroup
		for i := range inFlight {
			wg.Go(func() { w.do(deliveriesURL, inFlight[i]) })
		}
		wg.Wait()
		for i := range inFlight {
			inFlight[i] = w.queues.receive(deliveriesURL, 10)
		}
	}
	took := w.clock.Now().Sub(created)
	if took > 10*time.Second {
		t.Errorf("its first hand-over came %s after it was created", took)
	}
	if c := w.counts(large.ID); !sampled() && c.Pending() == 0 {
		t.Errorf("the large mailing was done by then: %+v", c)
	}
	t.Logf("figure: with fair queues, the first hand-over of a mailing to 10 came %.1f s after it was created, beside one to %d", took.Seconds(), size)
}
