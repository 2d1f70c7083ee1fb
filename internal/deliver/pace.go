package deliver

import (
	"time"

	"golang.org/x/time/rate"
)

// pace spreads the hand-overs of one execution environment over time.
type pace struct {
	perSecond float64
	limiter   *rate.Limiter // nil: as fast as it goes
}

// newPace lets perSecond hand-overs begin each second, with 0 any number.
func newPace(perSecond float64) *pace {
	if perSecond <= 0 {
		return &pace{}
	}
	// A tenth of a second's worth may go at once: finer than that nobody waits.
	return &pace{perSecond, rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/10)))}
}

func (p *pace) limited() bool { return p.limiter != nil }

// next is how long the next hand-over has to wait. ok is false, and no place is
// taken, if it would not come before latest.
func (p *pace) next(now, latest time.Time) (wait time.Duration, ok bool) {
	if p.limiter == nil {
		return 0, true
	}
	missing := 1 - p.limiter.TokensAt(now)
	wait = time.Duration(max(0, missing) / p.perSecond * float64(time.Second))
	if now.Add(wait).After(latest) {
		return 0, false
	}
	return p.limiter.ReserveN(now, 1).DelayFrom(now), true
}

// room is how many hand-overs can begin within d.
func (p *pace) room(d time.Duration) int {
	const many = 1 << 20
	if p.limiter == nil {
		return many
	}
	return max(0, int(p.perSecond*d.Seconds()))
}
