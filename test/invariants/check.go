package invariants

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"postrider/internal/mailing"
)

// Rule is one part of the promise.
type Rule string

// The rules.
const (
	// Missed: each client of the audience has a message.
	Missed Rule = "missed"
	// Unasked: each message is for a client that exists and that the filter matches, and
	// each hand-over is of a message.
	Unasked Rule = "not asked for"
	// Late: each client with a message existed when the mailing started.
	Late Rule = "created after the start"
	// Early: a mailing does not start before its start.
	Early Rule = "started early"
	// Twice: a client has one message of a mailing.
	Twice Rule = "two messages"
	// TakenAgain: each second hand-over has an uncertain attempt that was counted, and a
	// mailing that says stop has none.
	TakenAgain Rule = "taken again"
	// WrongStatus: a message that is sent was taken, a message that was taken is sent or
	// uncertain, and uncertain attempts end as sent or uncertain.
	WrongStatus Rule = "wrong status"
	// WrongTime: a hand-over begins only while the mailing and the client allow it.
	WrongTime Rule = "wrong time"
	// WrongPhone: a message goes to a phone of its client.
	WrongPhone Rule = "wrong phone"
	// WrongBatch: a batch has 1 to 50 recipients of its slice. It is due, and kept without
	// a limit, exactly while a recipient is pending. A sender holds no other batch.
	WrongBatch Rule = "wrong batch"
	// NotKept: messages are kept for the retention after the end.
	NotKept Rule = "not kept"
	// WrongCounts: the counts of slices, of mailings, in the API and over all mailings
	// equal a recount of the messages.
	WrongCounts Rule = "wrong counts"
	// Unfinished: a finished mailing has no pending message, and a completed one is
	// expanded.
	Unfinished Rule = "unfinished"
)

// Violation is one place where the records break a rule.
type Violation struct {
	Rule    Rule
	Mailing mailing.ID
	Client  mailing.ClientID // 0 if the violation is not about one client
	Detail  string
}

// String formats the violation with the ids by which logs and tables can be searched.
func (v Violation) String() string {
	if v.Client == 0 {
		return fmt.Sprintf("mailing %d: %s: %s", v.Mailing, v.Rule, v.Detail)
	}
	return fmt.Sprintf("mailing %d, client %d, message %d: %s: %s",
		v.Mailing, v.Client, mailing.NewMessageID(v.Mailing, v.Client), v.Rule, v.Detail)
}

// Report is the result of a check.
type Report struct {
	Violations []Violation
	// Messages counts the messages, TakenAgain the hand-overs of messages that had been
	// taken before, and Uncertain the uncertain attempts.
	Messages, TakenAgain, Uncertain int
}

// Count returns the number of violations of a rule.
func (r Report) Count(rule Rule) int {
	n := 0
	for _, v := range r.Violations {
		if v.Rule == rule {
			n++
		}
	}
	return n
}

// Check compares the records, and returns all violations.
func Check(r Records) Report {
	c := checker{Records: r, known: map[mailing.MessageID]bool{}}
	var all mailing.Counts
	for _, id := range slices.Sorted(maps.Keys(r.Mailings)) {
		m := r.Mailings[id]
		c.messages(id, m)
		sum := c.counts(id, m)
		if id == mailing.TestMailing {
			continue
		}
		c.audience(m)
		if !m.Deleted {
			all = all.Plus(sum)
		}
	}
	for msg := range r.Handovers {
		if !c.known[msg] {
			c.add(Unasked, msg.Mailing(), msg.Client(), "it was handed over, and is in no batch")
		}
	}
	if r.Totals != nil && *r.Totals != all {
		c.add(WrongCounts, 0, 0, "all mailings: recounted %+v, the overall statistics are %+v", all, *r.Totals)
	}
	c.report.Messages = len(c.known)
	return c.report
}

// checker collects the violations of the rules.
type checker struct {
	Records

	known  map[mailing.MessageID]bool // the messages in batches
	report Report
}

func (c *checker) add(rule Rule, id mailing.ID, client mailing.ClientID, format string, args ...any) {
	c.report.Violations = append(c.report.Violations, Violation{rule, id, client, fmt.Sprintf(format, args...)})
}

// messages checks the batches of a mailing and each message in them.
func (c *checker) messages(id mailing.ID, m *Mailing) {
	for _, b := range m.Batches {
		c.batch(m, b)
		for _, rec := range b.Recipients {
			msg := mailing.NewMessageID(id, rec.Client)
			if c.known[msg] {
				c.add(Twice, id, rec.Client, "the client has two messages")
			}
			c.known[msg] = true
			c.status(m, id, rec, taken(c.Handovers[msg]))
			if client := c.Clients[rec.Client]; id != mailing.TestMailing && client != nil {
				c.handovers(m, client, c.Handovers[msg])
			}
		}
	}
}

func (c *checker) batch(m *Mailing, b Batch) {
	wrong := func(format string, args ...any) {
		c.add(WrongBatch, b.Key.Mailing, 0, "batch %s "+format, append([]any{b.Key}, args...)...)
	}
	pending := b.Pending()
	if n := len(b.Recipients); n == 0 || n > mailing.BatchSize {
		wrong("has %d recipients", n)
	}
	if pending == b.DueAt.IsZero() {
		wrong("is pending %t, and due at %s", pending, b.DueAt)
	}
	if pending == (b.TTL != 0) {
		wrong("is pending %t, and may be removed at %d", pending, b.TTL)
	}
	if !pending && b.Holder != "" {
		wrong("is not pending, and %s holds it", b.Holder)
	}
	for _, rec := range b.Recipients {
		if rec.Client.Slice() != b.Key.Slice {
			wrong("holds client %d of slice %d", rec.Client, rec.Client.Slice())
		}
	}
	if until := m.EndAt.Add(c.Retention); m.Finished && !m.Deleted && b.TTL < until.Unix() {
		c.add(NotKept, m.ID, 0, "batch %s may be removed at %s, before %s", b.Key, time.Unix(b.TTL, 0).UTC(), until)
	}
}

// status compares a message with the number of times that the sending API took it.
func (c *checker) status(m *Mailing, id mailing.ID, rec mailing.Recipient, times int) {
	c.report.Uncertain += rec.Uncertain
	c.report.TakenAgain += max(0, times-1)
	if times > 1+rec.Uncertain {
		c.add(TakenAgain, id, rec.Client, "taken %d times, with %d uncertain attempts", times, rec.Uncertain)
	}
	if times > 1 && (m.OnUncertain == mailing.Stop || id == mailing.TestMailing) {
		c.add(TakenAgain, id, rec.Client, "taken %d times, though no second hand-over is allowed", times)
	}
	certain := !rec.Status.Pending() && rec.Status != mailing.Sent && rec.Status != mailing.Uncertain
	switch {
	case rec.Status == mailing.Sent && times == 0:
		c.add(WrongStatus, id, rec.Client, "it is sent, and was never taken")
	case certain && rec.Uncertain > 0:
		c.add(WrongStatus, id, rec.Client, "it is %s, with %d uncertain attempts", rec.Status, rec.Uncertain)
	case times > 0 && !rec.Status.Pending() && rec.Status != mailing.Sent && rec.Uncertain == 0:
		c.add(WrongStatus, id, rec.Client, "it is %s, and was taken", rec.Status)
	}
}

// handovers checks the time and the phone of each hand-over of a message.
func (c *checker) handovers(m *Mailing, client *Client, handovers []Handover) {
	for _, h := range handovers {
		unread := h.Phone == "" && !h.Taken // a provider that is down does not read the phone
		if !unread && !client.Phones[h.Phone] {
			c.add(WrongPhone, m.ID, client.ID, "it went to %s, which its client never had", h.Phone)
		}
		if reason := m.timeline().Forbidden(client, h.At); reason != "" {
			c.add(WrongTime, m.ID, client.ID, "handed over at %s: %s; its mailing was%s", h.At, reason, m.Timeline)
		}
	}
}

// timeline returns the states of a mailing. If they are not known, it is one running state
// with the stored times.
func (m *Mailing) timeline() Timeline {
	if len(m.Timeline) > 0 {
		return m.Timeline
	}
	always := m.Mailing
	always.Status, always.Deleted = mailing.StatusRunning, false
	return Timeline{{Mailing: always}}
}

// audience compares the clients with those that have a message.
func (c *checker) audience(m *Mailing) {
	if !m.StartedAt.IsZero() && m.StartedAt.Before(m.StartAt) {
		c.add(Early, m.ID, 0, "it started at %s, its start is %s", m.StartedAt, m.StartAt)
	}
	for _, rec := range m.Recipients() {
		client := c.Clients[rec.Client]
		switch {
		case client == nil:
			c.add(Unasked, m.ID, rec.Client, "no test has created the client")
		case !m.Filter.Matches(client.Client) && client.EditedAt.IsZero():
			c.add(Unasked, m.ID, rec.Client, "the filter does not match the client")
		case !m.StartedAt.IsZero() && client.CreatedAfter.Truncate(time.Millisecond).After(m.StartedAt):
			c.add(Late, m.ID, rec.Client, "the client was created after %s, the mailing started at %s", client.CreatedAfter, m.StartedAt)
		}
	}
	if m.Slices.Sum().Expanded {
		c.missed(m)
	} else if m.Status == mailing.StatusCompleted {
		c.add(Unfinished, m.ID, 0, "it is completed, and not expanded")
	}
}

// missed finds the clients of an expanded mailing's audience that have no message. A
// client that was edited after the mailing was created, or that is deleted, may have none.
func (c *checker) missed(m *Mailing) {
	first := m.timeline()[0].Mailing
	from := first.CreatedAt
	if first.StartAt.After(from) {
		from = first.StartAt
	}
	for id, client := range c.Clients {
		asked := m.Filter.Matches(client.Client) && !client.CreatedBefore.After(from)
		same := client.DeletedAt.IsZero() && client.EditedAt.Before(first.CreatedAt)
		if asked && same && !c.known[mailing.NewMessageID(m.ID, id)] {
			c.add(Missed, m.ID, id, "the client has no message")
		}
	}
}

// counts recounts the messages of a mailing, and returns the sum.
func (c *checker) counts(id mailing.ID, m *Mailing) mailing.Counts {
	var counted [mailing.Slices]mailing.Counts
	for _, b := range m.Batches {
		counted[b.Key.Slice] = counted[b.Key.Slice].Plus(mailing.CountRecipients(b.Recipients))
	}
	var sum mailing.Counts
	for slice, state := range m.Slices {
		if counted[slice] != state.Counts {
			c.add(WrongCounts, id, 0, "slice %d: recounted %+v, stored %+v", slice, counted[slice], state.Counts)
		}
		sum = sum.Plus(counted[slice])
	}
	if m.Finished && m.Counts != sum {
		c.add(WrongCounts, id, 0, "recounted %+v, stored %+v", sum, m.Counts)
	}
	if m.Shown != nil && *m.Shown != sum {
		c.add(WrongCounts, id, 0, "recounted %+v, the API shows %+v", sum, *m.Shown)
	}
	if m.Finished && sum.Pending() > 0 {
		c.add(Unfinished, id, 0, "it is finished with %+v", sum)
	}
	return sum
}
