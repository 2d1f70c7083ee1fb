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

// circuit is the breaker of one execution environment.
type circuit struct {
	t *testing.T
	*trouble

	clock *dynamotest.Clock
}

// circuits returns the breakers of n environments that share a store.
func circuits(t *testing.T, n int) (all []*circuit, faults *dynamotest.Faults) {
	t.Helper()
	env, clock := dynamotest.StartMemory(t), dynamotest.NewClock(monday)
	faults = dynamotest.NewFaults(env.Client)
	store := env.StoreOver(faults, clock.Option())
	for range n {
		all = append(all, &circuit{t, &trouble{store: store, now: clock.Now}, clock})
	}
	return all, faults
}

func newCircuit(t *testing.T) *circuit {
	t.Helper()
	all, _ := circuits(t, 1)
	return all[0]
}

// ends makes n calls, one after the other, with this outcome. All must be allowed.
func (c *circuit) ends(n int, kind mailing.OutcomeKind) {
	c.t.Helper()
	for range n {
		c.end(c.t.Context(), c.call(), mailing.Outcome{Kind: kind})
	}
}

// call begins a call, which must be allowed.
func (c *circuit) call() permit {
	c.t.Helper()
	p, ok := c.may(c.t.Context())
	if !ok {
		c.t.Fatal("a call is not allowed")
	}
	return p
}

func (c *circuit) refuses() bool {
	_, ok := c.may(c.t.Context())
	return !ok
}

func (c *circuit) want(when string, want bool) {
	c.t.Helper()
	if got, _ := c.down(); got != want {
		c.t.Errorf("%s: open %t, want %t", when, got, want)
	}
}

func TestTheBreakerOpensWhenHalfOfTwentyOrMoreCallsFail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		good, failed int
		want         bool
	}{{1, 18, false}, {1, 19, true}, {10, 10, true}, {11, 9, false}, {11, 10, false}, {11, 11, true}, {50, 50, true}, {50, 49, false}} {
		c := newCircuit(t)
		c.ends(test.good, mailing.OutcomeSent)
		c.ends(test.failed-1, mailing.OutcomeRetry)
		c.want(fmt.Sprintf("%+v, before the last", test), false)
		c.ends(1, mailing.OutcomeRetry)
		c.want(fmt.Sprintf("%+v", test), test.want)
	}
}

func TestTheBreakerOpensAfterFiveFailuresInARowWhateverTheVolume(t *testing.T) {
	t.Parallel()
	c := newCircuit(t)
	for range 4 {
		c.ends(1, mailing.OutcomeAmbiguous)
		c.clock.Advance(time.Hour)
	}
	c.want("after four failures in four hours", false)
	c.ends(1, mailing.OutcomeAmbiguous)
	c.want("after the fifth", true)

	c = newCircuit(t)
	c.ends(4, mailing.OutcomeRetry)
	c.ends(1, mailing.OutcomeRejected) // the API works, and refuses the message
	c.ends(4, mailing.OutcomeRetry)
	c.want("with a valid answer in between", false)
	c.ends(6, mailing.OutcomeRetry)
	c.want("ten failures in a row, ten seconds or less after a valid answer", false)
	c.clock.Advance(breakerWindow)
	c.ends(1, mailing.OutcomeRetry)
	c.want("and one more after that", true)
}

func TestWhichCallsTheBreakerTakesForFailed(t *testing.T) {
	t.Parallel()
	for kind, want := range map[mailing.OutcomeKind]bool{
		mailing.OutcomeRetry: true, mailing.OutcomeAmbiguous: true, mailing.OutcomeSent: false,
		mailing.OutcomeRejected: false, mailing.OutcomeThrottled: false, mailing.OutcomeNotTried: false,
	} {
		c := newCircuit(t)
		for range 20 {
			if !c.refuses() {
				c.ends(1, kind)
			}
		}
		c.want(fmt.Sprintf("after 20 of kind %s", kind), want)
	}
	c := newCircuit(t)
	c.ends(100, mailing.OutcomeSent)
	c.ends(1, mailing.OutcomeMisconfigured)
	c.want("after an answer that does not know us", true)
}

func TestCallsThatAreLongOverDoNotCount(t *testing.T) {
	t.Parallel()
	c := newCircuit(t)
	c.ends(10, mailing.OutcomeSent)
	c.ends(9, mailing.OutcomeRetry)
	c.clock.Advance(breakerWindow)
	c.ends(2, mailing.OutcomeSent)
	c.ends(3, mailing.OutcomeRetry)
	c.want("after 9 failures long ago and 3 now", false)
}

func TestACallThatBeganBeforeTheBreakerOpenedSaysNothing(t *testing.T) {
	t.Parallel()
	c := newCircuit(t)
	late := c.call()
	c.ends(1, mailing.OutcomeMisconfigured)
	c.end(t.Context(), late, mailing.Outcome{Kind: mailing.OutcomeSent})
	c.want("after a late success", true)
}

func TestOneSenderOfAllMakesOneProbeAtATime(t *testing.T) {
	t.Parallel()
	all, _ := circuits(t, 3)
	all[0].ends(5, mailing.OutcomeRetry)
	for _, c := range all[1:] {
		c.look(t.Context())
		c.want("another sender that looks", true)
	}
	for _, wait := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		all[0].clock.Advance(wait - 1)
		for _, c := range all {
			c.look(t.Context())
			if !c.refuses() {
				t.Fatalf("a call is allowed before %s are over", wait)
			}
		}
		all[0].clock.Advance(1)
		probe := all[1].call()
		for _, c := range all {
			if !c.refuses() {
				t.Fatalf("a second call is allowed after %s", wait)
			}
		}
		all[1].end(t.Context(), probe, mailing.Outcome{Kind: mailing.OutcomeAmbiguous})
		all[1].want("after a probe that failed", true)
	}
	all[0].clock.Advance(15 * time.Minute)
	all[2].look(t.Context())
	if !all[2].end(t.Context(), all[2].call(), mailing.Outcome{Kind: mailing.OutcomeRejected}) {
		t.Error("a probe with a valid answer does not end the outage")
	}
	for _, c := range all {
		c.look(t.Context())
		c.want("after the end", false)
		c.ends(1, mailing.OutcomeSent)
	}
}

func TestASenderThatCannotSayThatTheAPIIsDownKeepsItToItself(t *testing.T) {
	t.Parallel()
	all, faults := circuits(t, 2)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: errors.New("throttled")})
	all[0].ends(5, mailing.OutcomeRetry)
	if down, shared := all[0].down(); !down || shared {
		t.Errorf("down %t, shared %t", down, shared)
	}
	all[1].look(t.Context())
	all[1].want("another sender", false)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{})
	all[0].look(t.Context())
	if down, shared := all[0].down(); !down || !shared {
		t.Errorf("once it can be said: down %t, shared %t", down, shared)
	}
	all[1].clock.Advance(outageFresh)
	all[1].look(t.Context())
	all[1].want("another sender then", true)
}

func TestTwoSendersThatFindItDownAtOnceAgree(t *testing.T) {
	t.Parallel()
	all, _ := circuits(t, 2)
	all[0].look(t.Context())
	all[1].look(t.Context())
	all[0].ends(5, mailing.OutcomeRetry)
	all[0].clock.Advance(time.Second)
	all[1].ends(5, mailing.OutcomeRetry)
	if a, b := all[0].known, all[1].known; a != b {
		t.Errorf("one knows %+v, the other %+v", a, b)
	}
}

func TestWhatWasReadBeforeTheClockWasSetBackIsReadAgain(t *testing.T) {
	t.Parallel()
	all, _ := circuits(t, 2)
	all[0].look(t.Context())
	all[0].clock.Advance(-time.Hour)
	all[1].ends(1, mailing.OutcomeMisconfigured)
	all[0].look(t.Context())
	all[0].want("after an hour that seems not to have been", true)

	store, ok := all[0].store.(*dynamo.Store)
	if !ok {
		t.Fatalf("the store is a %T", all[0].store)
	}
	cache := newMailingCache(store, all[0].now)
	cache.known[1] = cached{mailing.Mailing{ID: 1, Status: mailing.StatusRunning}, all[0].now().Add(time.Hour)}
	if m, _, err := cache.get(t.Context(), 1); err != nil || !m.Deleted {
		t.Errorf("a mailing that was read in the future is trusted: %+v, %v", m, err)
	}
	h := &health{last: monday.Add(time.Hour)}
	if h.works(monday) {
		t.Error("an answer in the future says that the API works")
	}
}
