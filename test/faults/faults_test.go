package faults_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
	"postrider/internal/schedule"
)

func TestAMailingReachesEveryoneOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(300)
	m := w.create(nil)
	w.sweep()
	w.run(time.Minute, w.completed(m.ID))
	w.sentAll(t, m.ID, 300)
}

func TestAMailingDoesNotStartBeforeItsStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(50)
	m := w.create(func(d *mailing.Draft) {
		d.StartAt, d.EndAt = begin.Add(10*time.Minute+1500*time.Millisecond), begin.Add(time.Hour)
	})
	w.run(time.Hour, w.completed(m.ID))
	w.sentAll(t, m.ID, 50)
	for _, times := range w.provider.handed {
		if late := times[0].Sub(m.StartAt); late > 3*time.Second {
			t.Fatalf("a hand-over %s after the start", late)
		}
	}
}

func TestTasksDoneTwiceAndSideBySideChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(400)
	m := w.create(nil)
	for range 3 {
		w.sweep()
	}
	tasks := bodies(w.tasks.take(1000))
	for _, err := range w.scheduler.Do(t.Context(), tasks) {
		if err != nil {
			t.Error(err)
		}
	}
	w.run(time.Minute, w.completed(m.ID))
	w.sentAll(t, m.ID, 400)
}

func TestAPurgedQueueLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(300)
	m := w.create(nil)
	w.sweep()
	w.doTasks()
	if w.delivered.purge() == 0 {
		t.Fatal("nothing was queued")
	}
	w.run(10*time.Minute, w.completed(m.ID))
	w.sentAll(t, m.ID, 300)
}

func TestAPageWhoseBatchesWereNeverQueuedIsSentAllTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(300)
	m := w.create(nil)
	w.sweep()
	broken := schedule.New(w.store, noQueue{}, w.tasks, schedulerClock{w.clock})
	broken.Do(t.Context(), bodies(w.tasks.take(16)))
	w.tasks.purge()
	w.run(10*time.Minute, w.completed(m.ID))
	w.sentAll(t, m.ID, 300)
}

func TestTheSameDeliveryTwiceInARowAndSideBySide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(200)
	m := w.create(nil)
	w.sweep()
	w.doTasks()
	some := w.delivered.take(1000)
	var again []entry[mailing.BatchKey]
	for range 20 {
		again = append(again, some...)
	}
	w.deliver(w.sender, again)
	w.deliver(w.sender, some)
	w.run(time.Minute, w.completed(m.ID))
	w.sentAll(t, m.ID, 200)
}

func TestAPermanentRefusalEndsOneMessageAndNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := w.clients(100)[42]
	m := w.create(nil)
	w.provider.feels(func(h mailing.Handover) (mailing.Outcome, bool) {
		if h.Phone == bad.Phone {
			return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}, false
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}, true
	})
	w.sweep()
	w.run(time.Minute, w.completed(m.ID))
	if c := w.counts(m.ID); c != (mailing.Counts{Total: 100, Sent: 99, Failed: 1}) {
		t.Errorf("counts %+v", c)
	}
	if len(w.letters.all) != 1 || w.letters.all[0].Message != mailing.NewMessageID(m.ID, bad.ID) || w.letters.all[0].Reason != "http_400" {
		t.Errorf("dead letters %+v", w.letters.all)
	}
	w.check(m.ID)
}

func TestAMessageIsTriedTenTimesWhereTheProviderWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := w.clients(20)[3]
	m := w.create(nil)
	tries := 0
	w.provider.feels(func(h mailing.Handover) (mailing.Outcome, bool) {
		if h.Phone != bad.Phone {
			return mailing.Outcome{Kind: mailing.OutcomeSent}, true
		}
		tries++
		return mailing.Outcome{Kind: mailing.OutcomeRetry, Code: "http_503"}, false
	})
	w.sweep()
	w.drain()
	// Other mailings go through meanwhile: the provider is known to work.
	w.run(3*time.Hour, func() bool {
		w.sendOther(bad)
		return w.completed(m.ID)()
	})
	if c := w.counts(m.ID); c != (mailing.Counts{Total: 20, Sent: 19, Failed: 1}) || tries != mailing.MaxAttempts {
		t.Errorf("%d tries, counts %+v", tries, c)
	}
	if len(w.letters.all) != 1 || w.letters.all[0].Attempts != mailing.MaxAttempts {
		t.Errorf("dead letters %+v", w.letters.all)
	}
	w.check(m.ID)
}

// sendOther sends one message of another mailing to anybody but one client.
func (w *world) sendOther(but mailing.Client) {
	w.t.Helper()
	for _, c := range w.audience {
		if c.ID != but.ID {
			w.sendTo(c)
			return
		}
	}
}

// sendTo lets the sender meet a provider that works, through a mailing of its
// own to one client's operator code and tag.
func (w *world) sendTo(mailing.Client) {
	w.t.Helper()
	tag := "other"
	if !w.otherMade() {
		c, err := mailing.NewClient(mailing.Client{Phone: "79990000000", Timezone: "UTC", OperatorCode: "999", Tag: tag})
		if err == nil {
			_, err = w.store.CreateClient(w.t.Context(), c)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.create(func(d *mailing.Draft) { d.Filter.Tags = []string{tag} })
	w.sweep()
	w.drain()
}

func (w *world) otherMade() bool {
	list, err := w.store.ListClients(w.t.Context(), mailing.ClientQuery{Tag: "other", Limit: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list.Items) > 0
}

func TestAnOutageAloneFailsNoMessage(t *testing.T) {
	t.Parallel()
	troubles := map[string]mailing.OutcomeKind{
		"refused": mailing.OutcomeRetry, "http_401": mailing.OutcomeMisconfigured, "http_429": mailing.OutcomeThrottled,
	}
	for code, kind := range troubles {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.clients(8)
			m := w.create(nil)
			w.provider.feels(always(kind, code))
			w.sweep()
			w.run(2*time.Hour, nil)
			if c := w.counts(m.ID); c.Total != 8 || c.Queued+c.Retrying != 8 || len(w.letters.all) != 0 {
				t.Errorf("after two hours %+v, %d dead letters", c, len(w.letters.all))
			}
			w.provider.feels(nil)
			w.run(time.Hour, w.completed(m.ID))
			w.sentAll(t, m.ID, 8)
		})
	}
}

func TestASenderThatDiesIsAnAmbiguousTryOfItsBatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(30)
	m := w.create(nil)
	w.sweep()
	w.doTasks()
	// It hands everything over, and is gone before it can settle.
	faults := dynamotest.NewFaults(w.env.Client)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("killed")})
	w.deliver(w.newSender(w.env.StoreOver(faults, w.clock.Option())), w.delivered.take(100))
	w.delivered.purge()
	if c := w.counts(m.ID); c.Queued != 30 {
		t.Fatalf("counts %+v", c)
	}
	w.run(10*time.Minute, w.completed(m.ID))
	for _, msg := range w.messages(m.ID) {
		if msg.Member.Status != mailing.Sent || msg.Member.Uncertain != 1 || msg.Member.Attempts != 2 {
			t.Errorf("message %+v", msg.Member)
		}
	}
	w.check(m.ID)
}

func TestABatchThatKillsItsSendersIsPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(5)
	m := w.create(nil)
	w.provider.feels(always(mailing.OutcomeRetry, "refused"))
	w.sweep()
	w.doTasks()
	faults := dynamotest.NewFaults(w.env.Client)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("killed")})
	dying := w.newSender(w.env.StoreOver(faults, w.clock.Option()))
	alive := w.sender
	w.sender = dying
	calls := func() bool { return w.provider.calls >= 25 }
	w.run(time.Hour, calls)
	w.sender = alive
	w.run(time.Hour, w.completed(m.ID))
	for _, msg := range w.messages(m.ID) {
		if msg.Member.Status != mailing.Failed || msg.Member.Error != "poison" {
			t.Errorf("message %+v", msg.Member)
		}
	}
	w.check(m.ID)
}

func TestPausedNothingGoesOutAndResumedEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(120)
	m := w.create(nil)
	w.sweep()
	w.doTasks()
	w.update(m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(w.clock.Now()) })
	w.run(2*time.Hour, nil)
	if len(w.provider.handed) != 0 || w.delivered.size() != 0 {
		t.Errorf("%d handed over, %d batches in the queue", len(w.provider.handed), w.delivered.size())
	}
	w.update(m.ID, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Resumed(w.clock.Now()) })
	w.run(3*time.Minute, w.completed(m.ID))
	w.sentAll(t, m.ID, 120)
}

func TestWhatIsPendingAtTheEndOrACancellationIsAccountedForWithinTwoMinutes(t *testing.T) {
	t.Parallel()
	closing := map[string]struct {
		close func(w *world, id mailing.MailingID)
		want  mailing.Counts
	}{
		"cancelled": {func(w *world, id mailing.MailingID) {
			w.update(id, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Cancelled(w.clock.Now()) })
		}, mailing.Counts{Total: 80, Cancelled: 80}},
		"its end": {func(w *world, _ mailing.MailingID) { w.clock.Advance(24 * time.Hour) }, mailing.Counts{Total: 80, Expired: 80}},
		"paused, then its end": {func(w *world, id mailing.MailingID) {
			w.update(id, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(w.clock.Now()) })
			w.clock.Advance(24 * time.Hour)
		}, mailing.Counts{Total: 80, Expired: 80}},
	}
	waiting := map[string]func(w *world) func(*mailing.Draft){
		"queued, and the queue lost": func(*world) func(*mailing.Draft) { return nil },
		"deferred": func(*world) func(*mailing.Draft) {
			return func(d *mailing.Draft) { d.Window = &mailing.Window{From: 0, To: mailing.ClockTime(time.Hour)} }
		},
		"put off by the provider": func(w *world) func(*mailing.Draft) {
			w.provider.feels(always(mailing.OutcomeThrottled, "http_429"))
			return nil
		},
		"not expanded": func(*world) func(*mailing.Draft) { return nil },
	}
	for how, c := range closing {
		for where, prepare := range waiting {
			t.Run(how+", "+where, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.clients(80)
				m := w.create(prepare(w))
				w.sweep()
				if where == "not expanded" {
					w.tasks.purge()
					if _, err := w.store.StartMailing(t.Context(), m.ID); err != nil {
						t.Fatal(err)
					}
				} else {
					w.doTasks()
				}
				if where == "put off by the provider" {
					w.drain()
				}
				w.delivered.purge()
				c.close(w, m.ID)
				w.run(2*time.Minute, func() bool { return w.mailing(m.ID).Finished })
				if got := w.counts(m.ID); got != c.want || len(w.provider.handed) != 0 {
					t.Errorf("counts %+v, %d handed over", got, len(w.provider.handed))
				}
				w.check(m.ID)
			})
		}
	}
}

func TestAnEditOfTheWindowReachesWhatWasDeferred(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(100)
	m := w.create(func(d *mailing.Draft) { d.Window = &mailing.Window{From: 0, To: mailing.ClockTime(time.Hour)} })
	w.sweep()
	w.run(3*time.Minute, nil)
	if c := w.counts(m.ID); c.Deferred != 100 || w.delivered.size() != 0 {
		t.Fatalf("counts %+v, %d batches in the queue", c, w.delivered.size())
	}
	w.update(m.ID, func(m mailing.Mailing) (mailing.Mailing, error) {
		d := m.Draft
		d.Window = nil
		return m.Edit(d, w.clock.Now())
	})
	w.run(2*time.Minute, w.completed(m.ID))
	w.sentAll(t, m.ID, 100)
}

func TestDeferredMessagesGoOutWhenTheirWindowOpens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(100)
	// Moscow's clock shows 12:30; the window opens at 14:00, 11:00 UTC.
	opens := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	m := w.create(func(d *mailing.Draft) {
		d.Window = &mailing.Window{From: mailing.ClockTime(14 * time.Hour), To: mailing.ClockTime(15 * time.Hour)}
	})
	w.sweep()
	w.run(2*time.Hour, w.completed(m.ID))
	w.sentAll(t, m.ID, 100)
	for id, times := range w.provider.handed {
		if late := times[0].Sub(opens); late < 0 || late > 3*time.Second {
			t.Fatalf("message %d was handed over %s after its window opened", id, late)
		}
	}
}

type noQueue struct{}

func (noQueue) Queue(_ context.Context, _ []mailing.BatchKey, _ time.Duration) error {
	return errors.New("the queue is gone")
}

func TestADeferralUnderAnOlderPlanIsFreedThoughTheSenderMetTheNewer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clients(40)
	far, err := mailing.NewClient(mailing.Client{Phone: "79995550001", Timezone: "Asia/Vladivostok"})
	if err == nil {
		far, err = w.store.CreateClient(t.Context(), far)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.audience = append(w.audience, far)
	edit := func(id mailing.MailingID, window *mailing.Window) {
		w.update(id, func(m mailing.Mailing) (mailing.Mailing, error) {
			d := m.Draft
			d.Window = window
			return m.Edit(d, w.clock.Now())
		})
	}
	// Which of the members is decided on first is up to the scheduler of
	// goroutines: several rounds meet both orders.
	for range 8 {
		m := w.create(nil)
		w.sweep()
		w.doTasks()
		// Open in Moscow (12:30 and later), closed in Vladivostok (19:30 and later).
		edit(m.ID, &mailing.Window{From: mailing.ClockTime(12 * time.Hour), To: mailing.ClockTime(19 * time.Hour)})
		var once sync.Once
		w.provider.feels(func(mailing.Handover) (mailing.Outcome, bool) {
			once.Do(func() {
				edit(m.ID, nil)
				w.clock.Advance(2 * time.Second) // what was read is stale now
			})
			return mailing.Outcome{Kind: mailing.OutcomeSent}, true
		})
		w.deliver(w.sender, w.delivered.take(100))
		w.run(3*time.Minute, w.completed(m.ID))
		w.check(m.ID)
	}
}
