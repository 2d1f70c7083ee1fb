package deliver_test

import (
	"errors"
	"testing"
	"time"

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
			t.Errorf("it comes back after %s", h.After)
		}
	}
	if n := len(w.api.asked()); n != 0 {
		t.Errorf("%d messages were handed over", n)
	}
}

func TestALeaseOutlivesItsInvocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(1)...)
	w.api.mood = func(mailing.Handover) mailing.Outcome {
		end := monday.Add(invocationTime)
		if _, ok, err := w.store.Claim(t.Context(), d.Key, "another", end, end.Add(time.Minute)); err != nil || ok {
			t.Errorf("another claims it as the invocation is to end: %t, %v", ok, err)
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
	w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Sent, 1, 0)
}

func TestASenderThatDiedCountsAsAnAmbiguousTry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(3)...)
	faults := dynamotest.NewFaults(w.env.Client)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("killed")})
	w.sender(w.env.StoreOver(faults, w.clock.Option())).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Queued, 0, 0)

	w.clock.Advance(time.Minute)
	w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Sent, 2, 1)
	if n := len(w.api.asked()); n != 6 {
		t.Errorf("%d hand-overs", n)
	}
}

func TestABatchThatASenderDidNotSurviveIsHeldAlone(t *testing.T) {
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
		if _, ok, err := w.store.Claim(t.Context(), d.Key, "the dead", monday, monday.Add(time.Second)); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	w.clock.Advance(time.Minute)
	w.api.mood = func(h mailing.Handover) mailing.Outcome {
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
