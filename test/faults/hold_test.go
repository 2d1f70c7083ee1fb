package faults_test

import (
	"bytes"
	"runtime"
	"runtime/metrics"
	"strings"
	"time"
)

// Names of calls.
const (
	// sendCall is a call of the sending API.
	sendCall = "send"
	// readsClients is a read of clients.
	readsClients = "BatchGetItem of clients"
)

// hold is a call at which an invocation stops until it is released, while everything else
// goes on.
type hold struct {
	// call is a part of the name of the call, "" for any; skip is how many such calls are
	// made before it.
	call string
	skip int
	// after: the call has been made, and its answer has not arrived yet. A call of the
	// sending API is always held in this way: the client of the API decides when it
	// connects whether it is too late to begin, and no gate stands there.
	after bool

	clock    func() time.Time
	released chan ending
}

// ending is how a held call ends.
type ending uint8

const (
	// goesOn: the call is made, or its answer arrives.
	goesOn ending = iota
	// fails: the call is not made, or its answer is lost.
	fails
	// dies: the execution environment is gone.
	dies
)

const (
	// answerTime is how long a sender waits for the sending API.
	answerTime = 10 * time.Second
)

// holds returns the hold that stops a call, nil for none.
func (w *worker) holds(call string) *hold {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	h := w.hold
	if h == nil || w.isDead() || !strings.Contains(call, h.call) {
		return nil
	}
	if h.skip > 0 {
		h.skip--
		return nil
	}
	w.hold = nil
	h.after = h.after || call == sendCall
	return h
}

// stop waits until a held call is released, and returns the error of the call, nil if it
// goes on.
func (w *worker) stop(h *hold, call string) error {
	since := h.clock()
	end := <-h.released
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	w.killed = w.killed || end == dies
	limit := w.answerLimit(call)
	switch {
	case w.isDead():
		return errKilled
	case end == fails || (limit > 0 && h.clock().Sub(since) >= limit):
		return errAccident
	}
	return nil
}

// answerLimit returns how long a worker waits for a call, 0 for no limit.
func (w *worker) answerLimit(call string) time.Duration {
	if call == sendCall {
		return answerTime
	}
	return 0
}

// held is an invocation that stops at a call. It has its own execution environment.
type held struct {
	name string
	of   *worker
	hold *hold
	done chan struct{}
	// end is how its last held call ended.
	end ending
	// returned handles the invocation's result once it has returned.
	returned func(h *held)
}

// launch begins an invocation, and returns when it is held or has ended. The caller gives
// the world another environment before. launch needs a bubble of testing/synctest. When
// it returns, all goroutines of the invocation are blocked.
func (w *world) launch(name string, of *worker, at *hold, invoke func(), returned func(*held)) *held {
	h := &held{name: name, of: of, done: make(chan struct{}), returned: returned}
	h.stopAt(w, at)
	go func() {
		defer close(h.done)
		invoke()
	}()
	waitForQuiet()
	return h
}

func (h *held) stopAt(w *world, at *hold) {
	h.hold = at
	if at != nil {
		at.clock, at.released = w.clock.Now, make(chan ending, 1)
	}
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	h.of.hold = at
}

// release lets the held call end. It returns when the invocation is held at the next
// call, if there is one, or has ended.
func (h *held) release(w *world, end ending, next *hold) {
	last := h.hold
	h.end = end
	h.stopAt(w, next)
	last.released <- end
	waitForQuiet()
}

// over reports whether the invocation has ended.
func (h *held) over() bool {
	select {
	case <-h.done:
		return true
	default:
		return false
	}
}

// renew gives a new environment to each function whose environment is dead.
func (w *world) renew() {
	if w.apiWorker.dead() {
		w.restartAPI()
	}
	if w.schedulerWorker.dead() {
		w.restartScheduler()
	}
	if w.senderWorker.dead() {
		w.restartSender()
	}
}

// waitForQuiet returns when every other goroutine of all bubbles of testing/synctest is
// blocked. [synctest.Wait] does not fit: it waits for ever for a goroutine that waits for
// a mutex whose holder is held.
func waitForQuiet() {
	text := make([]byte, 1<<17)
	// Twice in a row: a goroutine that waits for the end of the dump is shown as blocked
	// in it.
	for quietly := 0; quietly < 2; {
		untilIdle()
		n := runtime.Stack(text, true)
		switch {
		case n == len(text): // the dump is cut: goroutines that it lacks may be busy
			text = make([]byte, 2*len(text))
		case quiet(text[:n]):
			quietly++
		default:
			quietly = 0
		}
	}
}

// untilIdle lets other goroutines run until the scheduler counts none that runs or is
// runnable. The count is approximate, so it decides nothing. But each dump stops all
// running goroutines, and one dump after the other would keep them from their work.
func untilIdle() {
	counts := []metrics.Sample{
		{Name: "/sched/goroutines/running:goroutines"}, // the caller is one
		{Name: "/sched/goroutines/runnable:goroutines"},
	}
	for range 10 {
		runtime.Gosched()
	}
	for metrics.Read(counts); counts[0].Value.Uint64()+counts[1].Value.Uint64() > 1; metrics.Read(counts) {
		runtime.Gosched()
	}
}

// quiet reports whether all goroutines in a dump are blocked. The first one is the
// caller, and is not counted. Making the dump stops all of them. A goroutine that helps
// the garbage collector belongs to no bubble during that time, so goroutines outside of
// bubbles are checked, too.
func quiet(dump []byte) bool {
	_, dump, _ = bytes.Cut(dump, []byte("\n\n"))
	for each := range bytes.SplitSeq(dump, []byte("\n\n")) {
		head, _, _ := bytes.Cut(each, []byte("\n"))
		_, state, _ := bytes.Cut(head, []byte("["))
		// A goroutine that begins a garbage collection waits for the dump by a semaphore
		// of the runtime; the semaphores of package sync have other names.
		for _, busy := range []string{"running", "runnable", "preempted", "copystack", "GC ", "wait for GC", "garbage", "semacquire", "stop the world", "syscall, synctest"} {
			if bytes.HasPrefix(state, []byte(busy)) {
				return false
			}
		}
	}
	return true
}
