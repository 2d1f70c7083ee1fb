package faults_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// troubleRows are failures of AWS, of users or of the sending API that last long, or come
// at a critical moment.
func troubleRows() []row {
	rows := append(settlementRows(), ambiguousRows()...)
	rows = append(rows, rejectionRows()...)
	rows = append(rows, overtakenRows()...)
	return append(rows, costRows()...)
}

// most returns how often the message with the most hand-overs was taken.
func (w *world) most() int {
	most := 0
	for _, took := range w.provider.took() {
		most = max(most, len(took))
	}
	return most
}

// settlementRows are batches whose hand-overs cannot be stored.
func settlementRows() []row {
	refuse := func(w *world) *dynamotest.Faults {
		faults := dynamotest.NewFaults(w.env.Client)
		w.tables, w.troubled = faults, true
		w.restart()
		return faults
	}
	return []row{
		{name: "single writes work, and transactions fail for an hour", run: func(w *world) {
			w.clients(3)
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			faults := refuse(w)
			faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("access denied")})
			for range 60 {
				w.run(time.Minute, nil)
				w.restart() // the new environment remembers nothing
			}
			if n := w.most(); n != 1 {
				w.t.Errorf("a recipient was handed over %d times, and none of them is stored", n)
			}
			if failed := w.measure().unsettled; failed == 0 {
				w.t.Errorf("no failed settlement is measured")
			}
			faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{})
			w.run(time.Hour, w.finished(m.ID))
			w.each(m.ID, tried{mailing.Sent, 2, 1})
		}},
		{name: "transactions fail, and the mailing says stop", run: func(w *world) {
			w.clients(3)
			m := w.create(func(d *mailing.Draft) { d.OnUncertain = mailing.Stop })
			w.sweep()
			w.doTasks()
			faults := refuse(w)
			faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("access denied")})
			for range 30 {
				w.run(time.Minute, nil)
				w.restart()
			}
			faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{})
			w.run(time.Hour, w.finished(m.ID))
			w.each(m.ID, tried{mailing.Uncertain, 1, 1})
		}},
		{name: "transactions fail for twenty seconds, and the sender waits for them", run: func(w *world) {
			w.clients(3)
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			faults, back := refuse(w), w.clock.Now().Add(20*time.Second)
			faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("throttled"), Unless: func() bool { return w.clock.Now().After(back) }})
			w.run(time.Hour, w.finished(m.ID))
			w.each(m.ID, tried{mailing.Sent, 1, 0})
		}},
	}
}

// ambiguousRows are uncertain outcomes, and events after them.
func ambiguousRows() []row {
	second := func(name string, o mailing.Outcome, clients int) row {
		return row{name: "an uncertain attempt, and then " + name, run: func(w *world) {
			w.clients(clients)
			warm := w.create(nil)
			w.sweep()
			w.run(time.Minute, w.finished(warm.ID))
			tries := map[mailing.MessageID]int{}
			w.provider.behave(func(h mailing.Handover) (mailing.Outcome, bool) {
				if h.ID.Mailing() != 2 {
					return mailing.Outcome{Kind: mailing.OutcomeSent}, true
				}
				if tries[h.ID]++; tries[h.ID] == 1 {
					return mailing.Outcome{Kind: mailing.OutcomeAmbiguous, Code: "timeout"}, true
				}
				return o, false
			})
			m := w.create(nil)
			w.sweep()
			w.drain()
			// Other messages go out all the time, so the sending API is known to work.
			w.clock.Advance(time.Second)
			w.client(mailing.Client{Phone: "79995550001", Timezone: "UTC", Tag: "other"})
			w.run(12*time.Hour, func() bool {
				w.create(func(d *mailing.Draft) { d.Filter.Tags = []string{"other"} })
				w.sweep()
				w.drain()
				return w.mailing(m.ID).Finished
			})
			w.ends(m.ID, mailing.Counts{Total: int64(clients), Uncertain: int64(clients)})
		}}
	}
	return []row{
		second("a refusal", mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}, 3),
		second("only certain failures", mailing.Outcome{Kind: mailing.OutcomeRetry, Code: "http_503"}, 1),
		{name: "five recipients, and 504 to everything", run: func(w *world) {
			for i := 1; i <= 5; i++ { // each in a slice, and so in a batch, of its own
				w.seed(begin, mailing.Client{ID: mailing.ClientID(mailing.Slices + i), Phone: fmt.Sprintf("7901000000%d", i), OperatorCode: "901", Timezone: "UTC"})
			}
			m := w.create(nil)
			w.provider.behave(always(mailing.OutcomeAmbiguous, "http_504"))
			w.sweep()
			w.run(30*time.Minute, nil)
			if c := w.counts(m.ID); c.Pending() != 5 {
				w.t.Errorf("after half an hour: %+v", c)
			}
			// Five failures opened the breaker. Since then each of at most five probes took
			// another message.
			for _, rec := range w.recipients(m.ID) {
				if rec.Uncertain > 2 {
					w.t.Errorf("client %d has %d uncertain attempts", rec.Client, rec.Uncertain)
				}
			}
			w.provider.behave(nil)
			w.run(20*time.Minute, w.finished(m.ID))
			w.ends(m.ID, mailing.Counts{Total: 5, Sent: 5})
		}},
		{days: true, name: "504 to everything until all attempts are used, and a retry of uncertain messages", run: func(w *world) {
			w.clients(2)
			m := w.create(func(d *mailing.Draft) { d.EndAt = begin.Add(10 * 24 * time.Hour) })
			w.provider.behave(always(mailing.OutcomeAmbiguous, "http_504"))
			w.sweep()
			w.run(9*24*time.Hour, w.finished(m.ID))
			w.ends(m.ID, mailing.Counts{Total: 2, Uncertain: 2})
			w.provider.behave(nil)
			w.must(m.ID, "retry") // a retry of failures: there are none
			if got := w.mailing(m.ID); got.Status != mailing.StatusCompleted {
				w.t.Errorf("a retry of failures reopens it: %s", got.Status)
			}
			answer := w.call(http.MethodPost, fmt.Sprintf("/api/mailings/%d/retry", m.ID), `{"statuses": ["failed", "uncertain"]}`)
			if answer.Code != http.StatusOK {
				w.t.Fatalf("status %d: %s", answer.Code, answer.Body)
			}
			w.rememberAll()
			w.run(time.Hour, w.finished(m.ID))
			w.ends(m.ID, mailing.Counts{Total: 2, Sent: 2})
		}},
	}
}

// rejectionRows are mailings that the sending API refuses.
func rejectionRows() []row {
	refused := func(w *world, n int) mailing.Mailing {
		w.clients(n)
		w.provider.behave(always(mailing.OutcomeRejected, "http_400"))
		m := w.create(nil)
		w.sweep()
		w.run(10*time.Minute, nil)
		w.rememberAll()
		return w.mailing(m.ID)
	}
	return []row{
		{name: "every message of a mailing is refused", run: func(w *world) {
			m := refused(w, 3000)
			c := w.counts(m.ID)
			if m.Status != mailing.StatusPaused || m.PausedBy != mailing.ByRejections || m.RejectedShare != 1 || c.Failed > 1000 {
				w.t.Errorf("it is %s by %q, %v refused; %+v", m.Status, m.PausedBy, m.RejectedShare, c)
			}
			// A user resumes it: it goes on, and is paused after another window of
			// refusals.
			w.must(m.ID, "resume")
			w.run(time.Minute, nil)
			w.rememberAll()
			again := w.counts(m.ID)
			if m := w.mailing(m.ID); m.Status != mailing.StatusPaused || again.Failed < c.Failed+mailing.RejectionWindow || again.Failed > c.Failed+1000 {
				w.t.Errorf("resumed: it is %s; %+v after %+v", m.Status, again, c)
			}
			w.provider.behave(nil)
			w.must(m.ID, "resume")
			w.run(time.Hour, w.finished(m.ID))
			w.ends(m.ID, mailing.Counts{Total: 3000, Failed: again.Failed, Sent: 3000 - again.Failed})
		}},
		{name: "every message of a small mailing is refused", run: func(w *world) {
			m := refused(w, mailing.RejectionWindow-1)
			if m.Status != mailing.StatusCompleted {
				w.t.Errorf("it is %s", m.Status)
			}
		}},
		{name: "every message is refused, one invocation a batch", run: func(w *world) {
			w.clients(1500)
			w.provider.behave(always(mailing.OutcomeRejected, "http_400"))
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			for some := w.queues.receive(deliveriesURL, 1); len(some) > 0; some = w.queues.receive(deliveriesURL, 1) {
				w.do(deliveriesURL, some)
				w.restartSender()
			}
			w.rememberAll()
			if c, got := w.counts(m.ID), w.mailing(m.ID); got.PausedBy != mailing.ByRejections || c.Failed >= 400 {
				w.t.Errorf("it is %s by %q; %+v", got.Status, got.PausedBy, c)
			}
		}},
		{name: "every message is refused, and pausing is turned off", run: func(w *world) {
			w.config.PauseOnRejections = false
			w.restart()
			m := refused(w, 1000)
			w.ends(m.ID, mailing.Counts{Total: 1000, Failed: 1000})
		}},
		{name: "less than half is refused", run: func(w *world) {
			w.clients(2000)
			n := 0
			w.provider.behave(func(mailing.Handover) (mailing.Outcome, bool) {
				if n++; n%5 < 2 {
					return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}, false
				}
				return mailing.Outcome{Kind: mailing.OutcomeSent}, true
			})
			m := w.create(nil)
			w.sweep()
			w.run(10*time.Minute, w.finished(m.ID))
			w.ends(m.ID, mailing.Counts{Total: 2000, Failed: 800, Sent: 1200})
		}},
	}
}

// costRows are waits that must cause almost no writes.
func costRows() []row {
	counted := func(w *world) (writes func() int) {
		faults := dynamotest.NewFaults(w.env.Client)
		w.tables = faults
		w.restart()
		return func() int { return faults.Calls(dynamotest.UpdateItem) + faults.Calls(dynamotest.TransactWriteItems) }
	}
	return []row{
		{days: true, name: "the sending API is down for a day, with two thousand messages pending", run: func(w *world) {
			w.clients(2000)
			m := w.create(func(d *mailing.Draft) { d.EndAt = begin.Add(72 * time.Hour) })
			w.provider.behave(always(mailing.OutcomeRetry, "refused"))
			writes := counted(w)
			w.sweep()
			w.run(10*time.Minute, nil)
			before, calls := writes(), w.provider.called()
			w.run(24*time.Hour, nil)
			if n := writes() - before; n > 24*4*8 {
				w.t.Errorf("%d writes in a day", n)
			}
			if n := w.provider.called() - calls; n > 24*4+4 || n < 24*3 {
				w.t.Errorf("%d probes in a day", n)
			}
			w.test.Logf("figure: an outage of a day, 2,000 messages pending: %d writes and %d probes in all", writes()-before, w.provider.called()-calls)
			w.provider.behave(nil)
			w.run(16*time.Minute, nil)
			back := w.clock.Now()
			w.run(5*time.Minute, func() bool { return w.counts(m.ID).Pending() == 0 })
			if took := w.clock.Now().Sub(back); took > time.Minute {
				w.t.Errorf("all were delivered %s after the last possible probe", took)
			}
		}},
		{name: "a mailing is paused with two thousand messages in the queue", run: func(w *world) {
			w.clients(2000)
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			w.must(m.ID, "pause")
			w.clock.Advance(2 * time.Second)
			writes := counted(w)
			w.drain()
			if n := writes(); n != 0 || w.queues.size(deliveriesURL) != 0 {
				w.t.Errorf("%d writes, %d deliveries left in the queue", n, w.queues.size(deliveriesURL))
			}
			w.run(3*time.Hour, nil)
			w.must(m.ID, "resume")
			w.run(time.Minute, w.finished(m.ID))
			w.sentAll(m.ID, 2000)
		}},
		{name: "one message of a batch is sent under an older generation, another one waits for its window", run: func(w *world) {
			// Both are in one slice and in one batch, whose window is open in Moscow
			// only.
			made := w.inOneSlice("Europe/Moscow", "Asia/Vladivostok")
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			w.edit(m.ID, `{"text": "another"}`)
			first := true
			w.provider.behave(func(h mailing.Handover) (mailing.Outcome, bool) {
				if first && h.ID.Client() == made[0].ID {
					first = false
					w.edit(m.ID, `{"window": {"from": "09:00", "to": "18:00"}}`)
					w.clock.Advance(2 * time.Second)
				}
				return mailing.Outcome{Kind: mailing.OutcomeSent}, true
			})
			w.config.MaxInFlight = 1
			w.restart()
			w.drain()
			writes := counted(w)
			w.run(3*time.Hour, nil)
			if n := writes(); n > 20 {
				w.t.Errorf("%d writes in three hours, while everything waits", n)
			}
			w.run(21*time.Hour, w.finished(m.ID))
		}},
		{name: "a pause and a resume while batches wait an hour for the next sweep", run: func(w *world) {
			w.clients(100)
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			for range 4 { // each time they are overdue after a longer wait
				w.queues.purge(deliveriesURL)
				w.run(45*time.Minute, func() bool { return w.queues.size(deliveriesURL) > 0 })
			}
			w.must(m.ID, "pause")
			w.drain()
			w.run(time.Minute, nil)
			w.must(m.ID, "resume")
			w.run(time.Minute, w.finished(m.ID))
			w.sentAll(m.ID, 100)
		}},
	}
}

// edit changes a mailing through the API.
func (w *world) edit(id mailing.ID, fields string) {
	w.t.Helper()
	w.must(id, fields)
}

// inOneSlice creates a client in each zone. All of them are in one slice, in the order of
// their ids. Ids are random, so each client has a part of all ids to itself: with an id near
// the end, a client before another one would leave no room for it.
func (w *world) inOneSlice(zones ...string) []mailing.Client {
	w.t.Helper()
	part := math.MaxUint32/uint64(len(zones)) + 1
	made := make([]mailing.Client, 0, len(zones))
	for len(made) < len(zones) {
		n := len(made)
		c := w.client(mailing.Client{Phone: fmt.Sprintf("7902%07d", len(w.audience)), Timezone: zones[n]})
		if uint64(c.ID)/part == uint64(n) && (n == 0 || c.ID.Slice() == made[0].ID.Slice()) {
			made = append(made, c)
		} else {
			w.deleteClient(c.ID)
		}
	}
	return made
}
