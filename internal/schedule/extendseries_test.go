package schedule_test

import (
	"testing"
	"time"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// count adds a sent message to the series of the mailing, in n items.
func (w *world) count(n int) {
	w.t.Helper()
	for range n {
		if err := w.store.CountSettled(w.t.Context(), w.mailing, mailing.Counts{Sent: 1}); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Advance(5 * time.Minute)
	}
}

// keptShort returns how many items of the series were kept by an earlier end than that of
// the mailing. After the call there are none.
func (w *world) keptShort() int {
	w.t.Helper()
	faults := w.noFaults()
	store := w.env.StoreOver(faults, w.clock.Option())
	for after := ""; ; {
		var err error
		if after, err = store.ExtendSeries(w.t.Context(), w.mailing, after); err != nil {
			w.t.Fatal(err)
		}
		if after == "" {
			return faults.Calls(dynamotest.UpdateItem)
		}
	}
}

func TestTheSeriesIsKeptLongerWithTheBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(1)
	w.settleAll()
	w.count(3)
	w.putOff()
	w.clock.Advance(mailing.ExtendAfter)
	faults := w.noFaults()
	faults.On(dynamotest.UpdateItem, 2, dynamotest.Fault{Refuse: errKilled}) // after the batch
	if err := w.do(faults); err == nil || w.extended() {
		t.Errorf("killed: extended %t, %v", w.extended(), err)
	}
	faults = w.noFaults()
	// The items that the killed one left, and the mark.
	if err := w.do(faults); err != nil || !w.extended() || faults.Calls(dynamotest.UpdateItem) < 1+1 {
		t.Errorf("extended %t, %d writes, %v", w.extended(), faults.Calls(dynamotest.UpdateItem), err)
	}
	if n := w.keptShort(); n > 0 {
		t.Errorf("%d items are kept by the earlier end", n)
	}
}

func TestAnExtensionOfALongSeriesEndsWithItsTurnAndGoesOnInAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(1)
	w.settleAll()
	w.count(80) // more than one page
	w.putOff()
	w.clock.Advance(mailing.ExtendAfter)
	faults := w.noFaults()
	faults.On(dynamotest.UpdateItem, 2, dynamotest.Fault{Before: func() { w.clock.Advance(6 * time.Second) }})
	if err := w.do(faults); err != nil || w.extended() || faults.Calls(dynamotest.UpdateItem) != 1+64 {
		t.Errorf("its turn is over: extended %t, %d writes, %v", w.extended(), faults.Calls(dynamotest.UpdateItem), err)
	}
	faults = w.noFaults()
	for _, err := range w.scheduler(faults).Do(t.Context(), w.tasks.take()) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := faults.Calls(dynamotest.UpdateItem); !w.extended() || n != 80-64+1 { // the second page, and the mark
		t.Errorf("extended %t, %d writes", w.extended(), n)
	}
	if n := w.keptShort(); n > 0 {
		t.Errorf("%d items are kept by the earlier end", n)
	}
}
