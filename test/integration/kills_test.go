//go:build integration

package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	domain "postrider/internal/mailing"
	"postrider/test/invariants"
)

// leaseReserve is how much longer than an invocation of the sender its leases last.
const leaseReserve = 5 * time.Second

// kills counts the effects of five kills.
type kills struct {
	times, senders, schedulers int
	// claimed counts the pending messages in batches that a sender held when it was
	// killed. Each may have been handed over, and may be handed over again. batches
	// counts those batches.
	batches, claimed int
	// counted holds the holders of the claims that are counted. A claim whose lease
	// outlives the next kill is not counted again.
	counted map[string]bool
}

// testKills kills the senders and the scheduler in the middle of each of five
// mailings, while the sending API fails and hangs. KILLS=large makes the mailings
// large enough for the figure in docs/promise.md.
func testKills(t *testing.T, s *service) {
	each, audience := 2000, some
	if os.Getenv("KILLS") == "large" {
		each, audience = 5000, many
	}
	begun := time.Now()
	s.behave(t, behaviour{LatencyMS: 50, ErrorShare: 0.05, HangShare: 0.01, HangMS: 2 * int(quickProvider.Milliseconds())})
	var (
		k   = kills{counted: map[string]bool{}}
		ids []domain.ID
	)
	for n := range 5 {
		m := s.create(t, now(fmt.Sprint("killed ", n+1), audience))
		ids = append(ids, domain.ID(m.ID))
		// The test does not wait for the earlier mailings: the batches that their senders
		// held are delivered among those of the new mailing.
		s.until(t, m.ID, "it is in its middle", func(i info) bool { return i.Counts.Sent > each/5 })
		k.kill(t, ids)
	}
	killed := time.Now()
	for _, id := range ids {
		s.until(t, int64(id), "everything has been tried", func(i info) bool { return i.Expanded && i.Counts.Queued == 0 })
	}
	// The wait before a fourth try is not part of this test.
	s.setBehaviour(t, behaviour{LatencyMS: 50})
	for _, id := range ids {
		if i, want := s.completed(t, int64(id)), (counts{Total: each, Sent: each}); i.Counts != want {
			t.Errorf("mailing %d: %+v", id, i.Counts)
		}
	}
	done := time.Now()
	var all []handOver
	hands := s.hands(t)
	for _, id := range ids {
		all = append(all, hands[int64(id)]...)
	}
	sum, asked := ledgerOf(all), each*len(ids)
	duplicates, bound := sum.taken-sum.unique, k.claimed+sum.hangs
	if duplicates > bound {
		t.Errorf("%d duplicates, where only %d messages were held or hung", duplicates, bound)
	}
	if k.times != 5 || k.senders < 5 || k.schedulers < 5 {
		t.Errorf("%+v", k)
	}
	onlyText(t, "SenderFunction")
	figure(t, "%d kills: %d senders and %d schedulers; the senders held %d batches", k.times, k.senders, k.schedulers, k.batches)
	figure(t, "%d messages: %d lost; %d duplicates, at most %d (%d messages held at the kills + %d hangs)",
		asked, asked-sum.unique, duplicates, bound, k.claimed, sum.hangs)
	figure(t, "it took %.0f s, %.0f s of them after the last kill", done.Sub(begun).Seconds(), done.Sub(killed).Seconds())
}

// ledgerSum sums up hand-overs.
type ledgerSum struct{ taken, unique, hangs int }

func ledgerOf(lines []handOver) (sum ledgerSum) {
	took := accepted(lines)
	sum.unique = len(took)
	for _, n := range took {
		sum.taken += n
	}
	for _, l := range lines {
		if l.Answer == "hang" {
			sum.hangs++
		}
	}
	return sum
}

// onlyText demands that a function's log holds only the function's output, and no text of
// another file that was given the number of its pipe.
func onlyText(t *testing.T, function string) {
	t.Helper()
	name := running.PhysicalID(function)
	data, err := os.ReadFile(filepath.Join(running.LogDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data) {
		t.Errorf("the log of %s holds bytes that are not text", function)
	}
}

// kill kills all senders and schedulers of the stack while a sender holds messages of
// these mailings. A sender that settles at that moment was not killed in the middle of
// anything: then kill tries again.
func (k *kills) kill(t *testing.T, ids []domain.ID) {
	t.Helper()
	tables := openTables()
	poll(t, "a sender is killed while it holds messages", func() (bool, string) {
		now := time.Now()
		if k.fresh(tables.heldAt(t, ids, now, now.Add(time.Hour))) == nil {
			return false, "nothing is held"
		}
		senders, schedulers := killAll(t)
		at := time.Now()
		k.senders, k.schedulers = k.senders+senders, k.schedulers+schedulers
		// Leases that end later belong to a sender that has begun since then.
		held := k.fresh(tables.heldAt(t, ids, at, at.Add(quickSender+leaseReserve)))
		if held == nil {
			return false, "nothing was held"
		}
		k.times++
		for _, b := range held {
			k.counted[b.Holder] = true
			k.batches++
			k.claimed += int(domain.CountRecipients(b.Recipients).Pending())
		}
		return true, ""
	})
}

// fresh returns the held batches whose claims have not been counted.
func (k *kills) fresh(held []invariants.Batch) (batches []invariants.Batch) {
	for _, b := range held {
		if !k.counted[b.Holder] {
			batches = append(batches, b)
		}
	}
	return batches
}

// killAll kills every sender and every scheduler of this stack with SIGKILL, and returns
// how many of each.
func killAll(t *testing.T) (senders, schedulers int) {
	t.Helper()
	processes, err := running.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		n := map[string]*int{"SenderFunction": &senders, "SchedulerFunction": &schedulers}[p.Function]
		if n == nil {
			continue
		}
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err == nil {
			*n++
		} else if !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	return senders, schedulers
}
