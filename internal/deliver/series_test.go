package deliver_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/deliver"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// points returns what happened in the world's mailing over time.
func (w *world) points() []mailing.Point {
	w.t.Helper()
	all, err := w.store.Series(w.t.Context(), w.mailing)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// byStatus answers so that of three clients one's message is sent, one's fails, and one's
// ends as uncertain.
func byStatus(clients []mailing.Client) func(mailing.Handover) mailing.Outcome {
	return func(h mailing.Handover) mailing.Outcome {
		outcomes := map[mailing.ClientID]mailing.Outcome{
			clients[0].ID: {Kind: mailing.OutcomeRejected, Code: "http_400"},
			clients[1].ID: {Kind: mailing.OutcomeAmbiguous, Code: "timeout"},
		}
		if o, ok := outcomes[h.ID.Client()]; ok {
			return o
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
}

// TestAnInvocationCountsWhatItSettledWithOneWrite lets one invocation settle two batches
// of a mailing, whose messages end in three statuses, and a test message.
func TestAnInvocationCountsWhatItSettledWithOneWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.change(func(m mailing.Mailing) (mailing.Mailing, error) {
		m.OnUncertain, m.Version = mailing.Stop, m.Version+1
		return m, nil
	})
	first, clients := w.batch(moscow(3)...)
	second, _ := w.batch(moscow(4)...)
	_, probe := w.test("79001234567")
	w.api.answer = byStatus(clients)
	faults := dynamotest.NewFaults(w.env.Client)
	s := w.sender(w.env.StoreOver(faults, w.clock.Option()))
	s.Deliver(t.Context(), []mailing.Delivery{first, second, probe})
	want := []mailing.Point{{At: monday, Sent: 5, Failed: 1, Uncertain: 1}}
	if diff := cmp.Diff(want, w.points()); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
	// Three of the updates are claims.
	if n := faults.Calls(dynamotest.UpdateItem); n != 3+1 {
		t.Errorf("%d updates", n)
	}
}

func TestMessagesThatAreStillPendingAreNotCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(3)...)
	w.api.answer = always(mailing.OutcomeAmbiguous, "timeout")
	faults := dynamotest.NewFaults(w.env.Client)
	w.sender(w.env.StoreOver(faults, w.clock.Option())).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Retrying, 1, 1)
	if n := faults.Calls(dynamotest.UpdateItem); n != 1 || len(w.points()) != 0 {
		t.Errorf("%d updates, points %v", n, w.points())
	}
}

func TestACountThatFailsChangesNoStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(3)...)
	faults := dynamotest.NewFaults(w.env.Client)
	faults.On(dynamotest.UpdateItem, 2, dynamotest.Fault{Refuse: errors.New("no")}) // the first one is the claim
	w.sender(w.env.StoreOver(faults, w.clock.Option())).Deliver(t.Context(), []mailing.Delivery{d})
	w.want(d.Key, mailing.Sent, 1, 0)
	if n := w.counts(w.mailing.ID, 0).Sent; n != 3 || len(w.points()) != 0 {
		t.Errorf("%d sent, points %v", n, w.points())
	}
}

func TestASettlementOfALaterInvocationIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, _ := w.batch(moscow(2)...)
	_, probe := w.test("79001234567")
	faults := dynamotest.NewFaults(w.env.Client)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("throttled")})
	store := w.env.StoreOver(faults, w.clock.Option())
	senders := []*deliver.Sender{w.sender(store), w.sender(store)}
	senders[0].Deliver(t.Context(), []mailing.Delivery{d})
	senders[1].Deliver(t.Context(), []mailing.Delivery{probe})
	if got := w.points(); len(got) != 0 {
		t.Errorf("settlements that failed are counted: %v", got)
	}
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{})
	for _, s := range senders {
		s.Deliver(t.Context(), nil)
	}
	w.want(d.Key, mailing.Sent, 1, 0)
	if got := w.points(); len(got) != 1 || got[0].Sent != 2 {
		t.Errorf("points %v", got)
	}
	tests := mailing.Mailing{ID: mailing.TestMailing, Draft: w.mailing.Draft}
	if got, err := w.store.Series(t.Context(), tests); err != nil || len(got) != 0 {
		t.Errorf("test messages are counted: %v, %v", got, err)
	}
}
