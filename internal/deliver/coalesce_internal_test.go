package deliver

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

func TestCallsDuringARunningCallShareTheNextOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCoalescer[string, int]()
		var runs [][]int
		first, noWait := make(chan struct{}), func(context.Context) {}
		var wg sync.WaitGroup
		wg.Go(func() {
			c.do("a", 1, noWait, func(all []int, _ func()) { runs = append(runs, all); <-first })
		})
		synctest.Wait()
		for n := range 3 {
			wg.Go(func() { c.do("a", n+2, noWait, func(all []int, _ func()) { runs = append(runs, all) }) })
		}
		other := false
		wg.Go(func() { c.do("b", 9, noWait, func([]int, func()) { other = true }) })
		synctest.Wait()
		if len(runs) != 1 || !other {
			t.Errorf("while the first is running: %v; the call of another key: %t", runs, other)
		}
		close(first)
		wg.Wait()
		if len(runs) == 2 {
			slices.Sort(runs[1])
		}
		if len(runs) != 2 || !slices.Equal(runs[1], []int{2, 3, 4}) {
			t.Errorf("runs %v", runs)
		}
	})
}

func TestAReleasedGroupDoesNotDelayTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCoalescer[string, int]()
		failing, noWait := make(chan struct{}), func(context.Context) {}
		var wg sync.WaitGroup
		wg.Go(func() { c.do("a", 1, noWait, func(_ []int, release func()) { release(); <-failing }) })
		synctest.Wait()
		done := false
		wg.Go(func() { c.do("a", 2, noWait, func([]int, func()) { done = true }) })
		synctest.Wait()
		if !done {
			t.Error("the next group waits for a group that was released")
		}
		close(failing)
		wg.Wait()
	})
}

func TestAGroupIsFullWhenAllExpectedCallersHaveComeOrWithdrawn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCoalescer[string, int]()
		var runs [][]int
		for range 3 {
			c.expect("a")
		}
		wait := func(full context.Context) { <-full.Done() }
		var wg sync.WaitGroup
		for n := range 2 {
			wg.Go(func() { c.do("a", n, wait, func(all []int, _ func()) { runs = append(runs, all) }) })
		}
		synctest.Wait()
		if len(runs) != 0 {
			t.Errorf("the group does not wait for the third caller: %v", runs)
		}
		c.withdraw("a")
		wg.Wait()
		if len(runs) != 1 || len(runs[0]) != 2 {
			t.Errorf("runs %v", runs)
		}
	})
}
