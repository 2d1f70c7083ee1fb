package faults_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"postrider/internal/mailing"
)

// hasDeadLetter reports whether a message is among the dead letters.
func (w *world) hasDeadLetter(id mailing.MessageID) bool {
	for _, body := range w.queues.bodies(lettersURL) {
		if strings.Contains(body, fmt.Sprintf(`"message_id":%d,`, id)) {
			return true
		}
	}
	return false
}

// redriven is the body of the API's answer to a redrive.
type redriven struct {
	Redriven int  `json:"redriven"`
	Stale    int  `json:"stale"`
	Kept     int  `json:"kept"`
	More     bool `json:"more"`
}

func (w *world) redrive() redriven {
	w.t.Helper()
	answer := w.call(http.MethodPost, "/api/queues/dead-letters/redrive", "")
	var got redriven
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || answer.Code != http.StatusOK {
		w.t.Fatalf("redrive: %d %s", answer.Code, answer.Body)
	}
	w.rememberAll()
	return got
}

// rememberAll records the current state of every mailing whose version has changed.
func (w *world) rememberAll() {
	for id, states := range w.history {
		if m := w.mailing(id); m.Version != states[len(states)-1].Mailing.Version {
			w.remember(m)
		}
	}
}

// failedMailing runs a mailing in which the sending API refuses n messages for good.
func (w *world) failedMailing(n int) mailing.Mailing {
	w.t.Helper()
	left := n
	w.provider.behave(func(mailing.Handover) (mailing.Outcome, bool) {
		if left > 0 {
			left--
			return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}, false
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}, true
	})
	m := w.create(nil)
	w.sweep()
	w.run(10*time.Minute, w.finished(m.ID))
	w.provider.behave(nil)
	if c := w.counts(m.ID); c.Failed != int64(n) || w.queues.size(lettersURL) != n {
		w.t.Fatalf("counts %+v, %d dead letters", c, w.queues.size(lettersURL))
	}
	return m
}

func TestRetrySendsFailedMessagesAndNoOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(200)
	m := w.failedMailing(70)
	w.must(m.ID, "retry")
	if m = w.mailing(m.ID); m.Status != mailing.StatusRunning {
		t.Errorf("it is %s", m.Status)
	}
	w.run(time.Minute, w.finished(m.ID))
	w.sentAll(m.ID, 200)
	if w.act(m.ID, "retry") != http.StatusOK || w.mailing(m.ID).Status != mailing.StatusCompleted {
		t.Error("a retry of nothing reopens it")
	}
	if got := w.redrive(); got.Stale != 70 || got.Redriven != 0 || w.queues.size(lettersURL) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestARetriedMessageCanFailAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(30)
	m := w.failedMailing(12)
	w.provider.behave(always(mailing.OutcomeRejected, "http_400"))
	w.must(m.ID, "retry")
	w.run(10*time.Minute, w.finished(m.ID))
	w.ends(m.ID, mailing.Counts{Total: 30, Sent: 18, Failed: 12})
	if n := w.queues.size(lettersURL); n != 24 {
		t.Errorf("%d dead letters", n)
	}
}

func TestARetryIsLostByNoKill(t *testing.T) {
	t.Parallel()
	for at := 1; ; at += stride() {
		w := newWorld(t)
		w.clients(20)
		m := w.failedMailing(9)
		w.gate.calls = nil
		w.gate.at, w.gate.kind = at, killedAfter
		code := w.act(m.ID, "retry")
		w.doTasks()
		happened := w.gate.hasHappened()
		w.gate.disarm()
		w.run(time.Hour, func() bool { return w.mailing(m.ID).Finished && w.clock.Now().After(begin.Add(30*time.Minute)) })
		if code == http.StatusOK {
			w.sentAll(m.ID, 20)
		}
		w.check()
		if !happened {
			break
		}
	}
}

func TestRedriveSendsTheMessagesOfDeadLettersOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(100)
	m := w.failedMailing(33)
	letters := w.queues.bodies(lettersURL)
	if got := w.redrive(); got.Redriven != 33 || got.Stale != 0 || got.Kept != 0 || w.queues.size(lettersURL) != 0 {
		t.Errorf("%+v, %d letters left", got, w.queues.size(lettersURL))
	}
	w.run(time.Minute, w.finished(m.ID))
	w.sentAll(m.ID, 100)
	// Entries of the queue may repeat: the same letters again change nothing.
	for _, body := range letters {
		w.queues.put(lettersURL, body)
	}
	if got := w.redrive(); got.Redriven != 0 || got.Stale != 33 {
		t.Errorf("again: %+v", got)
	}
	w.run(time.Minute, nil)
	w.sentAll(m.ID, 100)
}

func TestARedriveIsLostByNoKill(t *testing.T) {
	t.Parallel()
	for at := 1; ; at += stride() {
		w := newWorld(t)
		w.clients(20)
		m := w.failedMailing(9)
		w.gate.calls = nil
		w.gate.at, w.gate.kind = at, killedAfter
		answer := w.call(http.MethodPost, "/api/queues/dead-letters/redrive", "")
		w.rememberAll()
		happened := w.gate.hasHappened()
		w.gate.disarm()
		w.clock.Advance(2 * time.Minute) // the received letters are visible again
		if answer.Code != http.StatusOK {
			w.redrive()
		}
		w.run(time.Hour, w.finished(m.ID))
		w.sentAll(m.ID, 20)
		if !happened {
			break
		}
	}
}

func TestADeliveryThatWasReceivedTooOftenIsRedriven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(20)
	m := w.create(nil)
	w.sweep()
	w.doTasks()
	for _, body := range w.queues.bodies(deliveriesURL) {
		w.queues.put(lettersURL, body)
	}
	w.queues.put(lettersURL, "unreadable")
	n := w.queues.purge(deliveriesURL)
	if got := w.redrive(); got.Redriven != n || got.Kept != 1 {
		t.Errorf("%+v of %d", got, n)
	}
	w.drain()
	w.sentAll(m.ID, 20)
}

func TestAMailingThatSaysStopIsNeverHandedOverTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(100)
	n := 0
	w.provider.behave(func(mailing.Handover) (mailing.Outcome, bool) {
		if n++; n%3 == 0 {
			return mailing.Outcome{Kind: mailing.OutcomeAmbiguous, Code: "timeout"}, n%2 == 0
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}, true
	})
	m := w.create(func(d *mailing.Draft) { d.OnUncertain = mailing.Stop })
	w.sweep()
	w.gate.named, w.gate.kind = "sender: TransactWriteItems", killedBefore
	w.run(time.Hour, w.finished(m.ID))
	c := w.counts(m.ID)
	if c.Sent+c.Uncertain != 100 || c.Uncertain < 33 {
		t.Errorf("counts %+v", c)
	}
	w.check()
}

func TestATestMessageArrivesOnceAndIsNotCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(3)
	m := w.create(func(d *mailing.Draft) { d.StartAt = begin.Add(time.Hour) })
	answer := w.call(http.MethodPost, fmt.Sprintf("/api/mailings/%d/test", m.ID), `{"phone": "79995550000"}`)
	if answer.Code != http.StatusAccepted {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	w.queues.purge(deliveriesURL) // the message must arrive although the queue is lost
	w.run(10*time.Minute, nil)
	var got struct {
		ID     mailing.MessageID `json:"id"`
		Status string            `json:"status"`
		Test   bool              `json:"test"`
		Phone  string            `json:"phone"`
	}
	read := w.call(http.MethodGet, path.Join("/", answer.Header().Get("Location")), "")
	if err := json.Unmarshal(read.Body.Bytes(), &got); err != nil || got.Status != "sent" || !got.Test || got.Phone != "79995550000" {
		t.Errorf("%d %s", read.Code, read.Body)
	}
	if took := w.provider.took(); len(took) != 1 || len(took[got.ID]) != 1 || got.ID.Mailing() != 0 {
		t.Errorf("taken: %v", took)
	}
	if c := w.counts(m.ID); c.Total != 0 {
		t.Errorf("counts %+v", c)
	}
	w.check()
}

func TestAMessageIsTriedTenTimesIfTheProviderWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := w.clients(20)[3]
	w.client(mailing.Client{Phone: "79995550001", Timezone: "UTC", Tag: "other"})
	// Another mailing goes out first and every few minutes, so the provider is known to work.
	other := func() {
		w.create(func(d *mailing.Draft) { d.Filter.Tags = []string{"other"} })
		w.sweep()
		w.drain()
	}
	other()
	m := w.create(func(d *mailing.Draft) { d.Filter.OperatorCodes = []string{"900"} })
	tries := 0
	w.provider.behave(func(h mailing.Handover) (mailing.Outcome, bool) {
		if h.Phone != bad.Phone {
			return mailing.Outcome{Kind: mailing.OutcomeSent}, true
		}
		tries++
		return mailing.Outcome{Kind: mailing.OutcomeRetry, Code: "http_503"}, false
	})
	w.run(3*time.Hour, func() bool {
		other()
		return w.mailing(m.ID).Finished
	})
	w.ends(m.ID, mailing.Counts{Total: 20, Sent: 19, Failed: 1})
	if tries != mailing.MaxAttempts || !w.hasDeadLetter(mailing.NewMessageID(m.ID, bad.ID)) {
		t.Errorf("%d tries", tries)
	}
}

func TestALongOutageFailsNoMessageAndIsProbedByOneMessage(t *testing.T) {
	t.Parallel()
	codes := map[string]mailing.OutcomeKind{
		"refused": mailing.OutcomeRetry, "http_401": mailing.OutcomeMisconfigured, "http_503": mailing.OutcomeRetry,
	}
	hours := 30 // all retries together take less than three
	if sampled() {
		codes, hours = map[string]mailing.OutcomeKind{"http_503": mailing.OutcomeRetry}, 1
	}
	for code, kind := range codes {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.clients(60)
			short := w.create(func(d *mailing.Draft) { d.EndAt = begin.Add(time.Hour) })
			long := w.create(func(d *mailing.Draft) { d.EndAt = begin.Add(48 * time.Hour) })
			w.provider.behave(always(kind, code))
			w.sweep()
			w.run(10*time.Minute, nil)
			before := w.provider.called()
			w.run(time.Duration(hours)*time.Hour, nil)
			// There is one environment, so there is at most one probe a minute.
			if probes := w.provider.called() - before; probes > hours*60 || probes < hours {
				t.Errorf("%d calls in %d hours", probes, hours)
			}
			if c := w.counts(long.ID); c.Pending() != 60 {
				t.Errorf("after the outage %+v", c)
			}
			if n := w.queues.size(lettersURL); n != 0 {
				t.Errorf("%d dead letters", n)
			}
			w.check()
			w.provider.behave(nil)
			w.run(time.Hour, w.finished(long.ID))
			w.ends(long.ID, mailing.Counts{Total: 60, Sent: 60})
			w.ends(short.ID, mailing.Counts{Total: 60, Expired: 60})
		})
	}
}

func TestADeferralOfAnOlderGenerationEndsEvenIfTheSenderReadTheNewerOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(40)
	w.client(mailing.Client{Phone: "79995550001", Timezone: "Asia/Vladivostok"})
	edit := func(id mailing.ID, window *mailing.Window) {
		w.update(id, func(m mailing.Mailing) (mailing.Mailing, error) {
			d := m.Draft
			d.Window = window
			return m.Edit(d, w.clock.Now())
		})
	}
	// The order in which recipients are decided on depends on the goroutine scheduler:
	// several rounds meet both orders.
	for range 8 {
		m := w.create(nil)
		w.sweep()
		w.doTasks()
		// The window is open in Moscow (12:30 and later), and closed in Vladivostok
		// (19:30 and later).
		edit(m.ID, &mailing.Window{From: mailing.ClockTime(12 * time.Hour), To: mailing.ClockTime(19 * time.Hour)})
		first := true
		w.provider.behave(func(mailing.Handover) (mailing.Outcome, bool) {
			if first {
				first = false
				edit(m.ID, nil)
				w.clock.Advance(2 * time.Second) // the data that the sender has read is stale now
			}
			return mailing.Outcome{Kind: mailing.OutcomeSent}, true
		})
		w.doSome(deliveriesURL)
		w.run(3*time.Minute, w.finished(m.ID))
		w.check()
	}
}

func TestAMailingThatHasEndedIsFinishedWhileTheSendingAPIIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(200)
	w.provider.behave(always(mailing.OutcomeMisconfigured, "http_401"))
	// The first mailing stays alive: the breaker probes with its messages.
	w.create(nil)
	cancelled := w.create(nil)
	ended := w.create(func(d *mailing.Draft) { d.EndAt = begin.Add(20 * time.Minute) })
	w.sweep()
	w.run(10*time.Minute, nil)
	w.must(cancelled.ID, "cancel")
	w.run(2*time.Minute, w.finished(cancelled.ID))
	w.ends(cancelled.ID, mailing.Counts{Total: 200, Cancelled: 200})
	w.clock.Advance(ended.EndAt.Sub(w.clock.Now()))
	w.run(2*time.Minute, w.finished(ended.ID))
	w.ends(ended.ID, mailing.Counts{Total: 200, Expired: 200})
}
