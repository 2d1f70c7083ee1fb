package deliver

import "sync"

// gather lets calls for the same key that come while one is under way wait for
// it, and share the next one. So batches that finish side by side cost one
// transaction, and none waits for a batch that is not done.
type gather[K comparable, T any] struct {
	mu sync.Mutex
	// running is the group under way of each key, forming the one that waits for it.
	running, forming map[K]*group[T]
}

// group is the callers that share one call.
type group[T any] struct {
	all []T
	// freed is closed when the next group may begin, done when this one is done.
	freed, done chan struct{}
}

func newGather[K comparable, T any]() *gather[K, T] {
	return &gather[K, T]{running: map[K]*group[T]{}, forming: map[K]*group[T]{}}
}

// do calls run for one, alone or together with others of its key, and returns
// when that call has returned. run may call free to let the next group begin
// before it returns.
func (g *gather[K, T]) do(key K, one T, run func(all []T, free func())) {
	g.mu.Lock()
	mine, before := g.forming[key], g.running[key]
	leads := mine == nil
	if leads {
		mine = &group[T]{freed: make(chan struct{}), done: make(chan struct{})}
		g.forming[key] = mine
	}
	mine.all = append(mine.all, one)
	g.mu.Unlock()
	if !leads {
		<-mine.done
		return
	}
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
