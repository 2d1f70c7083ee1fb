package deliver_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

// test creates a test message of the world's mailing and returns it and its delivery.
func (w *world) test(phone string) (mailing.Message, mailing.Delivery) {
	w.t.Helper()
	msg, key, err := w.store.CreateTest(w.t.Context(), mailing.Test{Mailing: w.mailing.ID, Phone: phone}, w.clock.Now(), mailing.Idempotency{})
	if err != nil {
		w.t.Fatal(err)
	}
	return msg, mailing.Delivery{Key: key, Receives: 1}
}

// counts returns the counts of one slice.
func (w *world) counts(id mailing.ID, slice int) mailing.Counts {
	w.t.Helper()
	state, err := w.store.Slice(w.t.Context(), id, slice)
	if err != nil {
		w.t.Fatal(err)
	}
	return state.Counts
}

func TestATestMessageIgnoresItsMailingsScheduleAndChangesNoCounts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		outcome mailing.OutcomeKind
		later   time.Duration
		want    mailing.MessageStatus
		change  func(mailing.Mailing) (mailing.Mailing, error)
	}{
		{"accepted", mailing.OutcomeSent, 0, mailing.Sent, nil},
		{"rejected", mailing.OutcomeRejected, 0, mailing.Failed, nil},
		{"ambiguous, and not handed over again", mailing.OutcomeAmbiguous, 0, mailing.Uncertain, nil},
		{"too late", mailing.OutcomeSent, mailing.TestTime, mailing.Expired, nil},
		{"of a paused mailing", mailing.OutcomeSent, 0, mailing.Sent, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(monday) }},
		{"of a deleted mailing", mailing.OutcomeSent, 0, mailing.Cancelled, func(m mailing.Mailing) (mailing.Mailing, error) { return m.AsDeleted(monday), nil }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			msg, d := w.test("79001234567")
			if test.change != nil {
				w.change(test.change)
			}
			w.clock.Advance(test.later)
			var handed []mailing.Handover
			w.api.answer = func(h mailing.Handover) mailing.Outcome {
				handed = append(handed, h)
				return mailing.Outcome{Kind: test.outcome, Code: "code"}
			}
			w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})

			got, err := w.store.Message(t.Context(), msg.ID)
			if err != nil || got.Member.Status != test.want {
				t.Errorf("the message is %s, %v", got.Member.Status, err)
			}
			want := []mailing.Handover{{ID: msg.ID, Phone: "79001234567", Text: "hello", Before: monday.Add(mailing.Trust)}}
			if test.want == mailing.Expired || test.want == mailing.Cancelled {
				want = nil
			}
			if diff := cmp.Diff(want, handed); diff != "" {
				t.Errorf("handed over (-want +got):\n%s", diff)
			}
			var counted mailing.Counts
			counted.Count(test.want, 1)
			if diff := cmp.Diff(counted, w.counts(mailing.TestMailing, d.Key.Slice)); diff != "" {
				t.Errorf("counts of the test messages (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(mailing.Counts{}, w.counts(w.mailing.ID, d.Key.Slice)); diff != "" {
				t.Errorf("counts of the mailing (-want +got):\n%s", diff)
			}
		})
	}
}
