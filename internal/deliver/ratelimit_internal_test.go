package deliver

import (
	"testing"
	"time"
)

// never is an instant later than any wait of these tests.
var never = monday.Add(1000 * time.Hour)

func TestHandOversAreSpreadOverTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		perSecond float64
		atOnce    int
		gap       time.Duration
	}{
		{30, 3, time.Second / 30},
		{1000, 100, time.Millisecond},
		{10, 1, 100 * time.Millisecond},
		{1, 1, time.Second},
		{0.5, 1, 2 * time.Second},
	} {
		l := newRateLimiter(test.perSecond)
		for i := range 500 {
			want := time.Duration(max(0, i+1-test.atOnce)) * test.gap
			got, ok := l.reserve(monday, never)
			if !ok || (got-want).Abs() > time.Microsecond*time.Duration(i+1) {
				t.Errorf("%v a second: hand-over %d waits %s, want %s", test.perSecond, i+1, got, want)
				break
			}
		}
	}
}

func TestNoSecondHasMoreHandOversThanTheLimit(t *testing.T) {
	t.Parallel()
	const perSecond = 30
	l := newRateLimiter(perSecond)
	begins := make([]int, 20)
	// Hand-overs are requested faster than they may begin.
	for i := range 600 {
		now := monday.Add(time.Duration(i) * 20 * time.Millisecond)
		wait, ok := l.reserve(now, now.Add(time.Second))
		if ok {
			begins[now.Add(wait).Sub(monday)/time.Second]++
		}
	}
	sum := 0
	for i, n := range begins[:12] {
		if n > perSecond+perSecond/10 {
			t.Errorf("%d hand-overs begin in second %d", n, i)
		}
		sum += n
	}
	if sum < 12*perSecond {
		t.Errorf("only %d hand-overs begin in 12 s", sum)
	}
}

func TestAHandOverThatWouldBeginTooLateReservesNothing(t *testing.T) {
	t.Parallel()
	l := newRateLimiter(10)
	if wait, ok := l.reserve(monday, monday); !ok || wait != 0 {
		t.Fatalf("the first hand-over waits %s, %t", wait, ok)
	}
	for range 100 {
		if wait, ok := l.reserve(monday, monday.Add(99*time.Millisecond)); ok {
			t.Fatalf("a hand-over that must begin within 99 ms waits %s", wait)
		}
	}
	// None of these hand-overs has taken the place of the next one.
	if wait, ok := l.reserve(monday, monday.Add(101*time.Millisecond)); !ok || (wait-100*time.Millisecond).Abs() > time.Microsecond {
		t.Errorf("the second hand-over waits %s, %t", wait, ok)
	}
	if wait, ok := l.reserve(monday, monday.Add(-time.Second)); ok {
		t.Errorf("a hand-over that had to begin earlier waits %s", wait)
	}
}

func TestATimeWithoutHandOversAllowsNoExtraBurst(t *testing.T) {
	t.Parallel()
	l := newRateLimiter(10)
	later := monday.Add(time.Hour) // as if Lambda had kept the environment frozen
	for i, want := range []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond} {
		if wait, ok := l.reserve(later, never); !ok || (wait-want).Abs() > time.Microsecond {
			t.Errorf("hand-over %d waits %s, want %s", i+1, wait, want)
		}
	}
}

func TestWithoutALimitHandOversDoNotWait(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []float64{0, -1} {
		l := newRateLimiter(perSecond)
		if l.limited() || l.capacity(time.Millisecond) < 1000 {
			t.Errorf("%v a second is a limit", perSecond)
		}
		for range 1000 {
			if wait, ok := l.reserve(monday, monday.Add(-time.Hour)); wait != 0 || !ok {
				t.Fatalf("a hand-over waits %s, %t", wait, ok)
			}
		}
	}
	if !newRateLimiter(1).limited() {
		t.Error("1 a second is no limit")
	}
}

func TestTheCapacityIsTheNumberOfHandOversThatCanBegin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		perSecond float64
		within    time.Duration
		want      int
	}{
		{30, 17 * time.Second, 510},
		{30, 1650 * time.Millisecond, 49},
		{30, 0, 0},
		{30, -time.Second, 0},
		{0.5, 20 * time.Second, 10},
	} {
		if got := newRateLimiter(test.perSecond).capacity(test.within); got != test.want {
			t.Errorf("%v a second for %s: %d, want %d", test.perSecond, test.within, got, test.want)
		}
	}
}
