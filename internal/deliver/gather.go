package deliver

import "sync"

// gather lets calls for the same key that come about the same time share one. So
// batches that finish side by side cost one transaction, and none waits long for a
// batch that is not done. A call that comes while one of its key is under way waits
// for the next one.
type gather[K comparable, T any] struct {
	mu sync.Mutex
	// running is the group under way of each key, forming the one that comes next.
	running, forming map[K]*group[T]
	// expected is how many callers are still to come.
	expected map[K]int
}

// group is the callers that share one call.
type group[T any] struct {
	all []T
	// full is closed when no other caller of the key is expected, freed when the
	// next group may begin, done when this one is done.
	full, freed, done chan struct{}
	isFull            func() // closes full, once
}

func newGather[K comparable, T any]() *gather[K, T] {
	return &gather[K, T]{running: map[K]*group[T]{}, forming: map[K]*group[T]{}, expected: map[K]int{}}
}

// expect announces a caller: it comes, or it leaves.
func (g *gather[K, T]) expect(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expected[key]++
}

// leave notes that a caller that was expected does not come.
func (g *gather[K, T]) leave(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.came(key)
}

// came notes that one caller less is expected. The lock is held.
func (g *gather[K, T]) came(key K) {
	if g.expected[key]--; g.expected[key] > 0 {
		return
	}
	delete(g.expected, key)
	if next := g.forming[key]; next != nil {
		next.isFull()
	}
}

// do calls run for one, alone or together with others of its key, and returns
// when that call has returned. Before, linger may wait for others, at most until
// full is closed. run may call free to let the next group begin before it returns.
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
	defer close(mine.done)
	defer free()
	run(mine.all, free)
}
