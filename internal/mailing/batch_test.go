package mailing_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

// inZones returns n clients of slice 0. The zones are given to them in turn.
func inZones(n int, zones ...string) []mailing.Client {
	clients := make([]mailing.Client, n)
	for i := range clients {
		clients[i] = mailing.Client{ID: mailing.ClientID(16 * (i + 1)), Phone: "79001234567", Timezone: zones[i%len(zones)]}
	}
	return clients
}

func TestAPageHoldsEachClientOnceInBatchesOfOneOpening(t *testing.T) {
	m := running(window(t, "09:00", "21:00"))
	clients := inZones(1000, "Europe/Moscow", "Asia/Vladivostok", "America/New_York", "Europe/Kaliningrad")
	batches, counts, taken := mailing.GroupPage(m, 0, clients, noon)
	if taken != 1000 {
		t.Fatalf("took %d", taken)
	}
	if diff := cmp.Diff(mailing.Counts{Total: 1000, Queued: 500, Deferred: 500}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	seen := map[mailing.ClientID]bool{}
	for _, b := range batches {
		if len(b.Recipients) > mailing.BatchSize {
			t.Errorf("batch %s has %d recipients", b.Key, len(b.Recipients))
		}
		if b.DueAt.IsZero() {
			t.Errorf("batch %s is pending and not due", b.Key)
		}
		for _, rec := range b.Recipients {
			if seen[rec.Client] {
				t.Errorf("client %d is in the page twice", rec.Client)
			}
			seen[rec.Client] = true
			if deferred := !b.NotBefore.IsZero(); deferred != (rec.Status == mailing.Deferred) {
				t.Errorf("client %d is %s in a batch that waits until %s", rec.Client, rec.Status, b.NotBefore)
			}
		}
	}
	if len(seen) != 1000 {
		t.Errorf("the page has %d clients", len(seen))
	}
}

func TestAPageOfAClosedMailingIsAccountedForAtOnce(t *testing.T) {
	for _, test := range []struct {
		mailing mailing.Mailing
		now     time.Time
		want    mailing.Counts
	}{
		{running(), end, mailing.Counts{Total: 60, Expired: 60}},
		{running(status(mailing.StatusCancelled)), noon, mailing.Counts{Total: 60, Cancelled: 60}},
	} {
		batches, counts, _ := mailing.GroupPage(test.mailing, 0, inZones(60, "UTC"), test.now)
		if diff := cmp.Diff(test.want, counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
		for _, b := range batches {
			if !b.DueAt.IsZero() || b.Pending() {
				t.Errorf("batch %s is due at %s", b.Key, b.DueAt)
			}
		}
	}
}

func TestABatchIsDueExactlyWhileSomethingIsPending(t *testing.T) {
	full := func(d time.Duration) time.Duration { return d }
	later := noon.Add(3 * time.Hour)
	sent := mailing.Recipient{Client: 16, Status: mailing.Sent}
	retrying := mailing.Recipient{Client: 32, Status: mailing.Retrying}
	deferred := mailing.Recipient{Client: 48, Status: mailing.Deferred}
	tests := []struct {
		name       string
		recipients []mailing.Recipient
		waits      []mailing.Wait
		round      int
		notBefore  time.Time
		due        time.Time
	}{
		{"all done", []mailing.Recipient{sent}, []mailing.Wait{{}}, 0, time.Time{}, time.Time{}},
		{"a retry, first round", []mailing.Recipient{sent, retrying}, []mailing.Wait{{}, {Kind: mailing.WaitRetry}}, 0, noon.Add(15 * time.Second), noon.Add(75 * time.Second)},
		{"a retry, fourth round", []mailing.Recipient{retrying}, []mailing.Wait{{Kind: mailing.WaitRetry}}, 3, noon.Add(2 * time.Minute), noon.Add(3 * time.Minute)},
		{"a retry, late round", []mailing.Recipient{retrying}, []mailing.Wait{{Kind: mailing.WaitRetry}}, 60, noon.Add(15 * time.Minute), noon.Add(16 * time.Minute)},
		{"a retry that has to wait longer than the backoff", []mailing.Recipient{retrying}, []mailing.Wait{{Kind: mailing.WaitRetry, Until: noon.Add(time.Hour)}}, 0, noon.Add(time.Hour), noon.Add(time.Hour + time.Minute)},
		{"a window", []mailing.Recipient{deferred}, []mailing.Wait{{Kind: mailing.WaitUntil, Until: later}}, 0, later, later},
		{"a window and a retry: due at the earlier instant", []mailing.Recipient{deferred, retrying}, []mailing.Wait{{Kind: mailing.WaitUntil, Until: later}, {Kind: mailing.WaitRetry}}, 0, noon.Add(15 * time.Second), noon.Add(75 * time.Second)},
		{"two retries, one of which has to wait: due at the earlier instant", []mailing.Recipient{retrying, retrying}, []mailing.Wait{{Kind: mailing.WaitRetry}, {Kind: mailing.WaitRetry, Until: noon.Add(time.Hour)}}, 0, noon.Add(15 * time.Second), noon.Add(75 * time.Second)},
		{"the provider caused the failure", []mailing.Recipient{retrying}, []mailing.Wait{{Kind: mailing.WaitProvider, Until: noon.Add(time.Minute)}}, 5, noon.Add(time.Minute), noon.Add(time.Minute)},
		{"claimed before its retry", []mailing.Recipient{retrying}, []mailing.Wait{{Kind: mailing.WaitLater, Until: noon.Add(time.Minute)}}, 5, noon.Add(time.Minute), noon.Add(time.Minute)},
		{"held by a pause", []mailing.Recipient{retrying}, []mailing.Wait{{Kind: mailing.WaitResume}}, 0, noon, noon},
		{"no time left", []mailing.Recipient{retrying}, []mailing.Wait{{Kind: mailing.WaitTurn}}, 0, noon, noon.Add(time.Minute)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := mailing.Batch{Recipients: test.recipients, Holder: "me", LeaseUntil: later, Claims: 3, Round: test.round}
			got := b.Settled(test.recipients, test.waits, 0, noon, full)
			if !got.NotBefore.Equal(test.notBefore) || !got.DueAt.Equal(test.due) {
				t.Errorf("waits until %s, due %s", got.NotBefore, got.DueAt)
			}
			if got.Pending() == got.DueAt.IsZero() {
				t.Errorf("pending is %t, due %s", got.Pending(), got.DueAt)
			}
			if got.Holder != "" || !got.LeaseUntil.IsZero() || got.Claims != 0 {
				t.Errorf("it is still held: %+v", got)
			}
		})
	}
}

func TestATaskQueuesOverdueBatchesAgain(t *testing.T) {
	ahead := noon.Add(3 * time.Hour)
	paused, cancelled := status(mailing.StatusPaused), status(mailing.StatusCancelled)
	edited := func(m *mailing.Mailing) { m.Generation = 1 }
	resumed := func(m *mailing.Mailing) { m.ResumedAt = noon.Add(-time.Minute) }
	up := mailing.Outage{}
	down, ended := up.Begun(noon.Add(-time.Hour)), mailing.Outage{Ended: noon.Add(-time.Minute)}
	type answer struct {
		Delay     time.Duration
		Freed, OK bool
	}
	tests := []struct {
		name    string
		mailing mailing.Mailing
		due     mailing.Due
		outage  mailing.Outage
		now     time.Time
		want    answer
	}{
		{"overdue", running(), mailing.Due{DueAt: noon.Add(-time.Minute)}, up, noon, answer{0, false, true}},
		{"overdue soon: with the remaining delay", running(), mailing.Due{DueAt: noon.Add(time.Minute)}, up, noon, answer{time.Minute, false, true}},
		{"due later", running(), mailing.Due{DueAt: ahead, NotBefore: ahead}, up, noon, answer{}},
		{"paused", running(paused), mailing.Due{DueAt: noon}, up, noon, answer{}},
		{"paused, its end passed", running(paused), mailing.Due{DueAt: ahead}, up, end, answer{0, true, true}},
		{"cancelled: each pending batch", running(cancelled), mailing.Due{DueAt: ahead, NotBefore: ahead}, up, noon, answer{0, true, true}},
		{"cancelled, but held: with the delay until the lease ends", running(cancelled), mailing.Due{DueAt: noon.Add(30 * time.Second), LeaseUntil: noon.Add(30 * time.Second)}, up, noon, answer{30 * time.Second, false, true}},
		{"cancelled, but in the queue already", running(cancelled), mailing.Due{DueAt: ahead, Sweeps: 1}, up, noon, answer{}},
		{"past the end", running(), mailing.Due{DueAt: end.Add(time.Hour)}, up, end, answer{0, true, true}},
		{"edited since it was deferred", running(edited), mailing.Due{DueAt: ahead, NotBefore: ahead}, up, noon, answer{0, true, true}},
		{"deferred under the current generation", running(edited), mailing.Due{DueAt: ahead, NotBefore: ahead, Generation: 1}, up, noon, answer{}},
		{"queued before a resume", running(resumed), mailing.Due{DueAt: noon.Add(3 * time.Minute)}, up, noon, answer{0, false, true}},
		{"queued by a sweep before a resume", running(resumed), mailing.Due{DueAt: noon.Add(18 * time.Minute), Sweeps: 3}, up, noon, answer{0, false, true}},
		{"queued after a resume", running(resumed), mailing.Due{DueAt: noon.Add(5 * time.Minute), Sweeps: 1}, up, noon, answer{}},
		{"resumed, and it waits for its window", running(resumed), mailing.Due{DueAt: ahead, NotBefore: ahead}, up, noon, answer{}},
		{"resumed, and a sender holds it", running(resumed), mailing.Due{DueAt: noon.Add(3 * time.Minute), LeaseUntil: noon.Add(3 * time.Minute)}, up, noon, answer{}},
		{"overdue while the provider is down", running(), mailing.Due{DueAt: noon.Add(-time.Hour)}, down, noon, answer{}},
		{"edited while the provider is down", running(edited), mailing.Due{DueAt: ahead, NotBefore: ahead}, down, noon, answer{}},
		{"cancelled while the provider is down", running(cancelled), mailing.Due{DueAt: ahead, NotBefore: ahead}, down, noon, answer{0, true, true}},
		{"queued before the provider came back", running(), mailing.Due{DueAt: noon.Add(3 * time.Minute)}, ended, noon, answer{0, false, true}},
		{"queued after the provider came back", running(), mailing.Due{DueAt: noon.Add(5 * time.Minute)}, ended, noon, answer{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			delay, freed, ok := test.due.Requeue(test.mailing, test.outage, test.now)
			if diff := cmp.Diff(test.want, answer{delay, freed, ok}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			horizon := test.mailing.DueHorizon(test.outage, test.now)
			if ok && !horizon.IsZero() && test.due.DueAt.After(horizon) {
				t.Errorf("a task that looks up to %s does not find it", horizon)
			}
		})
	}
}

func TestTheTimeUntilABatchIsOverdueDoublesWithEachSweepUpToAnHour(t *testing.T) {
	want := []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, time.Hour}
	for n, d := range want {
		if got := mailing.OverdueAfter(n); got != d {
			t.Errorf("after %d sweeps %s, want %s", n, got, d)
		}
	}
}

func TestAMessageIDIsMadeOfMailingIDAndClientID(t *testing.T) {
	id := mailing.NewMessageID(mailing.MaxID, 1<<32-1)
	if id != 1<<53-1 || !id.Valid() || id.Mailing() != mailing.MaxID || id.Client() != 1<<32-1 {
		t.Errorf("the largest message id is %d: mailing %d, client %d", id, id.Mailing(), id.Client())
	}
	for _, bad := range []mailing.MessageID{0, -1, 1 << 32, 1 << 53, -1 << 63, 1<<63 - 1} {
		if bad.Valid() {
			t.Errorf("%d is accepted as a message id", bad)
		}
	}
	key := mailing.BatchID{First: 4294967295, N: 12}
	if got, err := mailing.ParseBatchID(key.String()); err != nil || got != key {
		t.Errorf("%s is read as %v, %v", key, got, err)
	}
	for _, bad := range []string{"", "1#2", "0000000016#001x", "9999999999#001", "00000000a6#001"} {
		if _, err := mailing.ParseBatchID(bad); err == nil {
			t.Errorf("%q is accepted as the id of a batch", bad)
		}
	}
}

func TestCountsAlwaysAddUp(t *testing.T) {
	recipients := make([]mailing.Recipient, 0, len(mailing.MessageStatuses))
	for _, s := range mailing.MessageStatuses {
		recipients = append(recipients, mailing.Recipient{Status: s})
	}
	c := mailing.CountRecipients(recipients)
	if c.Total != 9 || c.Pending() != 3 || c.Terminal() != 6 {
		t.Errorf("total %d, pending %d, terminal %d", c.Total, c.Pending(), c.Terminal())
	}
	if diff := cmp.Diff(mailing.Counts{}, c.Minus(c)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
