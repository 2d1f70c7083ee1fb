package mailing

import (
	"slices"
	"time"
)

// Backoff of retries, per batch.
const (
	backoffBase = 15 * time.Second
	// MaxBackoff is the longest random wait. The upper bound of the wait doubles with each
	// round until it reaches MaxBackoff.
	MaxBackoff = 15 * time.Minute
)

// Backoff returns the upper bound of the wait after the n-th round (from 0): full jitter
// takes a random part of min(15 min, 15 s * 2^n).
func Backoff(round int) time.Duration {
	d := backoffBase
	for ; round > 0 && d < MaxBackoff; round-- {
		d *= 2
	}
	return min(d, MaxBackoff)
}

// WaitKind is the reason why a pending message waits after its batch was worked on.
type WaitKind uint8

const (
	// WaitResume means that the message waits until its mailing is resumed.
	WaitResume WaitKind = iota
	// WaitRetry means that a failed attempt is repeated after a backoff, and not before
	// Until.
	WaitRetry
	// WaitProvider means that the provider caused the failure. The message is tried again
	// at Until.
	WaitProvider
	// WaitLater means that the message's retry, at Until, is still in the future.
	WaitLater
	// WaitTurn means that the message was not tried, for example because no time was left,
	// and can be tried at once.
	WaitTurn
	// WaitUntil means that the message waits for a known instant, such as a window's
	// opening.
	WaitUntil
)

// Wait is the reason why a pending message waits after its batch was worked on, and the
// instant until which it waits, for the kinds that name Until.
type Wait struct {
	Kind  WaitKind
	Until time.Time
}

// instants returns when a waiting message may be decided on again, and when it is
// overdue.
func (w Wait) instants(now, backoff time.Time) (from, due time.Time) {
	switch w.Kind {
	case WaitRetry:
		from = backoff
		if w.Until.After(from) {
			from = w.Until
		}
		return from, from.Add(RetryOverdueAfter)
	case WaitTurn:
		return now, now.Add(RetryOverdueAfter)
	case WaitUntil, WaitProvider, WaitLater:
		return w.Until, w.Until
	case WaitResume:
	}
	return now, now
}

// Settled returns b as its holder settles it: with its new recipients, without a holder, and
// due when the first of its pending messages is. waits has an entry for each recipient.
// generation is the new [Batch.Generation]. jitter returns a random duration from 0 to its
// argument.
func (b Batch) Settled(recipients []Recipient, waits []Wait, generation int64, now time.Time, jitter func(time.Duration) time.Duration) Batch {
	backoff := now.Add(jitter(Backoff(b.Round)))
	b.Recipients, b.Generation = slices.Clone(recipients), generation
	b.Holder, b.LeaseUntil, b.Claims, b.Lost, b.Losses = "", time.Time{}, 0, Lease{}, 0
	b.NotBefore, b.DueAt, b.StartedAt = time.Time{}, time.Time{}, time.Time{}
	retries := false
	for i, rec := range recipients {
		if !rec.Status.Pending() {
			b.Recipients[i].NotBefore = time.Time{}
			continue
		}
		from, due := waits[i].instants(now, backoff)
		switch waits[i].Kind {
		case WaitRetry:
			retries = true
			b.Recipients[i].NotBefore = from
		case WaitProvider, WaitUntil:
			b.Recipients[i].NotBefore = from
		case WaitResume, WaitTurn, WaitLater:
		}
		if b.DueAt.IsZero() {
			b.NotBefore, b.DueAt = from, due
		}
		b.NotBefore, b.DueAt = earlier(b.NotBefore, from), earlier(b.DueAt, due)
	}
	if retries {
		b.Round++
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
