package deliver

import (
	"context"
	"sync"
)

// coalescer combines calls of [coalescer.do] that have the same key and come at about the
// same time: they share one run. So batches that finish side by side cost one transaction.
// No batch waits long for a batch that is still in progress. A caller that comes during a
// run of its key joins the next run. A coalescer is safe for concurrent use.
type coalescer[K comparable, T any] struct {
	mu sync.Mutex
	// running holds, for each key, the group whose run is in progress and not released.
	// forming holds the group of the next run.
	running, forming map[K]*group[T]
	// expected counts the announced callers of each key that have not come yet.
	expected map[K]int
}

// group is the set of callers that share one run.
type group[T any] struct {
	all []T
	// full ends when no other caller of the key is expected: setFull ends it.
	full    context.Context
	setFull context.CancelFunc
	// released is closed when the next group may begin its run. done is closed when this
	// group's run has returned.
	released, done chan struct{}
}

func newCoalescer[K comparable, T any]() *coalescer[K, T] {
	return &coalescer[K, T]{running: map[K]*group[T]{}, forming: map[K]*group[T]{}, expected: map[K]int{}}
}

// expect announces a caller of key, which later calls do or withdraw.
func (c *coalescer[K, T]) expect(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expected[key]++
}

// withdraw takes the announcement of a caller back.
func (c *coalescer[K, T]) withdraw(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrived(key)
}

// arrived counts one expected caller less, and ends full if that was the last one. If no
// caller was announced, a group is full when its first caller comes. The caller holds
// c.mu.
func (c *coalescer[K, T]) arrived(key K) {
	if c.expected[key]--; c.expected[key] > 0 {
		return
	}
	delete(c.expected, key)
	if next := c.forming[key]; next != nil {
		next.setFull()
	}
}

// do calls run with one and the values of the other callers of its group, and returns when
// run has returned. The first caller of a group leads it. The leader calls wait, which may
// wait for other callers until full ends. Then the leader waits for the previous run of
// the key, and calls run. run may call release to let the next group of the key begin
// before run returns.
func (c *coalescer[K, T]) do(key K, one T, wait func(full context.Context), run func(all []T, release func())) {
	c.mu.Lock()
	mine, previous := c.forming[key], c.running[key]
	leads := mine == nil
	if leads {
		mine = &group[T]{released: make(chan struct{}), done: make(chan struct{})}
		mine.full, mine.setFull = context.WithCancel(context.Background())
		defer mine.setFull()
		c.forming[key] = mine
	}
	mine.all = append(mine.all, one)
	c.arrived(key)
	c.mu.Unlock()
	if !leads {
		<-mine.done
		return
	}
	wait(mine.full)
	// Runs of one key at the same time could conflict, as two settlements of one slice do.
	if previous != nil {
		<-previous.released
	}
	c.mu.Lock()
	delete(c.forming, key)
	c.running[key] = mine
	c.mu.Unlock()
	release := sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.running[key] == mine {
			delete(c.running, key)
		}
		close(mine.released)
	})
	// Deferred calls also run when run panics: no caller waits forever.
	defer close(mine.done)
	defer release()
	run(mine.all, release)
}
