package mailing

import "time"

// Backoff of retries, per batch.
const (
	backoffBase = 15 * time.Second
	// MaxBackoff is what the upper bound of the random wait doubles up to.
	MaxBackoff = 15 * time.Minute
)

// Backoff is the upper bound of the wait after the n-th round (from 0): full
// jitter takes a random part of min(15 min, 15 s * 2^n).
func Backoff(round int) time.Duration {
	d := backoffBase
	for ; round > 0 && d < MaxBackoff; round-- {
		d *= 2
	}
	return min(d, MaxBackoff)
}

// Wait says what a pending member waits for after its batch was worked on.
type Wait struct {
	// Retry: a failed attempt, to be repeated after a backoff.
	Retry bool
	// Until is the earliest instant for the next look, where one is known:
	// a window's opening, the end of being parked, a Retry-After.
	Until time.Time
}

// Settled is b as its holder leaves it: with its new members, nobody holding
// it, and due when the first of its members needs a look. waits has an entry
// for each member; jitter gives a random duration from 0 to its argument.
func (b Batch) Settled(members []Member, waits []Wait, plan int64, now time.Time, jitter func(time.Duration) time.Duration) Batch {
	b.Members, b.Plan = members, plan
	b.Holder, b.LeaseUntil, b.Claims = "", time.Time{}, 0
	b.NotBefore, b.DueAt = time.Time{}, time.Time{}
	var backoff time.Time
	for i, mem := range members {
		if !mem.Status.Pending() {
			continue
		}
		until, due := waits[i].Until, waits[i].Until
		if waits[i].Retry {
			if backoff.IsZero() {
				backoff = now.Add(jitter(Backoff(b.Round)))
			}
			if until.Before(backoff) {
				until = backoff
			}
			due = until.Add(RetryPatience)
		}
		if due.IsZero() {
			until, due = now, now
		}
		if b.DueAt.IsZero() || until.Before(b.NotBefore) {
			b.NotBefore = until
		}
		if b.DueAt.IsZero() || due.Before(b.DueAt) {
			b.DueAt = due
		}
	}
	if !backoff.IsZero() {
		b.Round++
	}
	return b
}
