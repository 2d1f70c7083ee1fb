package mailing_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

// moscow33 returns the client of most of these tests, as it is read after a claim was
// lost.
func moscow33(since time.Time) map[mailing.ClientID]mailing.Client {
	return map[mailing.ClientID]mailing.Client{33: {ID: 33, Phone: "79001234567", Timezone: "Europe/Moscow", ZoneSince: since}}
}

// goneAt returns the same client, deleted at an instant.
func goneAt(at time.Time) map[mailing.ClientID]mailing.Client {
	return map[mailing.ClientID]mailing.Client{33: {ID: 33, Timezone: "Europe/Moscow", GoneAt: at}}
}

func TestAClaimWhoseLeaseWasOverAtOnceChargesNothing(t *testing.T) {
	for _, until := range []time.Time{noon, noon.Add(-time.Minute)} {
		b := mailing.Batch{
			Recipients: []mailing.Recipient{{Client: 33, Status: mailing.Queued}}, Claims: 2, Lost: mailing.Lease{From: noon, Until: until},
		}
		recipients, waits, charged := b.Recovered(running(), moscow33(time.Time{}), noon.Add(time.Minute))
		if charged != 0 || recipients[0] != b.Recipients[0] || waits[0].Kind != mailing.WaitTurn {
			t.Errorf("until %s: charged %d: %+v, %+v", until, charged, recipients[0], waits[0])
		}
	}
}

func TestALostClaimChargesTheMessagesThatItMayHaveHandedOver(t *testing.T) {
	// The claim lasted from noon to a minute after it.
	lost := mailing.Lease{From: noon, Until: noon.Add(time.Minute)}
	closed, opens := window(t, "17:00", "21:00"), noon.Add(2*time.Hour)
	editedAt := func(at time.Time) func(*mailing.Mailing) {
		return func(m *mailing.Mailing) { m.Generation, m.GenerationAt = 1, at }
	}
	edited, before := editedAt(noon.Add(1-mailing.Trust)), editedAt(noon.Add(-mailing.Trust-1))
	endsAt := func(at time.Time) func(*mailing.Mailing) { return func(m *mailing.Mailing) { m.EndAt = at } }
	cancelledAt := func(at time.Time) func(*mailing.Mailing) {
		return func(m *mailing.Mailing) { m.Status, m.CancelledAt = mailing.StatusCancelled, at }
	}
	queued := mailing.Recipient{Client: 33, Status: mailing.Queued}
	deferred := mailing.Recipient{Client: 33, Status: mailing.Deferred, NotBefore: opens}
	for _, test := range []struct {
		name      string
		mailing   mailing.Mailing
		recipient mailing.Recipient
		clients   map[mailing.ClientID]mailing.Client
		want      bool
	}{
		{"it was queued", running(), queued, moscow33(time.Time{}), true},
		{"it was sent before", running(), mailing.Recipient{Client: 33, Status: mailing.Sent}, moscow33(time.Time{}), false},
		{"its retry came within the claim", running(), mailing.Recipient{Client: 33, Status: mailing.Retrying, NotBefore: lost.Until}, moscow33(time.Time{}), true},
		{"its retry came after the claim", running(), mailing.Recipient{Client: 33, Status: mailing.Retrying, NotBefore: lost.Until.Add(1)}, moscow33(time.Time{}), false},
		{"it was deferred beyond the claim", running(closed), deferred, moscow33(time.Time{}), false},
		{"it was deferred beyond the claim, and its client is deleted by now", running(closed), deferred, nil, false},
		{"it was deferred beyond the claim by an older generation", running(edited), deferred, moscow33(time.Time{}), true},
		{"it was deferred by an older generation, and its window is closed by the new one, too", running(closed, before), deferred, moscow33(time.Time{}), false},
		{"it was deferred by an older generation, and its window is open by the new one", running(before), deferred, moscow33(time.Time{}), true},
		{"it was queued, and its window is closed, but an edit as the claim began may have closed it", running(closed, edited), queued, moscow33(time.Time{}), true},
		{"its retry came after the claim, under any generation", running(edited), mailing.Recipient{Client: 33, Status: mailing.Retrying, NotBefore: lost.Until.Add(1)}, moscow33(time.Time{}), false},
		{"it was queued, and its window was closed", running(closed), queued, moscow33(time.Time{}), false},
		{"it was queued, and its window was closed, but its zone had just been edited", running(closed), queued, moscow33(noon.Add(-time.Second)), true},
		{"it was queued, its window was closed, and its client is deleted by now", running(closed), queued, nil, true},
		{"its client was deleted before", running(), queued, goneAt(noon.Add(-mailing.Trust - 1)), false},
		{"its client had just been deleted", running(), queued, goneAt(noon.Add(-mailing.Trust)), true},
		{"its client was deleted since, and its window was closed", running(closed), queued, goneAt(noon.Add(time.Hour)), false},
		{"the mailing had ended", running(endsAt(noon.Add(-mailing.Trust))), queued, moscow33(time.Time{}), false},
		{"the mailing had just ended", running(endsAt(noon.Add(1 - mailing.Trust))), queued, moscow33(time.Time{}), true},
		{"the mailing was cancelled before", running(cancelledAt(noon.Add(-mailing.Trust))), queued, moscow33(time.Time{}), false},
		{"the mailing was cancelled during the claim", running(cancelledAt(noon.Add(time.Second))), queued, moscow33(time.Time{}), true},
	} {
		b := mailing.Batch{Recipients: []mailing.Recipient{test.recipient}, Claims: 2, Lost: lost}
		recipients, waits, charged := b.Recovered(test.mailing, test.clients, noon.Add(2*time.Minute))
		if got := charged == 1; got != test.want || recipients[0].Uncertain != charged {
			t.Errorf("%s: charged %t, want %t: %+v", test.name, got, test.want, recipients[0])
		}
		if test.want {
			continue
		}
		if diff := cmp.Diff(test.recipient, recipients[0]); diff != "" {
			t.Errorf("%s: it changes (-want +got):\n%s", test.name, diff)
		}
		if test.recipient.Status.Pending() && !waits[0].Until.Equal(test.recipient.NotBefore) {
			t.Errorf("%s: it waits until %s", test.name, waits[0].Until)
		}
		settled := b.Settled(recipients, waits, 0, noon.Add(2*time.Minute), func(d time.Duration) time.Duration { return d })
		if settled.Pending() == settled.DueAt.IsZero() {
			t.Errorf("%s: pending %t, due %s", test.name, settled.Pending(), settled.DueAt)
		}
	}
}

// TestADeferredMessageOfALostClaimFollowsItsClientsNewZone checks that a message that was
// deferred by its client's old zone is decided again after the recovery: an edit of the
// zone leaves a batch with a lost claim to its next sender, which makes the recovery.
func TestADeferredMessageOfALostClaimFollowsItsClientsNewZone(t *testing.T) {
	opens := noon.Add(10 * time.Hour)
	for name, test := range map[string]struct {
		edited, until time.Time
	}{
		"never edited":                  {time.Time{}, opens},
		"edited before it was deferred": {noon.Add(-mailing.MaxPageTime), opens},
		"edited as it was deferred":     {noon.Add(1 - mailing.MaxPageTime), noon.Add(2 * time.Minute)},
		"edited after it was deferred":  {noon.Add(time.Minute), noon.Add(2 * time.Minute)},
	} {
		b := mailing.Batch{
			Recipients: []mailing.Recipient{{Client: 33, Status: mailing.Deferred, At: noon, NotBefore: opens}},
			Claims:     2, Lost: mailing.Lease{From: noon, Until: noon.Add(time.Minute)},
		}
		now := noon.Add(2 * time.Minute)
		recipients, waits, charged := b.Recovered(running(window(t, "17:00", "21:00")), moscow33(test.edited), now)
		settled := b.Settled(recipients, waits, 0, now, func(d time.Duration) time.Duration { return d })
		if charged != 0 || !settled.NotBefore.Equal(test.until) || settled.Recipients[0].NotBefore.After(test.until) {
			t.Errorf("%s: charged %d, waits until %s (the message %s), want %s", name, charged, settled.NotBefore, settled.Recipients[0].NotBefore, test.until)
		}
	}
}

func TestALostClaimChargesTheTestMessageOfAMailingThatWasCancelledBefore(t *testing.T) {
	cancelled := running(func(m *mailing.Mailing) { m.Status, m.CancelledAt = mailing.StatusCancelled, noon.Add(-time.Hour) })
	b := mailing.TestBatch(1, mailing.Test{Mailing: cancelled.ID, Phone: "79001234567"}, noon)
	b.Claims, b.Lost = 2, mailing.Lease{From: noon.Add(time.Second), Until: noon.Add(time.Minute)}
	recipients, _, charged := b.Recovered(cancelled.ForTest(b.CreatedAt), nil, noon.Add(2*time.Minute))
	if charged != 1 || recipients[0].Status != mailing.Uncertain {
		t.Errorf("charged %d, %+v", charged, recipients[0])
	}
}

func TestOneAttemptIsChargedHoweverManyClaimsWereLost(t *testing.T) {
	for _, claims := range []int{2, 3, 7} {
		b := mailing.Batch{
			Recipients: []mailing.Recipient{{Client: 33, Status: mailing.Queued}}, Claims: claims,
			Lost: mailing.Lease{From: noon, Until: noon.Add(time.Minute)},
		}
		for _, test := range []struct {
			mailing mailing.Mailing
			losses  int
			want    mailing.Recipient
		}{
			{running(), 0, mailing.Recipient{Client: 33, Status: mailing.Retrying, Attempts: 1, Uncertain: 1, At: noon, Error: mailing.LostCode}},
			{running(stop), 0, mailing.Recipient{Client: 33, Status: mailing.Uncertain, Attempts: 1, Uncertain: 1, At: noon, Error: mailing.LostCode}},
			{running(), mailing.MaxLosses - 1, mailing.Recipient{Client: 33, Status: mailing.Uncertain, Attempts: 1, Uncertain: 1, At: noon, Error: mailing.PoisonCode}},
		} {
			b.Losses = test.losses
			recipients, waits, _ := b.Recovered(test.mailing, moscow33(time.Time{}), noon)
			if diff := cmp.Diff(test.want, recipients[0]); diff != "" {
				t.Errorf("%d claims (-want +got):\n%s", claims, diff)
			}
			if waits[0].Kind != mailing.WaitRetry {
				t.Errorf("it waits for %v, want a backoff", waits[0].Kind)
			}
		}
	}
}
