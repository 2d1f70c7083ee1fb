package deliver_test

import (
	"errors"
	"testing"
	"time"

	"postrider/internal/deliver"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func TestARefusedDeliveryIsTakenOffTheQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(2)...)
	if _, ok, err := w.store.Claim(t.Context(), d.Key, "another", monday, monday.Add(time.Minute)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	unknown := mailing.Delivery{Key: mailing.BatchKey{Mailing: 99, Batch: mailing.BatchID{First: 16}}, Receives: 1}
	for _, h := range w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d, unknown}) {
		if h.Again {
			t.Errorf("a refused delivery comes back after %s", h.After)
		}
	}
	if n := len(w.api.requests()); n != 0 {
		t.Errorf("%d messages were handed over", n)
	}
}

func TestALeaseOutlivesItsInvocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(1)...)
	w.api.answer = func(mailing.Handover) mailing.Outcome {
		end := monday.Add(invocationTime)
		if _, ok, err := w.store.Claim(t.Context(), d.Key, "another", end, end.Add(time.Minute)); err != nil || ok {
			t.Errorf("another sender claims the batch at the end of the invocation: %t, %v", ok, err)
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
	w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Sent, 1, 0)
}

func TestAnInvocationThatCannotHandOverAnyMoreClaimsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(1)...)
	frozen := dynamotest.NewFaults(w.env.Client)
	// The invocation stands still before its first call, until its last request would
	// have to be over.
	frozen.On(dynamotest.GetItem, 1, dynamotest.Fault{Before: func() { w.clock.Advance(invocationTime) }})
	h := w.sender(w.env.StoreOver(frozen, w.clock.Option())).Deliver(t.Context(), []mailing.Delivery{d})
	if n := frozen.Calls(dynamotest.UpdateItem); n != 0 || !h[0].Again {
		t.Errorf("%d claims; its delivery comes back: %t", n, h[0].Again)
	}
}

func TestALostClaimIsChargedBeforeItsBatchIsHandedOverAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(3)...)
	faults := dynamotest.NewFaults(w.env.Client)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("throttled")})
	broken := w.env.StoreOver(faults, w.clock.Option())
	w.sender(broken).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Queued, 0, 0)
	// While nothing can be settled, the batch is never handed over, however often it is
	// claimed.
	for range 5 {
		w.clock.Advance(time.Minute)
		w.sender(broken).Deliver(t.Context(), []mailing.Delivery{d})
	}
	if n := len(w.api.requests()); n != 3 {
		t.Errorf("%d hand-overs before the lost claim is charged, want 3", n)
	}
	w.clock.Advance(time.Minute)
	handling := w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Retrying, 1, 1)
	if n := len(w.api.requests()); n != 3 || !handling[0].Again {
		t.Errorf("%d hand-overs after the lost claim is charged, want 3; the delivery comes back: %t", n, handling[0].Again)
	}
	w.clock.Advance(handling[0].After)
	w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Sent, 2, 1)
	if n := len(w.api.requests()); n != 6 {
		t.Errorf("%d hand-overs", n)
	}
}

func TestASenderWithUnsettledClaimsClaimsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, _ := w.batch(moscow(2)...)
	second, _ := w.batch(moscow(2)...)
	faults := dynamotest.NewFaults(w.env.Client)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("throttled")})
	var reported tallies
	s := w.sender(w.env.StoreOver(faults, w.clock.Option()), deliver.WithMeter(&reported))
	s.Deliver(t.Context(), []mailing.Delivery{first})
	if tries := faults.Calls(dynamotest.TransactWriteItems); tries < 10 || reported[0].SettlementsFailed != 1 {
		t.Errorf("the settlement is given up after %d tries; %d failed settlements are reported", tries, reported[0].SettlementsFailed)
	}
	if spent := w.clock.Now().Sub(monday); spent > invocationTime {
		t.Errorf("the invocation tries to settle for %s", spent)
	}
	h := s.Deliver(t.Context(), []mailing.Delivery{second})
	if b := w.read(second.Key); b.Claims != 0 || !h[0].Again || reported[1].SettlementsFailed != 1 {
		t.Errorf("the batch is claimed %d times, the delivery comes back: %t, reported %+v", b.Claims, h[0].Again, reported[1])
	}
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{})
	s.Deliver(t.Context(), []mailing.Delivery{second})
	for _, d := range []mailing.Delivery{first, second} {
		w.want(d.Key, mailing.Sent, 1, 0) // the first batch is settled by the repetition
	}
	if n := len(w.api.requests()); n != 4 || reported[2].Settled.Sent != 4 {
		t.Errorf("%d hand-overs, %d sent messages are reported", n, reported[2].Settled.Sent)
	}
}

func TestABatchWithALostClaimIsHandedOverAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var deliveries []mailing.Delivery
	of := map[mailing.ClientID]mailing.BatchKey{}
	for range 3 {
		d, clients := w.batch(moscow(2)...)
		deliveries = append(deliveries, d)
		for _, c := range clients {
			of[c.ID] = d.Key
		}
		if _, ok, err := w.store.Claim(t.Context(), d.Key, "killed", monday, monday.Add(time.Second)); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	w.clock.Advance(time.Minute)
	w.sender(w.store).Deliver(t.Context(), deliveries)
	w.clock.Advance(time.Minute)
	w.api.answer = func(h mailing.Handover) mailing.Outcome {
		for _, d := range deliveries {
			if b := w.read(d.Key); b.LeaseUntil.After(w.clock.Now()) != (d.Key == of[h.ID.Client()]) {
				t.Errorf("while batch %s is sent, %s is held until %s", of[h.ID.Client()], d.Key, b.LeaseUntil)
			}
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
	w.sender(w.store).Deliver(t.Context(), deliveries)
	for _, d := range deliveries {
		w.want(d.Key, mailing.Sent, 2, 1)
	}
}

func TestADeliveryShortlyBeforeItsBatchIsDueComesBackAtThatTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	opens := monday.Add(5 * time.Minute)
	d, _ := w.batchAs(func(batches []mailing.Batch) { batches[0].NotBefore, batches[0].DueAt = opens, opens }, moscow(2)...)
	w.clock.Advance(5*time.Minute - time.Millisecond)
	h := w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	if !h[0].Again || h[0].After != time.Millisecond {
		t.Errorf("the delivery comes back: %t, after %s", h[0].Again, h[0].After)
	}
	// A difference of clocks is not minutes. A sweep queues the batch when it is due.
	w.clock.Advance(-4 * time.Minute)
	if h := w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d}); h[0].Again {
		t.Errorf("four minutes earlier, the delivery comes back after %s", h[0].After)
	}
}

func TestDeliveriesOfAPausedMailingLeaveTheQueueWithoutAWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	faults := dynamotest.NewFaults(w.env.Client)
	s := w.sender(w.env.StoreOver(faults, w.clock.Option()))
	var deliveries []mailing.Delivery
	for range 10 {
		d, _ := w.batch(moscow(1)...)
		deliveries = append(deliveries, d)
	}
	w.change(func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(w.clock.Now()) })
	for _, h := range s.Deliver(t.Context(), deliveries) {
		if h.Again {
			t.Errorf("a delivery comes back after %s", h.After)
		}
	}
	if writes := faults.Calls(dynamotest.UpdateItem) + faults.Calls(dynamotest.TransactWriteItems); writes != 0 {
		t.Errorf("%d writes", writes)
	}
	// A resume queues the batches again: the sender that has just read the pause must
	// not take them off the queue.
	w.change(func(m mailing.Mailing) (mailing.Mailing, error) { return m.Resumed(w.clock.Now()) })
	s.Deliver(t.Context(), deliveries)
	for _, d := range deliveries {
		w.want(d.Key, mailing.Sent, 1, 0)
	}
}
