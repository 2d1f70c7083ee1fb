//go:build integration

package integration_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	domain "postrider/internal/mailing"
)

// TestTheCheckerFindsWhatItIsFor gives the checker records in which one thing is wrong at
// a time. A checker that finds nothing elsewhere must be known to find errors.
func TestTheCheckerFindsWhatItIsFor(t *testing.T) {
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	clients := []domain.Client{{ID: 16, Phone: "79000000016", Tag: "a"}, {ID: 32, Phone: "79000000032", Tag: "a"}, {ID: 48, Phone: "79000000048", Tag: "b"}}
	id := func(c domain.ClientID) int64 { return int64(domain.NewMessageID(7, c)) }
	type world struct {
		kept
		lines []handOver
	}
	sound := func() world {
		key := domain.BatchKey{Mailing: 7, Slice: 0, Batch: domain.BatchID{First: 16}}
		recipients := []domain.Recipient{{Client: 16, Status: domain.Sent, Attempts: 1}, {Client: 32, Status: domain.Sent, Attempts: 2, Uncertain: 1}}
		counts := domain.CountRecipients(recipients)
		states := new(domain.SliceStates)
		for i := range states {
			states[i].Done = true
		}
		states[0].Counts = counts
		m := domain.Mailing{ID: 7, Status: domain.StatusCompleted, Finished: true, Counts: counts}
		m.StartAt, m.EndAt, m.Filter = noon, noon.Add(time.Hour), domain.Filter{Tags: []string{"a"}}
		line := func(c domain.Client, answer string) handOver {
			return handOver{ID: id(c.ID), Phone: c.Phone, Arrival: noon, Answer: answer}
		}
		return world{
			kept{m, states, []domain.Batch{{Key: key, Recipients: recipients}}, map[domain.BatchKey]int64{key: 1}},
			[]handOver{line(clients[0], "accepted"), line(clients[1], "hang"), line(clients[1], "accepted")},
		}
	}
	member := func(w *world, i int) *domain.Recipient { return &w.batches[0].Recipients[i] }
	for name, test := range map[string]struct {
		spoil func(w *world)
		want  string
	}{
		"nothing":                          {func(*world) {}, ""},
		"a client is missed":               {func(w *world) { w.batches[0].Recipients = w.batches[0].Recipients[:1] }, "client 32 was missed"},
		"a client was not asked for":       {func(w *world) { member(w, 1).Client = 48 }, "client 48 was not asked for"},
		"a client that nobody knows":       {func(w *world) { member(w, 1).Client = 64 }, "client 64 is nobody"},
		"a message is there twice":         {func(w *world) { member(w, 1).Client = 16 }, "is there twice"},
		"a hand-over of no message":        {func(w *world) { w.lines[0].ID = id(48) }, "is of no batch"},
		"a duplicate that nothing excuses": {func(w *world) { member(w, 1).Uncertain = 0 }, "was taken 2 times"},
		"sent, and never taken":            {func(w *world) { w.lines[0].Answer = "503" }, "was never taken"},
		"failed, and taken":                {func(w *world) { member(w, 0).Status = domain.Failed }, "is called failed, and was taken"},
		"before the start":                 {func(w *world) { w.lines[0].Arrival = noon.Add(-1) }, "was handed over at"},
		"at the end":                       {func(w *world) { w.lines[0].Arrival = w.mailing.EndAt }, "was handed over at"},
		"to another phone":                 {func(w *world) { w.lines[0].Phone = clients[1].Phone }, "the client's phone is"},
		"a slice's count is wrong":         {func(w *world) { w.states[0].Counts.Sent++ }, "recounted"},
		"a mailing's count is wrong":       {func(w *world) { w.mailing.Counts.Sent++ }, "sum up to"},
		"finished with something pending":  {func(w *world) { member(w, 0).Status = domain.Queued }, "pending true"},
		"done with, and due":               {func(w *world) { w.batches[0].DueAt = noon }, "pending false"},
		"done with, and kept for ever":     {func(w *world) { w.expiry = nil }, "expires false"},
		"done with, and held":              {func(w *world) { w.batches[0].Holder = "x" }, "and held"},
		"in another's slice":               {func(w *world) { w.batches[0].Key.Slice = 1 }, "is in batch"},
		"completed, and not expanded":      {func(w *world) { w.states[3].Done = false }, "and not expanded"},
	} {
		t.Run(name, func(t *testing.T) {
			w := sound()
			test.spoil(&w)
			f := findings{of: 7}
			f.recount(w.kept)
			f.account(w.kept, w.lines)
			f.audience(w.kept, clients, len(clients), nil)
			f.phones(clients, w.lines)
			found := slices.ContainsFunc(f.problems, func(p string) bool { return strings.Contains(p, test.want) })
			if test.want == "" && len(f.problems) > 0 || test.want != "" && !found {
				t.Errorf("it found %q, not %q", f.problems, test.want)
			}
		})
	}
}
