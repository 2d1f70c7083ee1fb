package deliver

import (
	"time"

	"golang.org/x/time/rate"
)

// rateLimiter spreads the hand-overs of one execution environment over time.
type rateLimiter struct {
	perSecond float64
	limiter   *rate.Limiter // nil: no limit
}

// newRateLimiter returns a limiter of perSecond hand-overs a second; 0 is no limit.
func newRateLimiter(perSecond float64) *rateLimiter {
	if perSecond <= 0 {
		return &rateLimiter{}
	}
	// The hand-overs of a tenth of a second may begin at once: a finer spread has no use.
	return &rateLimiter{perSecond, rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond/10)))}
}

func (l *rateLimiter) limited() bool { return l.limiter != nil }

// reserve reserves the next hand-over, and returns how long the hand-over has to wait. If
// the hand-over would begin after latest, ok is false and nothing is reserved.
func (l *rateLimiter) reserve(now, latest time.Time) (wait time.Duration, ok bool) {
	if l.limiter == nil {
		return 0, true
	}
	missing := 1 - l.limiter.TokensAt(now)
	wait = time.Duration(max(0, missing) / l.perSecond * float64(time.Second))
	if now.Add(wait).After(latest) {
		return 0, false
	}
	// Another batch may have reserved since TokensAt. Then the wait is longer, and
	// [Sender.handOverOne] finds out whether there is still time for the request.
	return l.limiter.ReserveN(now, 1).DelayFrom(now), true
}

// capacity returns how many hand-overs can begin within d.
func (l *rateLimiter) capacity(d time.Duration) int {
	const unlimited = 1 << 20
	if l.limiter == nil {
		return unlimited
	}
	return max(0, int(l.perSecond*d.Seconds()))
}
