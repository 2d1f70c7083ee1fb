//go:build integration

package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	domain "postrider/internal/mailing"
	"postrider/test/invariants"
)

// queues is the answer of GET /api/queues.
type queues struct {
	Queues []struct {
		Name      string   `json:"name"`
		Waiting   int      `json:"waiting"`
		InFlight  int      `json:"in_flight"`
		Delayed   int      `json:"delayed"`
		OldestAge *float64 `json:"oldest_age_seconds"`
	} `json:"queues"`
	DeadLetters []struct {
		MessageID int64  `json:"message_id"`
		MailingID int64  `json:"mailing_id"`
		ClientID  int64  `json:"client_id"`
		Reason    string `json:"reason"`
		Attempts  int    `json:"attempts"`
	} `json:"dead_letters"`
}

// The queues in the order in which they are shown.
const (
	tasksQueue = iota
	deliveriesQueue
	deadLettersQueue
)

func (s *service) queues(t *testing.T) queues {
	t.Helper()
	var q queues
	s.call(t, http.MethodGet, "/api/queues", nil, http.StatusOK, &q)
	if len(q.Queues) != 4 || q.Queues[tasksQueue].Name != "tasks" || q.Queues[deliveriesQueue].Name != "deliveries" || q.Queues[deadLettersQueue].Name != "dead-letters" {
		t.Fatalf("queues %+v", q.Queues)
	}
	return q
}

// testQueues looks at the queues during a mailing with more batches than one sender takes
// at a time.
func testQueues(t *testing.T, s *service) {
	s.clients(t, "2200", 96, func(_ int, c *client) { c.Tag = "queues" })
	s.behave(t, behaviour{LatencyMS: 2500})
	m := s.create(t, now("queues", filter{Tags: []string{"queues"}}))
	created := time.Now()
	var busy queues
	poll(t, "some batches are sent while others wait", func() (bool, string) {
		busy = s.queues(t)
		d := busy.Queues[deliveriesQueue]
		return d.Waiting > 0 && d.InFlight > 0 && d.OldestAge != nil, fmt.Sprintf("%+v", d)
	})
	d := busy.Queues[deliveriesQueue]
	// There are 16 batches, one for each slice, if every slice has a client.
	if d.Waiting+d.InFlight > domain.Slices || *d.OldestAge <= 0 || *d.OldestAge > time.Since(created).Seconds()+1 {
		t.Errorf("deliveries: %+v, the oldest has waited %.1f s", d, *d.OldestAge)
	}
	i := s.completed(t, m.ID)
	if i.Counts.Sent != 96 {
		t.Errorf("counts %+v", i.Counts)
	}
	poll(t, "nothing is left in the queues", func() (bool, string) {
		q := s.queues(t).Queues
		d, tasks := q[deliveriesQueue], q[tasksQueue]
		return d.Waiting+d.InFlight+d.Delayed+tasks.Waiting+tasks.InFlight+tasks.Delayed == 0 && d.OldestAge == nil, fmt.Sprintf("%+v", q)
	})
	figure(t, "while it runs: %d deliveries wait, the oldest for %.1f s, %d are in flight; afterwards none", d.Waiting, *d.OldestAge, d.InFlight)
}

// redriven is the answer of a redrive.
type redriven struct {
	Redriven int  `json:"redriven"`
	Stale    int  `json:"stale"`
	Kept     int  `json:"kept"`
	More     bool `json:"more"`
}

func (r redriven) plus(o redriven) redriven {
	return redriven{r.Redriven + o.Redriven, r.Stale + o.Stale, r.Kept + o.Kept, o.More}
}

// redrive requests redrives until n dead letters have been handled. Letters that another
// request has just read are hidden for some seconds.
func (s *service) redrive(t *testing.T, n int) redriven {
	t.Helper()
	var sum redriven
	poll(t, fmt.Sprintf("%d dead letters are redriven", n), func() (bool, string) {
		var one redriven
		s.call(t, http.MethodPost, "/api/queues/dead-letters/redrive", nil, http.StatusOK, &one)
		sum = sum.plus(one)
		return sum.Redriven+sum.Stale+sum.Kept >= n && !sum.More, fmt.Sprintf("%+v", sum)
	})
	return sum
}

// stray is a message body in place of a delivery. It cannot be read.
const stray = "a stray body, no delivery"

// deadBody puts a body into the dead letters, as SQS does with a message that was
// received too often. It returns a function that removes it.
func deadBody(t *testing.T, body string) (remove func()) {
	t.Helper()
	api, url := sqs.NewFromConfig(running.Config()), aws.String(running.PhysicalID("DeadLettersQueue"))
	if _, err := api.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body}); err != nil {
		t.Fatal(err)
	}
	var handle *string
	poll(t, "the body is among the dead letters", func() (bool, string) {
		out, err := api.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, VisibilityTimeout: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			if *m.Body == body {
				handle = m.ReceiptHandle
			}
		}
		return handle != nil, fmt.Sprintf("%d others", len(out.Messages))
	})
	return func() {
		if _, err := api.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: handle}); err != nil {
			t.Errorf("remove a body from the dead letters: %v", err)
		}
	}
}

// testRedrive lets messages fail, and tries them again by their dead letters. Among the
// letters are a delivery and an unreadable body.
func testRedrive(t *testing.T, s *service) {
	poll(t, "the dead letters of other parts are redriven", func() (bool, string) {
		s.redrive(t, 0)
		dead := s.queues(t).Queues[deadLettersQueue]
		return dead.Waiting+dead.InFlight == 0, fmt.Sprintf("%+v", dead)
	})
	m, _ := s.failing(t, "2100", "redrive", 60)
	letters := deadLetters(t, m.ID)
	if len(letters) != 10 {
		t.Errorf("%d dead letters of it", len(letters))
	}
	api, url := sqs.NewFromConfig(running.Config()), aws.String(running.PhysicalID("DeadLettersQueue"))
	removeStray := deadBody(t, stray)
	defer removeStray() // a part that fails must not leave it to the others
	deadBody(t, openTables().keyOf(t, domain.ID(m.ID)))
	s.reasonsAreShown(t, m.ID, "unreadable", "received_too_often")

	asked := time.Now()
	first := s.redrive(t, 12)
	if first != (redriven{Redriven: 11, Kept: 1}) {
		t.Errorf("redriven: %+v", first)
	}
	i := s.completed(t, m.ID)
	took := time.Since(asked)
	if want := (counts{Total: 60, Sent: 60}); i.Counts != want {
		t.Errorf("counts %+v", i.Counts)
	}
	sentOnce(t, s.ledger(t, m.ID), 60)

	// A queue may deliver the same letters again: they change nothing.
	for _, l := range letters {
		if _, err := api.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(l.body)}); err != nil {
			t.Fatal(err)
		}
	}
	second := s.redrive(t, 10)
	after := s.info(t, m.ID)
	if second.Redriven != 0 || second.Stale != 10 || after.Mailing.Version != i.Mailing.Version || after.Counts != i.Counts {
		t.Errorf("the second time: %+v, %+v", second, after)
	}
	sentOnce(t, s.ledger(t, m.ID), 60)
	if got := countDead(t, s, stray); got != 1 {
		t.Errorf("%d stray bodies", got)
	}
	removeStray()
	if got := countDead(t, s, stray); got != 0 {
		t.Errorf("%d stray bodies after it was removed", got)
	}
	s.agrees(t, after)
	figure(t, "10 of 60 failed; redriven with a delivery: %+v, all 60 sent once %.1f s later; the same letters again: %+v; an unreadable body stays", first, took.Seconds(), second)
}

// reasonsAreShown demands that GET /api/queues shows the ten failures of a mailing, and
// letters with the other reasons. One answer need not show all of them: letters that were
// read are hidden for two seconds.
func (s *service) reasonsAreShown(t *testing.T, id int64, others ...string) {
	t.Helper()
	failures, reasons := map[int64]bool{}, map[string]bool{}
	var dead any
	poll(t, "GET /api/queues shows the dead letters", func() (bool, string) {
		q := s.queues(t)
		for _, l := range q.DeadLetters {
			if l.MailingID == id && l.MessageID == id<<32|l.ClientID && l.Reason == "http_400" && l.Attempts == 1 {
				failures[l.MessageID] = true
			}
			reasons[l.Reason] = true
		}
		dead = q.Queues[deadLettersQueue]
		all := len(failures) == 10
		for _, reason := range others {
			all = all && reasons[reason]
		}
		return all, fmt.Sprintf("%d failures, %v, %+v", len(failures), reasons, dead)
	})
}

// testTestMessage sends a test message of a mailing that has not begun.
func testTestMessage(t *testing.T, s *service) {
	m := now("a first look", filter{Tags: []string{"no client"}})
	m.StartAt, m.EndAt = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	m = s.create(t, m)
	before := s.fullinfo(t)
	path := fmt.Sprintf("/api/mailings/%d", m.ID)
	var made message
	asked := time.Now()
	got := s.call(t, http.MethodPost, path+"/test", map[string]string{"phone": "72300000001"}, http.StatusAccepted, &made)
	if made.ID <= 0 || made.ID >= 1<<32 || !made.Test || made.MailingID != m.ID || made.ClientID != 0 || made.Phone != "72300000001" {
		t.Errorf("the test message: %+v", made)
	}
	where := fmt.Sprintf("/api/messages/%d", made.ID)
	if at := s.where(t, path+"/test", got); at != where {
		t.Errorf("Location is %q, want %q", at, where)
	}
	poll(t, "the test message is sent", func() (bool, string) {
		s.call(t, http.MethodGet, where, nil, http.StatusOK, &made)
		return made.Status == "sent", fmt.Sprintf("%+v", made)
	})
	took := time.Since(asked)
	if !made.Test || made.Attempts != 1 || made.UncertainAttempts != 0 || made.SentAt == nil || made.MailingID != m.ID {
		t.Errorf("the test message: %+v", made)
	}
	lines := s.ledger(t, int64(domain.TestMailing))
	if len(lines) != 1 || lines[0].ID != made.ID || lines[0].Phone != "72300000001" || lines[0].Answer != "accepted" {
		t.Errorf("the ledger of test messages: %+v", lines)
	}
	if i := s.info(t, m.ID); i.Counts != (counts{}) || i.Mailing.Status != "scheduled" || i.Mailing.Version != m.Version {
		t.Errorf("its mailing: %+v", i)
	}
	if after := s.fullinfo(t); after.Totals != before.Totals {
		t.Errorf("fullinfo: the totals are %+v, were %+v", after.Totals, before.Totals)
	}
	s.call(t, http.MethodPost, path+"/test", map[string]string{"phone": "7230000000"}, http.StatusUnprocessableEntity, nil)
	s.call(t, http.MethodPost, path+"/cancel", nil, http.StatusOK, nil)
	stored := openTables().read(t, domain.TestMailing)
	stored.Handovers[domain.MessageID(made.ID)] = []invariants.Handover{{At: lines[0].Arrival, Taken: true}}
	demand(t, stored)
	figure(t, "202, message %d handed over once, sent %.1f s later; the counts of its mailing and of all are as before", made.ID, took.Seconds())
}

// deadLetter is an entry of the queue of dead letters.
type deadLetter struct {
	Message int64  `json:"message_id"`
	Mailing int64  `json:"mailing_id"`
	Reason  string `json:"reason"`
	body    string
}

// deadLetters reads the letters of one mailing, and leaves the queue as it is.
func deadLetters(t *testing.T, id int64) []deadLetter {
	t.Helper()
	api := sqs.NewFromConfig(running.Config())
	url := aws.String(running.PhysicalID("DeadLettersQueue"))
	var letters []deadLetter
	read := map[string]bool{} // on a busy machine a letter is visible again before the last one is read
	for {
		out, err := api.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, VisibilityTimeout: 3})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return letters
		}
		for _, m := range out.Messages {
			l := deadLetter{body: *m.Body}
			if err := json.Unmarshal([]byte(*m.Body), &l); err != nil {
				t.Fatal(err)
			}
			if again := read[*m.MessageId]; l.Mailing == id && !again {
				letters = append(letters, l)
			}
			read[*m.MessageId] = true
		}
	}
}
