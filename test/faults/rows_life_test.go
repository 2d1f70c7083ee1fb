package faults_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"sync"
	"time"

	"postrider/internal/mailing"
	"postrider/test/invariants"
)

// posted returns the body of a mailing to all clients that starts now and ends in a day.
func (w *world) posted(change func(fields map[string]any)) string {
	w.t.Helper()
	now := w.clock.Now()
	fields := map[string]any{
		"text": "hello", "start_at": now.Format(time.RFC3339Nano), "end_at": now.Add(24 * time.Hour).Format(time.RFC3339Nano), "filter": map[string]any{},
	}
	if change != nil {
		change(fields)
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		w.t.Fatalf("encode a mailing: %v", err)
	}
	return string(raw)
}

// adopt records a mailing that the API has created.
func (w *world) adopt(answer *httptest.ResponseRecorder) mailing.Mailing {
	w.t.Helper()
	var created struct {
		ID mailing.ID `json:"id"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &created); err != nil || created.ID == 0 {
		w.t.Fatalf("a mailing was not created: %d %s", answer.Code, answer.Body)
	}
	m := w.mailing(created.ID)
	w.history[m.ID] = append(w.history[m.ID], invariants.State{From: m.CreatedAt, Mailing: m})
	return m
}

// timeRows are instants at which something changes.
func timeRows() []row {
	var rows []row
	for name, off := range map[string]time.Duration{"1 ns before": -1, "exactly at": 0, "1 ns after": 1} {
		rows = append(rows,
			row{name: name + " the start", run: func(w *world) {
				w.clients(10)
				start := begin.Add(time.Hour)
				m := w.create(func(d *mailing.Draft) { d.StartAt, d.EndAt = start, start.Add(time.Hour) })
				w.clock.Advance(start.Add(off).Sub(w.clock.Now()))
				w.sweep()
				w.doSome(tasksURL)
				w.doSome(deliveriesURL)
				w.run(3*time.Minute, w.finished(m.ID))
				w.sentAll(m.ID, 10)
			}},
			row{name: name + " the end", run: func(w *world) {
				w.clients(10)
				m := w.create(nil)
				w.sweep()
				w.doTasks()
				w.clock.Advance(m.EndAt.Add(off).Sub(w.clock.Now()))
				w.run(3*time.Minute, w.finished(m.ID))
				w.ends(m.ID, mailing.Counts{Total: 10, Expired: 10})
			}},
			row{name: name + " the window's opening", run: func(w *world) {
				w.clients(10)
				// In Moscow it is 12:30.
				m := w.create(windowed(13*time.Hour, 14*time.Hour))
				w.clock.Advance(30*time.Minute + off)
				w.sweep()
				w.run(time.Hour, w.finished(m.ID))
				w.sentAll(m.ID, 10)
			}},
			row{days: true, name: name + " the window's close", run: func(w *world) {
				w.clients(10)
				m := w.create(windowed(12*time.Hour, 13*time.Hour))
				w.sweep()
				w.doTasks()
				w.clock.Advance(30*time.Minute + off)
				w.drain()
				if c := w.counts(m.ID); c.Deferred != 10 {
					w.t.Errorf("counts %+v", c)
				}
				w.run(25*time.Hour, w.finished(m.ID))
				w.ends(m.ID, mailing.Counts{Total: 10, Sent: 10})
			}})
	}
	for name, day := range map[string]time.Time{
		"clocks go forward over the window": time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC),
		"clocks go back into the window":    time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC),
	} {
		rows = append(rows, row{days: true, name: name, run: func(w *world) {
			w.clock.Advance(day.Sub(w.clock.Now()))
			for i, zone := range []string{"Europe/Berlin", "Europe/London", "America/New_York", "Europe/Moscow", "Asia/Kathmandu"} {
				w.client(mailing.Client{Phone: fmt.Sprintf("7911%07d", i), Timezone: zone})
			}
			m := w.create(func(d *mailing.Draft) {
				d.EndAt = w.clock.Now().Add(72 * time.Hour)
				windowed(2*time.Hour+15*time.Minute, 2*time.Hour+45*time.Minute)(d)
			})
			w.sweep()
			w.run(73*time.Hour, w.finished(m.ID))
			w.sentAll(m.ID, 5)
		}})
	}
	return append(rows,
		row{days: true, name: "a night's window crosses midnight", run: func(w *world) {
			w.clients(10)
			m := w.create(func(d *mailing.Draft) {
				d.EndAt = d.EndAt.Add(48 * time.Hour)
				windowed(23*time.Hour, time.Hour)(d)
			})
			w.sweep()
			w.run(48*time.Hour, w.finished(m.ID))
			w.sentAll(m.ID, 10)
		}},
		row{name: "a start while the queues are slow", run: func(w *world) {
			w.clients(50)
			m := w.create(func(d *mailing.Draft) {
				d.StartAt, d.EndAt = begin.Add(10*time.Minute+1500*time.Millisecond), begin.Add(time.Hour)
			})
			w.run(time.Hour, w.finished(m.ID))
			for _, took := range w.provider.took() {
				if late := took[0].At.Sub(m.StartAt); late > 3*time.Second {
					w.t.Errorf("a hand-over %s after the start", late)
				}
			}
			w.sentAll(m.ID, 50)
		}})
}

func windowed(from, to time.Duration) func(*mailing.Draft) {
	return func(d *mailing.Draft) {
		d.Window = &mailing.Window{From: mailing.ClockTime(from), To: mailing.ClockTime(to)}
	}
}

// lifeRows are changes while messages are on their way.
func lifeRows() []row {
	edit := func(fields string) string { return "{" + fields + "}" }
	// after runs a mailing until its batches are queued, applies a change, and goes on.
	after := func(name string, act func(w *world, m mailing.Mailing), want mailing.Counts) row {
		return row{name: name, run: func(w *world) {
			w.clients(80)
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			act(w, m)
			w.run(3*time.Hour, w.finished(m.ID))
			w.ends(m.ID, want)
		}}
	}
	all := mailing.Counts{Total: 80, Sent: 80}
	rows := []row{
		after("paused after queueing, then resumed", func(w *world, m mailing.Mailing) {
			w.must(m.ID, "pause")
			w.run(2*time.Hour, nil)
			if n := len(w.provider.took()); n != 0 || w.queues.size(deliveriesURL) != 0 {
				w.t.Errorf("%d handed over while paused, %d in the queue", n, w.queues.size(deliveriesURL))
			}
			w.must(m.ID, "resume")
		}, all),
		after("cancelled after queueing", func(w *world, m mailing.Mailing) { w.must(m.ID, "cancel") }, mailing.Counts{Total: 80, Cancelled: 80}),
		after("deleted after queueing", func(w *world, m mailing.Mailing) { w.must(m.ID, "delete") }, mailing.Counts{Total: 80, Cancelled: 80}),
		after("its text edited after queueing", func(w *world, m mailing.Mailing) { w.must(m.ID, edit(`"text": "other"`)) }, all),
		after("its end shortened after queueing", func(w *world, m mailing.Mailing) {
			w.must(m.ID, edit(`"end_at": "`+w.clock.Now().Add(time.Minute).Format(time.RFC3339Nano)+`"`))
			w.clock.Advance(time.Minute)
		}, mailing.Counts{Total: 80, Expired: 80}),
		after("its end put off while it is paused", func(w *world, m mailing.Mailing) {
			w.must(m.ID, "pause")
			w.must(m.ID, edit(`"end_at": "`+w.clock.Now().Add(72*time.Hour).Format(time.RFC3339Nano)+`"`))
			w.clock.Advance(25 * time.Hour)
			w.must(m.ID, "resume")
		}, all),
		after("a window edited in, and out", func(w *world, m mailing.Mailing) {
			w.must(m.ID, edit(`"window": {"from": "02:00", "to": "03:00"}`))
			w.run(3*time.Minute, nil)
			if c := w.counts(m.ID); c.Deferred != 80 || w.queues.size(deliveriesURL) != 0 {
				w.t.Errorf("counts %+v, %d in the queue", c, w.queues.size(deliveriesURL))
			}
			w.must(m.ID, edit(`"window": null`))
			w.run(10*time.Second, w.finished(m.ID)) // the edit queues the batches, not the next sweep
		}, all),
		{name: "a sender with data from before a pause settles after the resume", run: func(w *world) {
			w.clients(40)
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			var once sync.Once
			w.provider.behave(func(mailing.Handover) (mailing.Outcome, bool) {
				// The mailing is paused and resumed while the hand-overs are under way:
				// the settlement uses a decision from before both.
				once.Do(func() {
					w.must(m.ID, "pause")
					w.clock.Advance(1500 * time.Millisecond)
					w.must(m.ID, "resume")
				})
				return mailing.Outcome{Kind: mailing.OutcomeMisconfigured, Code: "http_401"}, false
			})
			w.doSome(deliveriesURL)
			w.provider.behave(nil)
			w.run(10*time.Minute, w.finished(m.ID))
			w.sentAll(m.ID, 40)
		}},
		{name: "a client is deleted after queueing", run: func(w *world) {
			gone := w.clients(40)[11]
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			w.deleteClient(gone.ID)
			w.run(time.Hour, w.finished(m.ID))
			w.ends(m.ID, mailing.Counts{Total: 40, Sent: 39, Skipped: 1})
		}},
		{name: "a client is deleted while its batch waits for its turn", run: func(w *world) {
			// last is the last client of a slice; hand-overs are made one at a time.
			var last mailing.Client
			for _, c := range w.clients(200) {
				if c.ID.Slice() == 3 {
					last = c
				}
			}
			w.config.MaxInFlight = 1
			w.restart()
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			n := 0
			w.provider.behave(func(mailing.Handover) (mailing.Outcome, bool) {
				if n++; n == 1 {
					w.deleteClient(last.ID)
				}
				w.clock.Advance(700 * time.Millisecond)
				return mailing.Outcome{Kind: mailing.OutcomeSent}, true
			})
			w.run(2*time.Hour, w.finished(m.ID))
		}},
		{name: "clients are deleted, re-tagged and added while their mailing expands", run: func(w *world) {
			made := w.clients(100)
			m := w.create(func(d *mailing.Draft) { d.Filter.OperatorCodes = []string{"900"} })
			w.sweep()
			w.clock.Advance(time.Second)
			for i, c := range made {
				switch i % 3 {
				case 0:
					w.deleteClient(c.ID)
				case 1:
					w.changeClient(c.ID, func(c *mailing.Client) { c.OperatorCode = "901" })
				}
				if i%10 == 0 {
					w.doSome(tasksURL)
					w.client(mailing.Client{Phone: fmt.Sprintf("7900555%04d", i), Timezone: "Europe/Moscow"})
				}
			}
			w.run(time.Hour, w.finished(m.ID))
		}},
		{name: "a client changes its phone after queueing", run: func(w *world) {
			c := w.clients(20)[7]
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			w.changeClient(c.ID, func(c *mailing.Client) { c.Phone = "79995554433" })
			w.run(time.Hour, w.finished(m.ID))
			w.sentAll(m.ID, 20)
			if took := w.provider.took()[mailing.NewMessageID(m.ID, c.ID)]; took[0].Phone != "79995554433" {
				w.t.Errorf("it went to the old phone")
			}
		}},
		{name: "a redrive after the end", run: func(w *world) {
			w.clients(10)
			m := w.failedMailing(5)
			w.clock.Advance(25 * time.Hour)
			if got := w.redrive(); got.Kept != 5 || got.Redriven != 0 {
				w.t.Errorf("%+v", got)
			}
			w.run(time.Hour, nil)
			w.ends(m.ID, mailing.Counts{Total: 10, Sent: 5, Failed: 5})
			if n := w.queues.size(lettersURL); n != 5 {
				w.t.Errorf("%d dead letters", n)
			}
		}},
	}
	return append(rows, closingRows()...)
}

// closingRows are all ways of ending before all is sent, in all states that a message may
// wait in. Everything is accounted for within two minutes.
func closingRows() []row {
	closing := map[string]struct {
		close func(w *world, id mailing.ID)
		want  mailing.Counts
	}{
		"cancelled": {func(w *world, id mailing.ID) {
			w.update(id, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Cancelled(w.clock.Now()) })
		}, mailing.Counts{Total: 80, Cancelled: 80}},
		"its end": {func(w *world, _ mailing.ID) { w.clock.Advance(24 * time.Hour) }, mailing.Counts{Total: 80, Expired: 80}},
		"paused, then its end": {func(w *world, id mailing.ID) {
			w.must(id, "pause")
			w.clock.Advance(24 * time.Hour)
		}, mailing.Counts{Total: 80, Expired: 80}},
	}
	waiting := map[string]func(w *world) func(*mailing.Draft){
		"queued, and the queue lost": func(*world) func(*mailing.Draft) { return nil },
		"deferred":                   func(*world) func(*mailing.Draft) { return windowed(0, time.Hour) },
		"put off by the provider": func(w *world) func(*mailing.Draft) {
			w.provider.behave(always(mailing.OutcomeThrottled, "http_429"))
			return nil
		},
		"waiting for the end of an outage": func(w *world) func(*mailing.Draft) {
			w.provider.behave(always(mailing.OutcomeMisconfigured, "http_401"))
			return nil
		},
		"not expanded": func(*world) func(*mailing.Draft) { return nil },
	}
	var rows []row
	for how, c := range closing {
		for where, prepare := range waiting {
			rows = append(rows, row{name: how + ", " + where, run: func(w *world) {
				w.clients(80)
				m := w.create(prepare(w))
				w.sweep()
				if where == "not expanded" {
					w.queues.purge(tasksURL)
					w.update(m.ID, func(m mailing.Mailing) (mailing.Mailing, error) {
						started, _ := m.Started(w.clock.Now())
						return started, nil
					})
				} else {
					w.doTasks()
				}
				if where == "put off by the provider" || where == "waiting for the end of an outage" {
					w.drain()
				}
				w.queues.purge(deliveriesURL)
				c.close(w, m.ID)
				w.run(2*time.Minute, w.finished(m.ID))
				w.ends(m.ID, c.want)
				if n := len(w.provider.took()); n != 0 {
					w.t.Errorf("%d handed over", n)
				}
			}})
		}
	}
	return rows
}
