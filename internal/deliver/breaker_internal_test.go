package deliver

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// monday is an instant that has no special meaning.
var monday = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// testBreaker is the breaker of one execution environment.
type testBreaker struct {
	t *testing.T
	*breaker

	clock *dynamotest.Clock
}

// newBreakers returns the breakers of n environments that share a store.
func newBreakers(t *testing.T, n int) (all []*testBreaker, faults *dynamotest.Faults) {
	t.Helper()
	env, clock := dynamotest.StartMemory(t), dynamotest.NewClock(monday)
	faults = dynamotest.NewFaults(env.Client)
	store := env.StoreOver(faults, clock.Option())
	for range n {
		all = append(all, &testBreaker{t, &breaker{store: store, now: clock.Now}, clock})
	}
	return all, faults
}

func newBreaker(t *testing.T) *testBreaker {
	t.Helper()
	all, _ := newBreakers(t, 1)
	return all[0]
}

// calls makes n calls, one after the other, with this outcome. All must be allowed.
func (b *testBreaker) calls(n int, kind mailing.OutcomeKind) {
	b.t.Helper()
	for range n {
		b.record(b.t.Context(), b.call(), mailing.Outcome{Kind: kind})
	}
}

// call begins a call, which must be allowed.
func (b *testBreaker) call() permit {
	b.t.Helper()
	p, ok := b.acquire(b.t.Context())
	if !ok {
		b.t.Fatal("a call is not allowed")
	}
	return p
}

func (b *testBreaker) refuses() bool {
	_, ok := b.acquire(b.t.Context())
	return !ok
}

func (b *testBreaker) want(when string, want bool) {
	b.t.Helper()
	if got, _ := b.down(); got != want {
		b.t.Errorf("%s: open %t, want %t", when, got, want)
	}
}

func TestTheBreakerOpensWhenHalfOfTwentyOrMoreCallsFail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		good, failed int
		want         bool
	}{{1, 18, false}, {1, 19, true}, {10, 10, true}, {11, 9, false}, {11, 10, false}, {11, 11, true}, {50, 50, true}, {50, 49, false}} {
		b := newBreaker(t)
		b.calls(test.good, mailing.OutcomeSent)
		b.calls(test.failed-1, mailing.OutcomeRetry)
		b.want(fmt.Sprintf("%+v, before the last", test), false)
		b.calls(1, mailing.OutcomeRetry)
		b.want(fmt.Sprintf("%+v", test), test.want)
	}
}

func TestTheBreakerOpensAfterFiveFailuresInARowAtAnyVolume(t *testing.T) {
	t.Parallel()
	b := newBreaker(t)
	for range 4 {
		b.calls(1, mailing.OutcomeAmbiguous)
		b.clock.Advance(time.Hour)
	}
	b.want("after four failures in four hours", false)
	b.calls(1, mailing.OutcomeAmbiguous)
	b.want("after the fifth", true)

	b = newBreaker(t)
	b.calls(4, mailing.OutcomeRetry)
	b.calls(1, mailing.OutcomeRejected) // the API works, and refuses the message
	b.calls(4, mailing.OutcomeRetry)
	b.want("with a valid answer in between", false)
	b.calls(6, mailing.OutcomeRetry)
	b.want("ten failures in a row, less than ten seconds after a valid answer", false)
	b.clock.Advance(breakerWindow)
	b.calls(1, mailing.OutcomeRetry)
	b.want("after the window, one more failure", true)
}

func TestTheBreakerCountsInvalidAnswersAsFailures(t *testing.T) {
	t.Parallel()
	for kind, want := range map[mailing.OutcomeKind]bool{
		mailing.OutcomeRetry: true, mailing.OutcomeAmbiguous: true, mailing.OutcomeSent: false,
		mailing.OutcomeRejected: false, mailing.OutcomeThrottled: false, mailing.OutcomeNotTried: false,
	} {
		b := newBreaker(t)
		for range 20 {
			if !b.refuses() {
				b.calls(1, kind)
			}
		}
		b.want(fmt.Sprintf("after 20 of kind %s", kind), want)
	}
	b := newBreaker(t)
	b.calls(100, mailing.OutcomeSent)
	b.calls(1, mailing.OutcomeMisconfigured)
	b.want("after a misconfigured answer", true)
}

func TestCallsBeforeTheWindowDoNotCount(t *testing.T) {
	t.Parallel()
	b := newBreaker(t)
	b.calls(10, mailing.OutcomeSent)
	b.calls(9, mailing.OutcomeRetry)
	b.clock.Advance(breakerWindow)
	b.calls(2, mailing.OutcomeSent)
	b.calls(3, mailing.OutcomeRetry)
	b.want("after 9 failures long ago and 3 now", false)
}

func TestACallThatBeganBeforeTheBreakerOpenedDoesNotCount(t *testing.T) {
	t.Parallel()
	b := newBreaker(t)
	late := b.call()
	b.calls(1, mailing.OutcomeMisconfigured)
	b.record(t.Context(), late, mailing.Outcome{Kind: mailing.OutcomeSent})
	b.want("after a late success", true)
}

func TestAllSendersTogetherMakeOneProbeAtATime(t *testing.T) {
	t.Parallel()
	all, _ := newBreakers(t, 3)
	all[0].calls(5, mailing.OutcomeRetry)
	for _, b := range all[1:] {
		b.refresh(t.Context())
		b.want("another sender after a refresh", true)
	}
	for _, wait := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		all[0].clock.Advance(wait - 1)
		for _, b := range all {
			b.refresh(t.Context())
			if !b.refuses() {
				t.Fatalf("a call is allowed before %s have passed", wait)
			}
		}
		all[0].clock.Advance(1)
		probe := all[1].call()
		for _, b := range all {
			if !b.refuses() {
				t.Fatalf("a second call is allowed after %s", wait)
			}
		}
		all[1].record(t.Context(), probe, mailing.Outcome{Kind: mailing.OutcomeAmbiguous})
		all[1].want("after a probe that failed", true)
	}
	all[0].clock.Advance(15 * time.Minute)
	all[2].refresh(t.Context())
	if !all[2].record(t.Context(), all[2].call(), mailing.Outcome{Kind: mailing.OutcomeRejected}) {
		t.Error("a probe with a valid answer does not end the outage")
	}
	for _, b := range all {
		b.refresh(t.Context())
		b.want("after the end of the outage", false)
		b.calls(1, mailing.OutcomeSent)
	}
}

func TestASenderThatCannotStoreAnOutageActsOnItAlone(t *testing.T) {
	t.Parallel()
	all, faults := newBreakers(t, 2)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("throttled")})
	all[0].calls(5, mailing.OutcomeRetry)
	if down, shared := all[0].down(); !down || shared {
		t.Errorf("down %t, shared %t", down, shared)
	}
	all[1].refresh(t.Context())
	all[1].want("another sender", false)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{})
	all[0].refresh(t.Context())
	if down, shared := all[0].down(); !down || !shared {
		t.Errorf("after the write succeeds: down %t, shared %t", down, shared)
	}
	all[1].clock.Advance(outageFresh)
	all[1].refresh(t.Context())
	all[1].want("another sender, after the write succeeds", true)
}

func TestTwoSendersThatOpenTheBreakerAtOnceStoreOneOutage(t *testing.T) {
	t.Parallel()
	all, _ := newBreakers(t, 2)
	all[0].refresh(t.Context())
	all[1].refresh(t.Context())
	all[0].calls(5, mailing.OutcomeRetry)
	all[0].clock.Advance(time.Second)
	all[1].calls(5, mailing.OutcomeRetry)
	if a, b := all[0].outage, all[1].outage; a != b {
		t.Errorf("one has %+v, the other %+v", a, b)
	}
}

func TestReadingsFromBeforeTheClockWasSetBackAreRepeated(t *testing.T) {
	t.Parallel()
	all, _ := newBreakers(t, 2)
	all[0].refresh(t.Context())
	all[0].clock.Advance(-time.Hour)
	all[1].calls(1, mailing.OutcomeMisconfigured)
	all[0].refresh(t.Context())
	all[0].want("after the clock was set back an hour", true)

	store, ok := all[0].store.(*dynamo.Store)
	if !ok {
		t.Fatalf("the store is a %T", all[0].store)
	}
	cache := newMailingCache(store, all[0].now)
	cache.entries[1] = cacheEntry{mailing.Mailing{ID: 1, Status: mailing.StatusRunning}, all[0].now().Add(time.Hour)}
	if m, _, err := cache.get(t.Context(), 1); err != nil || !m.Deleted {
		t.Errorf("a mailing whose reading is in the future is used: %+v, %v", m, err)
	}
	h := &health{last: monday.Add(time.Hour)}
	if h.works(monday) {
		t.Error("an answer in the future says that the API works")
	}
}
