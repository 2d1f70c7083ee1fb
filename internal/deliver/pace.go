package deliver

import (
	"time"

	"golang.org/x/time/rate"
)

// pace spreads the hand-overs of one execution environment over time.
type pace struct {
	perSecond float64
	limiter   *rate.Limiter // nil: no limit
}

// newPace returns a pace of perSecond hand-overs a second; 0 is no limit.
func newPace(perSecond float64) *pace {
	if perSecond <= 0 {
		return &pace{}
	}
	// A tenth of a second's hand-overs may begin at once: a finer spread is useless.
	return &pace{perSecond, rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/10)))}
}

func (p *pace) limited() bool { return p.limiter != nil }

// next reserves the next hand-over, and returns how long it has to wait. If it could
// not begin before latest, ok is false and nothing is reserved.
func (p *pace) next(now, latest time.Time) (wait time.Duration, ok bool) {
	if p.limiter == nil {
		return 0, true
	}
	missing := 1 - p.limiter.TokensAt(now)
	wait = time.Duration(max(0, missing) / p.perSecond * float64(time.Second))
	if now.Add(wait).After(latest) {
		return 0, false
	}
	// Another batch may have reserved since TokensAt. Then the wait is longer, and
	// [Sender.one] finds out whether there is still time for the request.
	return p.limiter.ReserveN(now, 1).DelayFrom(now), true
}

// room returns how many hand-overs can begin within d.
func (p *pace) room(d time.Duration) int {
	const many = 1 << 20
	if p.limiter == nil {
		return many
	}
	return max(0, int(p.perSecond*d.Seconds()))
}
