package deliver_test

import (
	"testing"
	"testing/synctest"
	"time"

	"postrider/internal/mailing"
)

// The race detector fails this test if a decision writes what a reading reads.
func TestADecisionIsMadeWhileTheClientsOfItsBatchAreReadAgain(t *testing.T) {
	t.Parallel()
	// The race detector does not find the race in each run.
	for range 20 {
		synctest.Test(t, decideWhileClientsAreRead)
	}
}

func decideWhileClientsAreRead(t *testing.T) {
	w := newWorld(t)
	d, _ := w.batch("Europe/Moscow", "Asia/Vladivostok", "Europe/Moscow", "Asia/Vladivostok", "Asia/Vladivostok")
	w.change(func(m mailing.Mailing) (mailing.Mailing, error) {
		edited := m.Draft
		edited.Window = &mailing.Window{From: mailing.ClockTime(9 * time.Hour), To: mailing.ClockTime(18 * time.Hour)}
		return m.Edit(edited, w.clock.Now())
	})
	w.api.answer = func(h mailing.Handover) mailing.Outcome {
		if len(w.api.requests()) > 2 {
			return mailing.Outcome{Kind: mailing.OutcomeSent}
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // virtual time of the bubble, which passes when all others wait
		w.clock.Advance(max(0, h.Before.Sub(w.clock.Now())))
		return mailing.Outcome{Kind: mailing.OutcomeNotTried, Code: "too_late"}
	}
	w.sender(w.store).Deliver(t.Context(), []mailing.Delivery{d})
	counts := mailing.CountRecipients(w.read(d.Key).Recipients)
	if counts.Sent != 2 || counts.Deferred != 3 {
		t.Errorf("%+v, want 2 sent and 3 deferred", counts)
	}
}
