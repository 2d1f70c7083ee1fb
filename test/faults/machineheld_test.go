package faults_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"

	"postrider/internal/mailing"
)

// maxHeld is the largest number of invocations that are held at once.
const maxHeld = 3

// Calls at which invocations are held; "" is any call.
var (
	sweepCalls    = []string{"", "Query", "BatchGetItem", "TransactWriteItems", "SendMessageBatch"}
	taskCalls     = []string{"", "GetItem", "Query", "UpdateItem", "TransactWriteItems", "TransactWriteItems", "SendMessageBatch"}
	deliveryCalls = []string{"", "UpdateItem", "BatchGetItem", sendCall, sendCall, "TransactWriteItems", "TransactWriteItems", "SendMessageBatch"}
	requestCalls  = []string{"", "GetItem", "TransactWriteItems", "SendMessageBatch"}
)

// holding adds the actions that hold invocations at a call, and release them.
func (m *machine) holding(actions map[string]func(*rapid.T)) {
	for name, action := range map[string]func(*rapid.T){
		"hold a sweep":                m.holdSweep,
		"hold tasks":                  func(rt *rapid.T) { m.holdQueue(rt, tasksURL, drawn(rt, taskCalls)) },
		"hold more tasks":             func(rt *rapid.T) { m.holdQueue(rt, tasksURL, drawn(rt, taskCalls)) },
		"hold deliveries":             func(rt *rapid.T) { m.holdQueue(rt, deliveriesURL, drawn(rt, deliveryCalls)) },
		"hold more deliveries":        func(rt *rapid.T) { m.holdQueue(rt, deliveriesURL, drawn(rt, deliveryCalls)) },
		"hold a request":              m.holdRequest,
		"release":                     m.release,
		"release more":                m.release,
		"release one after its lease": m.releaseLate,
		"a retry is overtaken":        m.overtaken,
		"a mixed batch is lost":       m.mixedLost,
		"a lost batch is lost again":  m.lostAgain,
	} {
		actions[name] = action
	}
}

// drawn draws a hold at one of some calls.
func drawn(rt *rapid.T, calls []string) *hold {
	h := &hold{call: rapid.SampledFrom(calls).Draw(rt, "call"), after: rapid.Bool().Draw(rt, "after")}
	most := 3
	if h.call == "" {
		most = 30
	}
	h.skip = rapid.IntRange(0, most).Draw(rt, "skip")
	return h
}

// keep handles an invocation that has been launched: it records one that is held, and
// handles the result of one that has ended.
func (m *machine) keep(h *held) {
	if h.over() {
		m.returned(h)
		return
	}
	m.did.held++
	m.did.stops++
	m.held = append(m.held, h)
}

// returned handles the result of an invocation as its caller would.
func (m *machine) returned(h *held) {
	h.stopAt(m.w, nil) // it may have ended before it came to that call
	h.returned(h)
	m.w.renew()
	m.observe()
}

// free releases an invocation. It is held at another call if next is not nil.
func (m *machine) free(i int, end ending, next *hold) {
	h := m.held[i]
	switch end {
	case fails:
		m.did.failed++
		m.w.troubled = true
	case dies:
		m.did.died++
	case goesOn:
	}
	h.release(m.w, end, next)
	if h.over() {
		m.held = slices.Delete(m.held, i, i+1)
		m.returned(h)
		return
	}
	m.did.stops++
	m.w.renew()
}

// abandon ends all held invocations after a run, whether or not the run succeeded.
func (m *machine) abandon() {
	m.w.spare(m.w.api)
	for _, h := range m.held {
		h.release(m.w, dies, nil)
		<-h.done
	}
}

// room reports whether one more invocation can be held.
func (m *machine) room() bool { return len(m.held) < maxHeld }

func (m *machine) release(rt *rapid.T) {
	if len(m.held) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.held)-1).Draw(rt, "held")
	end := rapid.SampledFrom([]ending{goesOn, goesOn, goesOn, fails, dies}).Draw(rt, "end")
	var next *hold
	if skip := rapid.IntRange(-3, 5).Draw(rt, "next"); skip >= 0 {
		next = &hold{skip: skip, after: rapid.Bool().Draw(rt, "after")}
	}
	m.free(i, end, next)
}

// releaseLate releases an invocation after its leases have ended.
func (m *machine) releaseLate(rt *rapid.T) {
	if len(m.held) > 0 {
		m.w.clock.Advance(40 * time.Second)
		m.release(rt)
	}
}

func (m *machine) holdSweep(rt *rapid.T) {
	if !m.room() {
		return
	}
	w := m.w
	of, sweep, ctx := w.schedulerWorker, w.scheduler, w.ctx
	w.restartScheduler()
	var err error
	m.keep(w.launch("a sweep", of, drawn(rt, sweepCalls), func() {
		_, err = sweep(ctx, json.RawMessage(`{"detail-type": "Scheduled Event"}`))
	}, func(*held) {
		if err != nil && !of.dead() && !w.gate.hasHappened() && !w.troubled {
			w.t.Errorf("a held sweep: %v", err)
		}
		if !of.dead() {
			w.schedulerWorker, w.scheduler = of, sweep
		}
	}))
}

// holdQueue launches the worker of a queue with a few messages, and holds it.
func (m *machine) holdQueue(rt *rapid.T, url string, at *hold) {
	n := rapid.IntRange(1, 10).Draw(rt, "messages")
	if !m.room() {
		return
	}
	if some := m.w.queues.receive(url, n); len(some) > 0 {
		m.hold(url, some, at)
	}
}

func (m *machine) hold(url string, some []*message, at *hold) {
	w := m.w
	of, work := w.worksOn(url)
	scheduler, sender := w.scheduler, w.sender
	if url == tasksURL {
		w.restartScheduler()
	} else {
		w.restartSender()
	}
	var (
		response events.SQSEventResponse
		err      error
	)
	m.keep(w.launch("work on "+url, of, at, func() { response, err = work(some) }, func(*held) {
		if of.dead() {
			return // its messages are visible again when their visibility timeout ends
		}
		w.settled(url, of, some, response, err)
		// The environment is warm, and the next invocation may use it.
		if url == tasksURL {
			w.schedulerWorker, w.scheduler = of, scheduler
		} else {
			w.senderWorker, w.sender = of, sender
		}
	}))
}

func (m *machine) holdRequest(rt *rapid.T) {
	action := rapid.SampledFrom([]string{"retry", "retry", "cancel", "delete", "pause", "resume", "window", "end", "redrive", "process"}).Draw(rt, "action")
	id, at := m.any(rt), drawn(rt, requestCalls)
	var method, path, body string
	switch action {
	case "redrive":
		method, path = http.MethodPost, "/api/queues/dead-letters/redrive"
	case "process":
		method, path = http.MethodPost, "/api/mailings/process"
	case "window":
		method, path, body = asked(id, windowFields(m.window(rt)))
	case "end":
		method, path, body = asked(id, endFields(m.soon(rt)))
	case "retry":
		method, path, body = asked(id, retry(rt))
	default:
		method, path, body = asked(id, action)
	}
	if !m.room() {
		return
	}
	w := m.w
	of, handler, r, answer := w.apiWorker, w.api, w.request(method, path, body), httptest.NewRecorder()
	w.api = nil // this handler is in use, so it must not become a spare one
	w.restartAPI()
	m.keep(w.launch(action, of, at, func() { handler.ServeHTTP(answer, r) }, func(*held) {
		if answer.Code >= 500 && !of.dead() && !w.gate.hasHappened() && !w.troubled {
			w.t.Errorf("a held %s: status %d", action, answer.Code)
		}
		w.spare(handler)
	}))
}

// overtaken lets a held task try failures again, while their mailing ends and is
// finished.
func (m *machine) overtaken(rt *rapid.T) {
	w := m.w
	if !m.room() {
		return
	}
	w.provider.behave(func(h mailing.Handover) (mailing.Outcome, bool) {
		m.rejected[h.ID] = true
		return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}, false
	})
	d := w.create(func(d *mailing.Draft) { d.EndAt = d.StartAt.Add(10 * time.Minute) })
	w.sweep()
	w.drain()
	w.provider.behave(nil)
	w.clock.Advance(time.Second)
	if w.act(d.ID, "retry") >= 300 {
		return
	}
	at := drawn(rt, []string{"Query", "TransactWriteItems", "UpdateItem"})
	if some := w.queues.receive(tasksURL, 10); len(some) > 0 {
		m.hold(tasksURL, some, at)
	}
	switch how := rapid.SampledFrom([]string{"cancel", "delete", "end"}).Draw(rt, "how"); how {
	case "end":
		w.clock.AdvanceTo(d.EndAt)
	default:
		w.act(d.ID, how)
	}
	w.sweep()
	w.drain()
	m.observe()
}

// mixedLost lets a batch be claimed while the window is closed for some of its recipients
// and open for others, and holds its sender.
func (m *machine) mixedLost(rt *rapid.T) {
	w := m.w
	if !m.room() {
		return
	}
	now := w.clock.Now()
	d := w.create(func(d *mailing.Draft) {
		d.EndAt = now.Add(10 * time.Hour)
		d.OnUncertain = rapid.SampledFrom([]mailing.OnUncertain{mailing.Resend, mailing.Stop}).Draw(rt, "on uncertain")
	})
	w.sweep()
	w.doTasks()
	// The window is open in Moscow, and closed in Vladivostok.
	moscow := now.UTC().Hour() + 3
	w.act(d.ID, windowFields(&mailing.Window{From: oClock(moscow - 2), To: oClock(moscow + 3)}))
	w.clock.Advance(time.Duration(rapid.IntRange(0, 10).Draw(rt, "s")) * time.Second)
	m.holdQueue(rt, deliveriesURL, drawn(rt, []string{"BatchGetItem", sendCall, "TransactWriteItems"}))
	m.observe()
}

// lostAgain holds a sender until its lease has ended, and then holds the next sender of
// the same batch.
func (m *machine) lostAgain(rt *rapid.T) {
	w := m.w
	if !m.room() {
		return
	}
	m.draft(rt)
	w.sweep()
	w.doTasks()
	calls := []string{sendCall, sendCall, "TransactWriteItems"}
	m.holdQueue(rt, deliveriesURL, drawn(rt, calls))
	w.clock.Advance(time.Duration(rapid.IntRange(30, 60).Draw(rt, "s")) * time.Second)
	w.sweep()
	w.doTasks()
	m.holdQueue(rt, deliveriesURL, drawn(rt, calls))
	m.observe()
}

// oClock returns a full hour of any day.
func oClock(hour int) mailing.ClockTime {
	return mailing.ClockTime(time.Duration((hour+24)%24) * time.Hour)
}
