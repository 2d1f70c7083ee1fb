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

// hold is a call at which an invocation stops until it is released, while
// everything else goes on.
type hold struct {
	// call is a part of the name of the call, "" for any; skip is how many such
	// calls are made before it.
	call string
	skip int
	// after: the call has been made, and its answer is not seen yet. A call of the
	// sending API is always held so: what begins late is decided again by whoever
	// connects, and no gate stands there.
	after bool

	clock    func() time.Time
	released chan ending
}

// ending is how a held call ends.
type ending uint8

const (
	// goesOn: it is made, or its answer arrives.
	goesOn ending = iota
	// fails: it is not made, or its answer is lost.
	fails
	// dies: the execution environment is gone.
	dies
)

const (
	// answerTime is how long a sender waits for the sending API.
	answerTime = 10 * time.Second
)

// holds is the hold that a call is to be stopped by, nil for none.
func (w *worker) holds(what string) *hold {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	h := w.hold
	if h == nil || w.isDead() || !strings.Contains(what, h.call) {
		return nil
	}
	if h.skip > 0 {
		h.skip--
		return nil
	}
	w.hold = nil
	h.after = h.after || what == sendCall
	return h
}

// stop waits until a held call is released, and gives the error that it ends
// with, nil if it goes on.
func (w *worker) stop(h *hold, what string) error {
	since := h.clock()
	end := <-h.released
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	w.killed = w.killed || end == dies
	patience := w.patience(what)
	switch {
	case w.isDead():
		return errKilled
	case end == fails || (patience > 0 && h.clock().Sub(since) >= patience):
		return errAccident
	}
	return nil
}

// patience is how long a worker waits for a call, 0 for any time.
func (w *worker) patience(what string) time.Duration {
	if what == sendCall {
		return answerTime
	}
	return 0
}

// held is an invocation that stops at a call, in an execution environment that
// it has for itself.
type held struct {
	what string
	of   *worker
	hold *hold
	done chan struct{}
	// end is how its last call ended that was held.
	end ending
	// returned is what the world makes of what it returned, once it has.
	returned func(h *held)
}

// launch begins an invocation, and returns when it is held or has ended. The
// caller gives the world another environment before. It runs in a bubble of
// testing/synctest, and whatever the invocation does side by side is quiet then.
func (w *world) launch(what string, of *worker, at *hold, invoke func(), returned func(*held)) *held {
	h := &held{what: what, of: of, done: make(chan struct{}), returned: returned}
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

// release lets the held call end, and returns when the invocation is held at the
// next call, if there is one, or has ended.
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

// waitForQuiet returns when every other goroutine of all bubbles of
// testing/synctest is blocked. [synctest.Wait] would wait for ever for one that
// waits for a mutex whose holder is held.
func waitForQuiet() {
	text := make([]byte, 1<<17)
	// Twice in a row: one that waits for the dump itself to be over is blocked in it.
	for quietly := 0; quietly < 2; {
		untilIdle()
		n := runtime.Stack(text, true)
		switch {
		case n == len(text): // it is cut: whoever is not in it may be busy
			text = make([]byte, 2*len(text))
		case quiet(text[:n]):
			quietly++
		default:
			quietly = 0
		}
	}
}

// untilIdle lets the others run until the scheduler counts none that is about to.
// It counts approximately, and so decides nothing: but a dump stops those that
// run, and one after the other would keep them from their work.
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

// quiet reports whether a dump of all goroutines, which stops them all, shows none
// that is not blocked, but for the first, which is the caller. One that helps the
// garbage collector is in no bubble meanwhile, so the others are looked at, too.
func quiet(dump []byte) bool {
	_, dump, _ = bytes.Cut(dump, []byte("\n\n"))
	for each := range bytes.SplitSeq(dump, []byte("\n\n")) {
		head, _, _ := bytes.Cut(each, []byte("\n"))
		_, state, _ := bytes.Cut(head, []byte("["))
		// Whoever begins a garbage collection waits for the dump by a semaphore of the
		// runtime; those of package sync have other names.
		for _, busy := range []string{"running", "runnable", "preempted", "copystack", "GC ", "wait for GC", "garbage", "semacquire", "stop the world", "syscall, synctest"} {
			if bytes.HasPrefix(state, []byte(busy)) {
				return false
			}
		}
	}
	return true
}
