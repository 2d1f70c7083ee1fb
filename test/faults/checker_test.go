package faults_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"postrider/internal/mailing"
)

// check compares the three books of a mailing: its audience, what the sending
// API took, and the tables. Nobody is missed, nobody is met who was not asked
// for, each duplicate is paid for by an uncertain attempt, the counts are a
// recount of the messages, and what is pending is due.
func (w *world) check(id mailing.MailingID) {
	w.t.Helper()
	m := w.mailing(id)
	counted := mailing.Counts{}
	known := map[mailing.ClientID]bool{}
	for _, msg := range w.messages(id) {
		if known[msg.Member.Client] {
			w.t.Errorf("client %d has two messages of mailing %d", msg.Member.Client, id)
		}
		known[msg.Member.Client] = true
		status := msg.Member.Status
		if status == mailing.Sending {
			w.t.Errorf("message %d is still being sent", msg.ID)
		}
		counted.Count(status, 1)
		taken := len(w.provider.handed[msg.ID])
		if taken > 1+msg.Member.Uncertain {
			w.t.Errorf("message %d was taken %d times, with %d uncertain attempts", msg.ID, taken, msg.Member.Uncertain)
		}
		if status == mailing.Sent && taken == 0 {
			w.t.Errorf("message %d is called sent, and was never taken", msg.ID)
		}
		if taken > 0 && !status.Pending() && status != mailing.Sent && msg.Member.Uncertain == 0 {
			w.t.Errorf("message %d is called %s, and was taken", msg.ID, status)
		}
		for _, at := range w.provider.handed[msg.ID] {
			if at.Before(m.StartAt) || !at.Before(m.EndAt) {
				w.t.Errorf("message %d was handed over at %s", msg.ID, at)
			}
		}
	}
	for handed := range w.provider.handed {
		if handed.Mailing() == id && !known[handed.Client()] {
			w.t.Errorf("message %d was handed over, and is of no batch", handed)
		}
	}
	counts := w.counts(id)
	if counted != counts {
		w.t.Errorf("mailing %d: recounted %+v, counts say %+v", id, counted, counts)
	}
	if m.Finished {
		for _, c := range w.audience {
			if m.Status == mailing.StatusCompleted && m.Filter.Matches(c) && !known[c.ID] {
				w.t.Errorf("client %d was missed by mailing %d", c.ID, id)
			}
		}
		if counts.Pending() != 0 {
			w.t.Errorf("mailing %d is finished with %+v", id, counts)
		}
	}
	w.checkDue()
}

// checkDue demands that a batch is due exactly while something is pending.
func (w *world) checkDue() {
	w.t.Helper()
	pages := dynamodb.NewScanPaginator(w.env.Client, &dynamodb.ScanInput{TableName: &w.env.Tables.Batches, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, it := range page.Items {
			var b struct {
				Part    string `dynamodbav:"part"`
				Sort    string `dynamodbav:"id"`
				DueAt   int64  `dynamodbav:"due_at"`
				TTL     int64  `dynamodbav:"ttl"`
				Members string `dynamodbav:"members"`
			}
			if err := attributevalue.UnmarshalMap(it, &b); err != nil {
				w.t.Fatal(err)
			}
			if b.Members == "" {
				continue
			}
			pending := strings.Contains(b.Members, `"s":"q"`) || strings.Contains(b.Members, `"s":"r"`) || strings.Contains(b.Members, `"s":"d"`)
			if pending != (b.DueAt != 0) || pending == (b.TTL != 0) {
				w.t.Errorf("batch %s %s: pending %t, due %d, ttl %d", b.Part, b.Sort, pending, b.DueAt, b.TTL)
			}
		}
	}
}

// sentAll demands that a mailing is completed with all n messages sent, each
// handed over once.
func (w *world) sentAll(t *testing.T, id mailing.MailingID, n int64) {
	t.Helper()
	if c := w.counts(id); c != (mailing.Counts{Total: n, Sent: n}) {
		t.Errorf("counts %+v", c)
	}
	for msg, times := range w.provider.handed {
		if len(times) != 1 {
			t.Errorf("message %d was taken %d times", msg, len(times))
		}
	}
	w.check(id)
}
