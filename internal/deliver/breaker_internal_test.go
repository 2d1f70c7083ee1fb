package deliver

import (
	"fmt"
	"testing"
	"time"

	"postrider/internal/mailing"
)

// monday is an instant without meaning to any rule.
var monday = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

func outcome(kind mailing.OutcomeKind) mailing.Outcome { return mailing.Outcome{Kind: kind} }

// circuit is a breaker on a clock that the test moves.
type circuit struct {
	t *testing.T
	breaker
	now time.Time
}

func newCircuit(t *testing.T) *circuit {
	t.Helper()
	return &circuit{t: t, now: monday}
}

// ends makes n calls, one after the other, that end so. All are let through.
func (c *circuit) ends(n int, kind mailing.OutcomeKind) {
	c.t.Helper()
	for range n {
		c.end(c.ticket(), outcome(kind), c.now)
	}
}

// ticket begins a call that is let through.
func (c *circuit) ticket() int {
	c.t.Helper()
	ticket, ok := c.begin(c.now)
	if !ok {
		c.t.Fatal("a call is not let through")
	}
	return ticket
}

func (c *circuit) want(when string, want phase) {
	c.t.Helper()
	if got := c.at(c.now); got != want {
		c.t.Errorf("%s it is in phase %d, want %d", when, got, want)
	}
}

// refuses tells whether the breaker lets no call through.
func (c *circuit) refuses() bool {
	_, ok := c.begin(c.now)
	return !ok
}

// opened is a circuit that has just opened.
func opened(t *testing.T) *circuit {
	t.Helper()
	c := newCircuit(t)
	c.ends(20, mailing.OutcomeRetry)
	c.want("after 20 failures", open)
	return c
}

// halfOpened is a circuit that has just become half open.
func halfOpened(t *testing.T) *circuit {
	t.Helper()
	c := opened(t)
	c.now = c.now.Add(mailing.ParkTime)
	c.want("after a minute", halfOpen)
	return c
}

func TestTheBreakerOpensWhenHalfOfTwentyOrMoreCallsFail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		good, failed int
		want         phase
	}{
		{"19 of 19", 0, 19, closed},
		{"20 of 20", 0, 20, open},
		{"10 of 20", 10, 10, open},
		{"9 of 20", 11, 9, closed},
		{"10 of 21", 11, 10, closed},
		{"11 of 22", 11, 11, open},
		{"50 of 100", 50, 50, open},
		{"49 of 99", 50, 49, closed},
	} {
		c := newCircuit(t)
		c.ends(test.good, mailing.OutcomeSent)
		c.ends(test.failed-1, mailing.OutcomeRetry)
		c.want(test.name+", before the last", closed)
		c.ends(1, mailing.OutcomeRetry)
		c.want(test.name, test.want)
	}
}

func TestWhichCallsTheBreakerTakesForFailed(t *testing.T) {
	t.Parallel()
	for kind, want := range map[mailing.OutcomeKind]phase{
		mailing.OutcomeRetry:     open,
		mailing.OutcomeAmbiguous: open,
		mailing.OutcomeSent:      closed,
		mailing.OutcomeRejected:  closed, // it works, and says no
		mailing.OutcomeThrottled: closed,
		mailing.OutcomeNotTried:  closed,
	} {
		c := newCircuit(t)
		c.ends(20, kind)
		c.want(fmt.Sprintf("after 20 of kind %d", kind), want)
	}
}

func TestCallsThatSayNothingAreNotCountedAtAll(t *testing.T) {
	t.Parallel()
	for _, kind := range []mailing.OutcomeKind{mailing.OutcomeThrottled, mailing.OutcomeNotTried} {
		c := newCircuit(t)
		c.ends(19, mailing.OutcomeRetry)
		c.ends(100, kind)
		c.want("after 19 failures and others", closed)
		c.ends(1, mailing.OutcomeRetry)
		c.want("after 20 failures, with others in between", open)
	}
}

func TestCallsOfTenSecondsAgoOrMoreDoNotCount(t *testing.T) {
	t.Parallel()
	c := newCircuit(t)
	c.ends(19, mailing.OutcomeRetry)
	c.now = c.now.Add(9 * time.Second)
	c.ends(1, mailing.OutcomeRetry)
	c.want("with 19 that failed 9 s before", open)

	for _, ago := range []time.Duration{10 * time.Second, 11 * time.Second, 13 * time.Second, 19 * time.Second, 20 * time.Second, time.Hour} {
		c = newCircuit(t)
		c.ends(19, mailing.OutcomeRetry)
		c.now = c.now.Add(ago)
		c.ends(19, mailing.OutcomeRetry)
		c.want(fmt.Sprintf("with 19 that failed %s before", ago), closed)
	}

	// Nor do those that went well then.
	c = newCircuit(t)
	c.ends(1000, mailing.OutcomeSent)
	c.now = c.now.Add(10 * time.Second)
	c.ends(20, mailing.OutcomeRetry)
	c.want("with 1,000 that went well 10 s before", open)

	// A call counts when it ends.
	c = newCircuit(t)
	tickets := make([]int, 20)
	for i := range tickets {
		tickets[i] = c.ticket()
	}
	c.now = c.now.Add(time.Hour)
	for _, ticket := range tickets {
		c.end(ticket, outcome(mailing.OutcomeAmbiguous), c.now)
	}
	c.want("with 20 that began an hour before", open)
}

func TestFailuresThatAreSpreadOutAddUpOverTenSeconds(t *testing.T) {
	t.Parallel()
	c := newCircuit(t)
	for range 60 {
		c.ends(1, mailing.OutcomeRetry) // 1 a second is never 20
		c.now = c.now.Add(time.Second)
	}
	c.want("at one failure a second", closed)
	for range 9 {
		c.ends(2, mailing.OutcomeRetry)
		c.now = c.now.Add(time.Second)
	}
	c.want("at two failures a second for 9 s", closed)
	c.ends(2, mailing.OutcomeRetry)
	c.want("at two failures a second for 10 s", open)
}

func TestAWrongConfigurationOpensTheBreakerAtOnce(t *testing.T) {
	t.Parallel()
	c := newCircuit(t)
	c.ends(100, mailing.OutcomeSent)
	c.ends(1, mailing.OutcomeMisconfigured)
	c.want("after one call", open)
	c = halfOpened(t)
	c.ends(1, mailing.OutcomeMisconfigured)
	c.want("after a probe", open)
}

func TestAnOpenBreakerLetsNothingThroughForAMinute(t *testing.T) {
	t.Parallel()
	c := opened(t)
	if !c.refuses() {
		t.Error("a call is let through")
	}
	c.now = c.now.Add(mailing.ParkTime - 1)
	c.want("1 ns before", open)
	if !c.refuses() {
		t.Error("a call is let through 1 ns before")
	}
	c.now = c.now.Add(1)
	if c.refuses() {
		t.Error("no call is let through after a minute")
	}
	c.want("after a minute", halfOpen)
}

func TestAHalfOpenBreakerLetsOneCallThroughThatTellsHowItGoesOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind mailing.OutcomeKind
		want phase
	}{
		{mailing.OutcomeSent, closed},
		{mailing.OutcomeRejected, closed},
		{mailing.OutcomeRetry, open},
		{mailing.OutcomeAmbiguous, open},
		{mailing.OutcomeMisconfigured, open},
		{mailing.OutcomeThrottled, halfOpen},
		{mailing.OutcomeNotTried, halfOpen},
	} {
		c := halfOpened(t)
		probe := c.ticket()
		if !c.refuses() {
			t.Error("a second call is let through beside the first")
		}
		c.now = c.now.Add(mailing.ParkTime)
		c.want("while one is under way, however long", halfOpen)
		c.end(probe, outcome(test.kind), c.now)
		c.want(fmt.Sprintf("after a probe of kind %d", test.kind), test.want)
		if test.want == halfOpen && c.refuses() {
			t.Error("no other call is let through after one that said nothing")
		}
		if test.want == open {
			c.now = c.now.Add(mailing.ParkTime - 1)
			c.want("almost a minute after a probe that failed", open)
		}
	}
}

func TestAClosedBreakerHasForgottenWhatOpenedIt(t *testing.T) {
	t.Parallel()
	c := opened(t)
	// Frozen by Lambda for a minute to the second: the same places are counted in.
	c.now = c.now.Add(mailing.ParkTime)
	c.ends(1, mailing.OutcomeSent)
	c.want("after a probe", closed)
	c.ends(19, mailing.OutcomeRetry)
	c.want("after 19 failures", closed)
	c.ends(1, mailing.OutcomeRetry)
	c.want("after 20 failures", open)
}

func TestAnAnswerFromBeforeTheLastChangeOfPhaseSaysNothing(t *testing.T) {
	t.Parallel()
	t.Run("a success does not close an open breaker", func(t *testing.T) {
		t.Parallel()
		c := newCircuit(t)
		late := c.ticket()
		c.ends(20, mailing.OutcomeRetry)
		c.end(late, outcome(mailing.OutcomeSent), c.now)
		c.want("after a late success", open)
	})
	t.Run("it neither closes a half-open one nor lets another call through", func(t *testing.T) {
		t.Parallel()
		c := newCircuit(t)
		late := []int{c.ticket(), c.ticket(), c.ticket()}
		c.ends(20, mailing.OutcomeRetry)
		c.now = c.now.Add(mailing.ParkTime)
		probe := c.ticket()
		for i, kind := range []mailing.OutcomeKind{mailing.OutcomeSent, mailing.OutcomeNotTried, mailing.OutcomeAmbiguous} {
			c.end(late[i], outcome(kind), c.now)
			c.want("after a late answer", halfOpen)
			if !c.refuses() {
				t.Error("another call is let through beside the probe")
			}
		}
		c.end(probe, outcome(mailing.OutcomeSent), c.now)
		c.want("after the probe", closed)
	})
	t.Run("failures do not prolong an open one, nor open a closed one", func(t *testing.T) {
		t.Parallel()
		c := newCircuit(t)
		late := make([]int, 100)
		for i := range late {
			late[i] = c.ticket()
		}
		c.ends(20, mailing.OutcomeRetry)
		c.now = c.now.Add(mailing.ParkTime - time.Second)
		c.end(late[0], outcome(mailing.OutcomeMisconfigured), c.now)
		c.now = c.now.Add(time.Second)
		c.ends(1, mailing.OutcomeSent)
		c.want("a minute after it opened, after a probe", closed)
		for _, ticket := range late[1:] {
			c.end(ticket, outcome(mailing.OutcomeRetry), c.now)
		}
		c.want("after 99 late failures", closed)
	})
}
