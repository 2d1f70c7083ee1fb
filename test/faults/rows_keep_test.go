package faults_test

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// longer is the time by which the end is put off. It is longer than messages are kept, so
// a message that is kept by the old end is gone before the new end.
const longer = dynamotest.Retention + 30*24*time.Hour

// keepRows are ends that are put off after messages were settled. The messages are kept
// by the new end, and failures can be tried again until then.
func keepRows() []row {
	// after runs a mailing until nine messages have failed and one waits, and puts the
	// end off. It lets more time pass than messages are kept by the old end, and tries
	// the failures again.
	after := func(name string, act func(w *world, m mailing.Mailing)) row {
		return row{name: "the end is put off after messages failed" + name, run: func(w *world) {
			m := w.failed(9)
			act(w, m)
			w.run(10*time.Minute, nil)
			w.clock.AdvanceTo(m.EndAt.Add(dynamotest.Retention + time.Hour))
			w.expire()
			w.provider.behave(nil)
			w.must(m.ID, "retry")
			w.run(2*time.Hour, w.finished(m.ID))
			w.sentAll(m.ID, 10)
			w.keeps(m.ID)
		}}
	}
	rows := []row{
		after("", func(w *world, m mailing.Mailing) { w.putOff(m, longer) }),
		after(" twice", func(w *world, m mailing.Mailing) {
			w.putOff(m, 30*time.Minute)
			w.run(3*time.Second, nil)
			w.putOff(m, longer)
		}),
		after(", and the clock was set back in between", func(w *world, m mailing.Mailing) {
			w.putOff(m, 30*time.Minute)
			w.run(2*time.Minute, nil)
			w.clock.Advance(-3 * time.Minute)
			w.putOff(m, longer)
		}),
		after(", while it is paused", func(w *world, m mailing.Mailing) {
			w.must(m.ID, "pause")
			w.putOff(m, longer)
			w.run(10*time.Minute, nil)
			w.clock.AdvanceTo(m.EndAt.Add(dynamotest.Retention + time.Hour))
			w.expire()
			w.must(m.ID, "resume")
		}),
		after(", by a sender that does not know of it", func(w *world, m mailing.Mailing) {
			w.provider.behave(func(mailing.Handover) (mailing.Outcome, bool) {
				if w.mailing(m.ID).EndAt.Equal(m.EndAt) {
					w.putOff(m, longer)
					w.clock.Advance(mailing.ExtendAfter)
					w.sweep()
					w.doTasks()
				}
				return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}, false
			})
			w.run(time.Hour, func() bool { return w.mailing(m.ID).Finished })
		}),
	}
	for kind, name := range accidents {
		for _, call := range []string{"scheduler: Query", "scheduler: UpdateItem", "scheduler: GetItem"} {
			rows = append(rows, after(", then an accident: "+name+", "+call, func(w *world, m mailing.Mailing) {
				w.putOff(m, longer)
				w.clock.Advance(mailing.ExtendAfter)
				w.gate.named, w.gate.kind = call, kind
			}))
		}
	}
	return append(rows,
		row{name: "the end is put off, then the mailing is cancelled", run: func(w *world) {
			m := w.failed(9)
			w.putOff(m, longer)
			w.must(m.ID, "cancel")
			w.run(10*time.Minute, w.finished(m.ID))
			w.clock.AdvanceTo(m.EndAt.Add(dynamotest.Retention + time.Hour))
			w.expire()
			w.ends(m.ID, mailing.Counts{Total: 10, Failed: 9, Cancelled: 1})
			w.keeps(m.ID)
		}},
		row{name: "the end is put off, and brought forward again", run: func(w *world) {
			m := w.failed(9)
			w.putOff(m, longer)
			w.run(3*time.Minute, nil)
			w.putOff(m, -time.Hour)
			w.run(25*time.Hour, w.finished(m.ID))
			w.ends(m.ID, mailing.Counts{Total: 10, Failed: 9, Expired: 1})
			w.keeps(m.ID)
		}})
}

// failed runs a mailing until n messages have failed, and one more waits.
func (w *world) failed(n int) mailing.Mailing {
	w.t.Helper()
	waits := w.clients(n + 1)[0].Phone
	w.provider.behave(func(h mailing.Handover) (mailing.Outcome, bool) {
		if h.Phone == waits {
			return mailing.Outcome{Kind: mailing.OutcomeThrottled, Code: "http_429", RetryAfter: time.Minute}, false
		}
		return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: "http_400"}, false
	})
	m := w.create(nil)
	w.sweep()
	w.run(time.Minute, nil)
	if c := w.counts(m.ID); c.Failed != int64(n) || c.Pending() != 1 {
		w.t.Fatalf("counts %+v", c)
	}
	return m
}

// putOff moves the end of a mailing to its first end plus a duration.
func (w *world) putOff(m mailing.Mailing, by time.Duration) {
	w.t.Helper()
	w.must(m.ID, `{"end_at": "`+m.EndAt.Add(by).Format(time.RFC3339Nano)+`"}`)
}

// expire removes the batches that DynamoDB may have removed by now.
func (w *world) expire() {
	w.t.Helper()
	pages := dynamodb.NewScanPaginator(w.env.Client, &dynamodb.ScanInput{TableName: &w.env.Tables.Batches, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.ctx)
		if err != nil {
			w.t.Fatalf("scan batches: %v", err)
		}
		for _, it := range page.Items {
			ttl, ok := it["ttl"].(*types.AttributeValueMemberN)
			if !ok {
				continue
			}
			if at, err := strconv.ParseInt(ttl.Value, 10, 64); err != nil || at > w.clock.Now().Unix() {
				continue
			}
			_, err := w.env.Client.TransactWriteItems(w.ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Delete: &types.Delete{
				TableName: &w.env.Tables.Batches, Key: map[string]types.AttributeValue{"part": it["part"], "id": it["id"]},
			}}}})
			if err != nil {
				w.t.Fatalf("remove a batch: %v", err)
			}
		}
	}
}

// keeps demands that all messages of a finished mailing are listed as long as messages
// are kept after its end, whatever DynamoDB may have removed by then, and that none is
// listed after that.
func (w *world) keeps(id mailing.ID) {
	w.t.Helper()
	m := w.mailing(id)
	until := m.EndAt.Add(dynamotest.Retention)
	listed := func() int64 {
		list, err := w.store.ListMessages(w.ctx, mailing.MessageQuery{Mailing: id, Limit: 100})
		if err != nil {
			w.t.Fatalf("list messages: %v", err)
		}
		return int64(len(list.Items))
	}
	w.clock.AdvanceTo(until.Add(-time.Second))
	w.expire()
	if n := listed(); n != m.Counts.Total {
		w.t.Errorf("a second before their time is up %d of %d messages are listed", n, m.Counts.Total)
	}
	w.clock.AdvanceTo(until)
	if n := listed(); n != 0 {
		w.t.Errorf("after their time %d messages are listed", n)
	}
}
