package faults_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
	"postrider/test/invariants"
)

// machineRuns returns the number of runs of the state machine. Over the real DynamoDB
// Local they are a sample.
func machineRuns() int {
	if sampled() {
		return 6
	}
	return 500
}

// TestRandomRunsKeepThePromise is a state machine. It lets users, clocks, queues, the
// sending API and accidents act in any order, and holds invocations at any of their calls
// while everything else goes on. After each step the invariants hold, and in the end each
// message is accounted for.
func TestRandomRunsKeepThePromise(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set(strconv.Itoa(machineRuns())); err != nil {
			t.Fatal(err)
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // otherwise a quarter of the time would be garbage collection
	// One thread: a run is one chain of steps, and handing each step to another thread
	// takes as long as the step.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var all tally
	handlers := []*apiHandler{}
	run := func(rt *rapid.T) {
		m := newMachine(t, rt, &handlers)
		rt.Cleanup(m.abandon)
		m.draft(rt)
		rt.Repeat(m.actions())
		m.end()
		all.add(m)
	}
	rapid.Check(t, func(rt *rapid.T) {
		if dynamotest.Fast {
			rapid.SyncTest(rt, run) // a bubble in which held invocations are blocked
		} else {
			run(rt)
		}
	})
	t.Logf("figure: %s", &all)
	if all.runs >= 500 {
		all.check(t)
	}
}

// machine is a world, and a simple model of the states that it may be in.
type machine struct {
	w *world
	// rejected holds the messages that the sending API has refused for good; tries holds
	// how often each was handed over.
	rejected map[mailing.MessageID]bool
	tries    map[mailing.MessageID]uint64
	// over holds the mailings that were cancelled or deleted.
	over map[mailing.ID]bool
	// held holds the invocations that are held at a call.
	held []*held
	// slices is the number of slices that the clients are in; made is the number of
	// clients that were created.
	slices, made int
	// checked is the number of calls that had been made at the last check.
	checked int

	did tally
}

func newMachine(t *testing.T, rt *rapid.T, handlers *[]*apiHandler) *machine {
	t.Helper()
	m := &machine{
		w: newWorld(t), rejected: map[mailing.MessageID]bool{}, tries: map[mailing.MessageID]uint64{}, over: map[mailing.ID]bool{},
		slices: rapid.IntRange(1, 3).Draw(rt, "slices"), did: tally{runs: 1},
	}
	var cancel context.CancelFunc
	m.w.ctx, cancel = context.WithCancel(context.Background()) // the context must belong to the bubble
	rt.Cleanup(cancel)
	m.w.t, m.w.spareAPIs = rt, handlers
	m.w.restartAPI()
	for range rapid.IntRange(2, 14).Draw(rt, "clients") {
		m.client(rt)
	}
	return m
}

// client creates a client. All clients are in a few slices, so that batches have several
// recipients.
func (m *machine) client(rt *rapid.T) {
	m.made++
	m.w.seed(m.w.clock.Now(), mailing.Client{
		ID:    mailing.ClientID(mailing.Slices*m.made + m.made%m.slices),
		Phone: fmt.Sprintf("7901%07d", m.made), OperatorCode: "901",
		Tag: rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "tag"), Timezone: zone(rt),
	})
}

func zone(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"Europe/Moscow", "Asia/Vladivostok", "UTC"}).Draw(rt, "zone")
}

func (m *machine) actions() map[string]func(*rapid.T) {
	w := m.w
	actions := map[string]func(*rapid.T){
		"create a mailing": m.draft,
		"create a client":  func(rt *rapid.T) { w.clock.Advance(time.Millisecond); m.client(rt) },
		"delete a client":  func(rt *rapid.T) { m.onClient(rt, w.deleteClient) },
		"change a client":  m.retag,
		"pause":            func(rt *rapid.T) { m.act(rt, "pause") },
		"resume":           func(rt *rapid.T) { m.act(rt, "resume") },
		"cancel":           func(rt *rapid.T) { m.act(rt, "cancel") },
		"delete a mailing": func(rt *rapid.T) { m.act(rt, "delete") },
		"retry":            func(rt *rapid.T) { m.act(rt, retry(rt)) },
		"edit the end":     m.editEnd,
		"edit the window":  m.editWindow,
		"send a test":      m.test,
		"redrive":          func(*rapid.T) { w.call(http.MethodPost, "/api/queues/dead-letters/redrive", ""); w.rememberAll() },
		"process":          func(*rapid.T) { w.call(http.MethodPost, "/api/mailings/process", "") },
		"sweep":            func(*rapid.T) { w.sweep() },
		"do tasks":         func(*rapid.T) { w.doSome(tasksURL) },
		"deliver":          m.deliver,
		"deliver more":     m.deliver,
		"in the middle":    m.inTheMiddle,
		"a moment passes": func(rt *rapid.T) {
			w.clock.Advance(time.Duration(rapid.IntRange(1, 5000).Draw(rt, "ms")) * time.Millisecond)
		},
		"hours pass": func(rt *rapid.T) {
			w.clock.Advance(time.Duration(rapid.IntRange(1, 300).Draw(rt, "min")) * time.Minute)
		},
		"a minute's work":     func(*rapid.T) { w.step() },
		"deliveries repeat":   func(rt *rapid.T) { w.queues.repeat(deliveriesURL, shuffling(rt)) },
		"tasks repeat":        func(rt *rapid.T) { w.queues.repeat(tasksURL, shuffling(rt)) },
		"deliveries are lost": func(*rapid.T) { w.queues.purge(deliveriesURL) },
		"tasks are lost":      func(*rapid.T) { w.queues.purge(tasksURL) },
		"a behaviour":         m.behaviour,
		"an accident":         m.accident,
		"a new environment":   func(*rapid.T) { w.restart() },
	}
	if dynamotest.Fast {
		m.holding(actions)
	}
	actions[""] = func(*rapid.T) {
		m.did.steps++
		m.check()
	}
	return actions
}

// check checks the invariants if a call was made since the last check.
func (m *machine) check() {
	if n := m.w.gate.made(); n != m.checked {
		m.checked = n
		m.observe()
		r := m.w.records()
		m.w.checkRecords(r)
		m.w.checkCharges(r)
	}
}

// observe records all changes of the mailings.
func (m *machine) observe() {
	m.w.rememberAll()
	for id, states := range m.w.history {
		last := states[len(states)-1].Mailing
		m.over[id] = m.over[id] || last.Deleted || last.Status == mailing.StatusCancelled
	}
}

// shuffling returns a function that shuffles in a drawn order.
func shuffling(rt *rapid.T) func(n int, swap func(i, j int)) {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "order"), 0)).Shuffle
}

// deliver invokes a sender with a few deliveries.
func (m *machine) deliver(rt *rapid.T) {
	n := rapid.IntRange(1, 10).Draw(rt, "deliveries")
	if some := m.w.queues.receive(deliveriesURL, n); len(some) > 0 {
		m.w.do(deliveriesURL, some)
	}
}

// inTheMiddle runs a mailing until its batches wait in the queue, and then applies a
// drawn action to it.
func (m *machine) inTheMiddle(rt *rapid.T) {
	m.draft(rt)
	m.w.sweep()
	m.w.doTasks()
	m.act(rt, rapid.SampledFrom([]string{"pause", "pause", "cancel", "delete", "retry"}).Draw(rt, "action"))
	m.w.clock.Advance(time.Duration(rapid.IntRange(0, 10).Draw(rt, "s")) * time.Second)
	m.deliver(rt)
}

func (m *machine) draft(rt *rapid.T) {
	now := m.w.clock.Now()
	m.w.create(func(d *mailing.Draft) {
		d.StartAt = now.Add(time.Duration(max(0, rapid.IntRange(-60, 60).Draw(rt, "start"))) * time.Minute)
		last := d.StartAt
		if last.Before(now) {
			last = now
		}
		d.EndAt = last.Add(time.Duration(rapid.IntRange(1, 600).Draw(rt, "length")) * time.Minute)
		d.OnUncertain = rapid.SampledFrom([]mailing.OnUncertain{mailing.Resend, mailing.Stop}).Draw(rt, "on uncertain")
		d.Filter.Tags = rapid.SampledFrom([][]string{nil, nil, {"a"}, {"a", "b"}}).Draw(rt, "tags")
		d.Window = m.window(rt)
	})
}

func (m *machine) window(rt *rapid.T) *mailing.Window {
	if rapid.IntRange(1, 3).Draw(rt, "any time") > 1 {
		return nil
	}
	from := rapid.IntRange(0, 23).Draw(rt, "from")
	to := (from + rapid.IntRange(1, 23).Draw(rt, "hours")) % 24
	return &mailing.Window{From: mailing.ClockTime(time.Duration(from) * time.Hour), To: mailing.ClockTime(time.Duration(to) * time.Hour)}
}

func (m *machine) onClient(rt *rapid.T, do func(mailing.ClientID)) {
	var ids []mailing.ClientID
	for id, p := range m.w.audience {
		if p.DeletedAt.IsZero() {
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		slices.SortFunc(ids, func(a, b mailing.ClientID) int {
			return len(m.w.audience[a].Phone) - len(m.w.audience[b].Phone) + slices.Compare([]byte(m.w.audience[a].Phone), []byte(m.w.audience[b].Phone))
		})
		do(rapid.SampledFrom(ids).Draw(rt, "client"))
	}
}

func (m *machine) retag(rt *rapid.T) {
	m.onClient(rt, func(id mailing.ClientID) {
		tag := rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "tag")
		zone := zone(rt)
		m.w.changeClient(id, func(c *mailing.Client) { c.Tag, c.Timezone = tag, zone })
	})
}

func (m *machine) any(rt *rapid.T) mailing.ID {
	ids := make([]mailing.ID, 0, len(m.w.history))
	for id := range m.w.history {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return rapid.SampledFrom(ids).Draw(rt, "mailing")
}

// act requests an action, and compares the answer with the model's prediction for a
// mailing in this state.
func (m *machine) act(rt *rapid.T, action string) {
	id := m.any(rt)
	before, now := m.w.mailing(id), m.w.clock.Now()
	want := predicted(before, action, now)
	got := m.w.act(id, action)
	if got != want && got < 500 {
		rt.Errorf("%s of a %s mailing (deleted %t): status %d, want %d", action, before.Status, before.Deleted, got, want)
	}
	if got >= 500 && !m.w.gate.hasHappened() {
		rt.Errorf("%s: status %d", action, got)
	}
	m.observe()
}

func predicted(m mailing.Mailing, action string, now time.Time) int {
	ended := !now.Before(m.EndAt)
	var ok bool
	switch {
	case m.Deleted:
		return http.StatusNotFound
	case action == "delete":
		return http.StatusNoContent
	case action == "pause":
		ok = m.Status == mailing.StatusRunning || m.Status == mailing.StatusPaused
	case action == "resume":
		ok = m.Status == mailing.StatusRunning || m.Status == mailing.StatusPaused && !ended
	case action == "cancel":
		ok = m.Status != mailing.StatusCompleted
	case action == "retry" || action == retryOfFailed:
		ok = retryable(m, now) || m.Status == mailing.StatusCompleted && m.Counts.Failed == 0
	case action == retryOfUncertain:
		nothing := m.Status == mailing.StatusCompleted && m.Counts.Failed+m.Counts.Uncertain == 0
		ok = m.OnUncertain != mailing.Stop && (retryable(m, now) || nothing)
	default: // an edit that is valid in itself
		ok = m.Status != mailing.StatusCompleted && m.Status != mailing.StatusCancelled
	}
	if !ok {
		return http.StatusConflict
	}
	return http.StatusOK
}

// The retries that name their statuses.
const (
	retryOfFailed    = `retry {"statuses": ["failed"]}`
	retryOfUncertain = `retry {"statuses": ["failed", "uncertain"]}`
)

// retryable reports whether messages of a mailing may be tried again.
func retryable(m mailing.Mailing, now time.Time) bool {
	return now.Before(m.EndAt) &&
		(m.Status == mailing.StatusRunning || m.Status == mailing.StatusPaused || m.Status == mailing.StatusCompleted)
}

// retry draws a retry; some of them name the statuses to try again.
func retry(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"retry", retryOfFailed, retryOfUncertain}).Draw(rt, "retry")
}

func (m *machine) editEnd(rt *rapid.T) {
	id, end := m.any(rt), m.soon(rt)
	if end.After(m.w.mailing(id).StartAt) {
		m.edit(rt, id, endFields(end))
	}
}

// soon draws an end that a mailing may be given.
func (m *machine) soon(rt *rapid.T) time.Time {
	return m.w.clock.Now().Add(time.Duration(rapid.IntRange(1, 600).Draw(rt, "length")) * time.Minute)
}

// endFields returns the body of an edit of the end.
func endFields(end time.Time) string {
	return fmt.Sprintf(`{"end_at": %q}`, end.Format(time.RFC3339Nano))
}

func (m *machine) editWindow(rt *rapid.T) { m.edit(rt, m.any(rt), windowFields(m.window(rt))) }

// windowFields returns the body of an edit of the window.
func windowFields(w *mailing.Window) string {
	if w == nil {
		return `{"window": null}`
	}
	return fmt.Sprintf(`{"window": {"from": %q, "to": %q}}`, w.From, w.To)
}

func (m *machine) edit(rt *rapid.T, id mailing.ID, fields string) {
	before := m.w.mailing(id)
	want := predicted(before, "edit", m.w.clock.Now())
	if got := m.w.act(id, fields); got != want && got < 500 {
		rt.Errorf("%s of a %s mailing: status %d, want %d", fields, before.Status, got, want)
	}
	m.w.rememberAll()
}

func (m *machine) test(rt *rapid.T) {
	id := m.any(rt)
	m.w.call(http.MethodPost, fmt.Sprintf("/api/mailings/%d/test", id), `{"phone": "79995550000"}`)
}

// behaviour changes the behaviour of the sending API.
func (m *machine) behaviour(rt *rapid.T) {
	shares := map[mailing.OutcomeKind]int{}
	for _, kind := range []mailing.OutcomeKind{
		mailing.OutcomeRejected, mailing.OutcomeRetry, mailing.OutcomeAmbiguous, mailing.OutcomeThrottled, mailing.OutcomeMisconfigured,
	} {
		shares[kind] = rapid.SampledFrom([]int{0, 0, 0, 20, 100}).Draw(rt, kind.String())
	}
	seed := rapid.Uint64().Draw(rt, "seed")
	m.w.provider.behave(func(h mailing.Handover) (mailing.Outcome, bool) {
		// The outcome depends on the message and the try only, so it is the same in any
		// order of calls.
		m.tries[h.ID]++
		random := rand.New(rand.NewPCG(seed, uint64(h.ID)<<8+m.tries[h.ID]))
		for _, kind := range []mailing.OutcomeKind{
			mailing.OutcomeMisconfigured, mailing.OutcomeThrottled, mailing.OutcomeAmbiguous, mailing.OutcomeRetry, mailing.OutcomeRejected,
		} {
			if random.IntN(100) >= shares[kind] {
				continue
			}
			m.rejected[h.ID] = m.rejected[h.ID] || kind == mailing.OutcomeRejected
			return mailing.Outcome{Kind: kind, Code: "drawn", RetryAfter: 30 * time.Second}, kind == mailing.OutcomeAmbiguous && random.IntN(2) == 0
		}
		return mailing.Outcome{Kind: mailing.OutcomeSent}, true
	})
}

// accident lets an accident happen to one of the next calls.
func (m *machine) accident(rt *rapid.T) {
	kind := rapid.SampledFrom([]accident{refused, unanswered, killedBefore, killedAfter}).Draw(rt, "kind")
	in := rapid.IntRange(1, 60).Draw(rt, "in")
	g := m.w.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	// From now on errors are expected.
	g.at, g.kind, g.happened = len(g.calls)+in, kind, false
	m.w.troubled = true
}

// end removes all trouble, waits until everything is accounted for, and then demands a
// reason for the status of each message.
func (m *machine) end() {
	w := m.w
	w.gate.disarm()
	w.provider.behave(nil)
	for len(m.held) > 0 {
		m.free(0, goesOn, nil)
	}
	m.observe()
	for id := range w.history {
		if got := w.mailing(id); got.Status == mailing.StatusPaused && w.clock.Now().Before(got.EndAt) {
			w.must(id, "resume")
		}
	}
	w.rule = 20 * time.Minute // thirty hours with a sweep each minute would be most of the test's time
	w.run(30*time.Hour, func() bool {
		live, err := w.store.Live(w.ctx)
		return err == nil && len(live) == 0
	})
	w.run(20*time.Minute, nil) // test messages need their time, too
	r := w.records()
	w.checkRecords(r)
	w.checkCharges(r)
	for id := range r.Mailings {
		for _, rec := range r.Mailings[id].Recipients() {
			if missing := m.unexplained(id, rec); missing != "" {
				w.t.Errorf("client %d of mailing %d is %s: %s", rec.Client, id, rec.Status, missing)
			}
		}
	}
}

// ended reports whether a mailing's end had come at an instant, or was less than the
// second away that a hand-over is given. An end that was put off later counts, too.
func (m *machine) ended(id mailing.ID, at time.Time) bool {
	return slices.ContainsFunc(m.w.history[id], func(s invariants.State) bool { return !at.Before(s.Mailing.EndAt.Add(-time.Second)) })
}

// unexplained returns the missing reason for a message's status, "" if nothing is
// missing.
func (m *machine) unexplained(id mailing.ID, rec mailing.Recipient) string {
	msg := mailing.NewMessageID(id, rec.Client)
	ok, missing := true, ""
	switch rec.Status {
	case mailing.Queued, mailing.Retrying, mailing.Deferred, mailing.Sending:
		ok, missing = false, "it is pending in the end"
	case mailing.Sent:
	case mailing.Failed:
		ok, missing = m.rejected[msg] || rec.Attempts >= mailing.MaxAttempts, "it was never refused"
	case mailing.Expired:
		ok, missing = id == mailing.TestMailing || m.ended(id, rec.At), "the end has not come"
	case mailing.Cancelled:
		ok, missing = id == mailing.TestMailing || m.over[id] || m.w.mailing(id).Status == mailing.StatusCancelled, "no request cancelled it"
	case mailing.Skipped:
		ok, missing = !m.w.audience[rec.Client].DeletedAt.IsZero(), "its client is not deleted"
	case mailing.Uncertain:
		ok, missing = rec.Uncertain > 0, "it has no uncertain attempt"
	}
	if ok {
		return ""
	}
	return missing
}
