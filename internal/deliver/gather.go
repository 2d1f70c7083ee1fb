package deliver

import "sync"

// gather lets calls for the same key that come at about the same time share one call.
// So batches that finish side by side cost one transaction, and none waits long for a
// batch that is not done. A caller that comes while a call of its key is running joins
// the next one. It is safe for concurrent use.
type gather[K comparable, T any] struct {
	mu sync.Mutex
	// running holds each key's group under way, forming the group that comes next.
	running, forming map[K]*group[T]
	// expected counts the announced callers of each key that have not come yet.
	expected map[K]int
}

// group is the callers that share one call.
type group[T any] struct {
	all []T
	// full is closed when no other caller of the key is expected; freed is closed when
	// the next group may begin; done is closed when this group's call has returned.
	full, freed, done chan struct{}
	isFull            func() // closes full, once
}

func newGather[K comparable, T any]() *gather[K, T] {
	return &gather[K, T]{running: map[K]*group[T]{}, forming: map[K]*group[T]{}, expected: map[K]int{}}
}

// expect announces a caller of key, which later calls do or leave.
func (g *gather[K, T]) expect(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expected[key]++
}

// leave withdraws the announcement of a caller that does not come.
func (g *gather[K, T]) leave(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.came(key)
}

// came counts one expected caller less, and closes full if that was the last one.
// Without announcements, a group is full with its first caller. The caller holds g.mu.
func (g *gather[K, T]) came(key K) {
	if g.expected[key]--; g.expected[key] > 0 {
		return
	}
	delete(g.expected, key)
	if next := g.forming[key]; next != nil {
		next.isFull()
	}
}

// do calls run for one, alone or together with other callers of key, and returns when
// that run has returned. The first caller of a group leads it: it calls linger, which
// may wait for other callers, at most until full is closed, and then run. run may call
// free to let the next group of the key begin before run returns.
func (g *gather[K, T]) do(key K, one T, linger func(full <-chan struct{}), run func(all []T, free func())) {
	g.mu.Lock()
	mine, before := g.forming[key], g.running[key]
	leads := mine == nil
	if leads {
		mine = &group[T]{full: make(chan struct{}), freed: make(chan struct{}), done: make(chan struct{})}
		mine.isFull = sync.OnceFunc(func() { close(mine.full) })
		g.forming[key] = mine
	}
	mine.all = append(mine.all, one)
	g.came(key)
	g.mu.Unlock()
	if !leads {
		<-mine.done
		return
	}
	linger(mine.full)
	// Two settlements of one slice at the same time would conflict.
	if before != nil {
		<-before.freed
	}
	g.mu.Lock()
	delete(g.forming, key)
	g.running[key] = mine
	g.mu.Unlock()
	free := sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.running[key] == mine {
			delete(g.running, key)
		}
		close(mine.freed)
	})
	// Deferred calls also run when run panics: no caller waits forever.
	defer close(mine.done)
	defer free()
	run(mine.all, free)
}
