package faults_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// resetting returns the address of a server that resets connections without reading.
func resetting(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}

// killRows are workers that are killed.
func killRows() []row {
	// dies lets an accident happen to a call of the sender, and demands the outcome of
	// each message of the batches that it held then.
	dies := func(name, call string, kind accident, want tried) row {
		return row{name: name, run: func(w *world) {
			w.clients(1)
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			w.gate.named, w.gate.kind = "sender: "+call, kind
			w.run(time.Hour, w.finished(m.ID))
			if !w.gate.hasHappened() {
				w.t.Errorf("no call %s was made", call)
			}
			w.each(m.ID, want)
		}}
	}
	once, ambiguous := tried{mailing.Sent, 1, 0}, tried{mailing.Sent, 2, 1}
	return []row{
		dies("the sender is killed before its claim", "UpdateItem", killedBefore, once),
		dies("the sender is killed after its claim", "UpdateItem", killedAfter, ambiguous),
		dies("the sender is killed before it sends", "send", killedBefore, ambiguous),
		dies("the sender is killed after the message was accepted", "send", killedAfter, ambiguous),
		dies("the sender is killed before settlement", "TransactWriteItems", killedBefore, ambiguous),
		dies("the sender is killed after settlement", "TransactWriteItems", killedAfter, once),
		dies("a claim's answer is lost, and it is claimed again", "UpdateItem", unanswered, once),
		dies("a settlement's answer is lost", "TransactWriteItems", unanswered, once),
		dies("a hand-over's answer is lost", "send", unanswered, ambiguous),
		{name: "an answer to a claim is lost, and the SDK repeats the call", run: func(w *world) {
			w.clients(30)
			w.tables = repeating{w.env.Client}
			w.restart()
			m := w.create(nil)
			w.sweep()
			w.run(time.Hour, w.finished(m.ID))
			w.each(m.ID, once)
		}},
		{name: "the lease runs out while its sender still sends", run: func(w *world) {
			w.clients(1)
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			var late atomic.Bool
			w.sends = sending(func(ctx context.Context, h mailing.Handover) mailing.Outcome {
				o := w.provider.Send(ctx, h)
				if late.CompareAndSwap(false, true) {
					// The sender waits for the answer longer than its lease. During that
					// time another sender takes over.
					w.clock.Advance(40 * time.Second)
					held := w.sender
					w.restartSender()
					w.sweep()
					w.drain()
					w.sender = held
				}
				return o
			})
			w.restartSender()
			w.run(time.Hour, w.finished(m.ID))
			w.each(m.ID, ambiguous)
			if took := w.provider.took()[w.only(m.ID)]; len(took) != 2 {
				w.t.Errorf("taken %d times", len(took))
			}
		}},
		{days: true, name: "one poison batch among others, and they are not charged", run: func(w *world) {
			bad := w.clients(160)[0]
			m := w.create(nil)
			w.sweep()
			w.doTasks()
			kills := 0
			w.provider.behave(func(h mailing.Handover) (mailing.Outcome, bool) {
				if h.ID.Client() == bad.ID {
					// All activity of this sender ends, as when a process is killed.
					kills++
					w.gate.kill()
				}
				return mailing.Outcome{Kind: mailing.OutcomeSent}, h.ID.Client() != bad.ID
			})
			w.run(6*time.Hour, w.finished(m.ID))
			if kills != 5 {
				w.t.Errorf("it killed %d senders", kills)
			}
			for _, batch := range w.records().Mailings[m.ID].Batches {
				poisoned := slices.ContainsFunc(batch.Recipients, func(rec mailing.Recipient) bool { return rec.Client == bad.ID })
				for _, rec := range batch.Recipients {
					switch {
					case poisoned && (rec.Client == bad.ID || rec.Status != mailing.Sent) && (rec.Status != mailing.Uncertain || rec.Error != mailing.PoisonCode):
						w.t.Errorf("client %d of the poison batch: %s, %s", rec.Client, rec.Status, rec.Error)
					case !poisoned && rec.Status != mailing.Sent, !poisoned && rec.Uncertain > 1:
						w.t.Errorf("client %d of another batch: %+v", rec.Client, rec)
					}
				}
			}
		}},
		{name: "the scheduler is killed at every step", run: func(w *world) {
			steps := 0
			for at := 1; ; at += stride() {
				other := newWorld(w.test)
				other.clients(20)
				m := other.create(nil)
				other.gate.at, other.gate.kind = at, killedAfter
				other.sweep()
				other.doTasks()
				happened := other.gate.hasHappened()
				other.gate.disarm()
				other.run(time.Hour, other.finished(m.ID))
				other.sentAll(m.ID, 20)
				if !happened {
					break
				}
				steps++
			}
			if steps < 50/stride() {
				w.t.Errorf("only %d steps", steps)
			}
		}},
	}
}

// sending is a sending API that calls the function.
type sending func(context.Context, mailing.Handover) mailing.Outcome

func (s sending) Send(ctx context.Context, h mailing.Handover) mailing.Outcome { return s(ctx, h) }

// only returns the id of the only message of a mailing.
func (w *world) only(id mailing.ID) mailing.MessageID {
	w.t.Helper()
	if recipients := w.recipients(id); len(recipients) == 1 {
		return mailing.NewMessageID(id, recipients[0].Client)
	}
	w.t.Fatalf("mailing %d has not one message", id)
	return 0
}

// repeating makes each update twice, as the SDK does when the first answer was lost.
type repeating struct{ dynamo.API }

func (r repeating) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if _, err := r.API.UpdateItem(ctx, in); err != nil {
		return nil, err
	}
	return r.API.UpdateItem(ctx, in)
}

// sampled reports whether tests that take thousands of runs, or days, use a sample. They
// do over the real DynamoDB Local, and under the race detector. `make test` runs all of
// them without either.
func sampled() bool { return !dynamotest.Fast || raceDetector }

// stride returns n where each n-th of many similar steps is tried.
func stride() int {
	switch {
	case !dynamotest.Fast:
		return 40
	case sampled():
		return 16
	}
	return 1
}

// kill kills all current workers.
func (g *gate) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.life++
}

// disarm prevents further accidents.
func (g *gate) disarm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.named = 0, ""
}

// deliveryRows are queues that show all behaviour that SQS allows.
func deliveryRows() []row {
	sent := func(w *world, n int, between func()) {
		w.t.Helper()
		w.clients(n)
		m := w.create(nil)
		w.sweep()
		w.doTasks()
		between()
		w.run(20*time.Minute, w.finished(m.ID))
		w.sentAll(m.ID, int64(n))
	}
	return []row{
		{name: "the same delivery twice in a row", run: func(w *world) {
			sent(w, 200, func() { w.queues.repeat(deliveriesURL, func(int, func(i, j int)) {}) })
		}},
		{name: "the same delivery in any order", run: func(w *world) {
			sent(w, 200, func() { w.queues.repeat(deliveriesURL, shuffled) })
		}},
		{name: "the same delivery twenty times at once", run: func(w *world) {
			sent(w, 200, func() {
				some := w.queues.receive(deliveriesURL, 10)
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() { w.do(deliveriesURL, some) })
				}
				wg.Wait()
			})
		}},
		{name: "tasks done twice", run: func(w *world) {
			w.clients(400)
			m := w.create(nil)
			for range 3 {
				w.sweep()
			}
			w.queues.repeat(tasksURL, shuffled)
			w.run(20*time.Minute, w.finished(m.ID))
			w.sentAll(m.ID, 400)
		}},
		{name: "two schedulers at once", run: func(w *world) {
			w.clients(400)
			m := w.create(nil)
			w.sweep()
			tasks := w.queues.receive(tasksURL, 10)
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() { w.do(tasksURL, tasks) })
			}
			wg.Wait()
			w.run(20*time.Minute, w.finished(m.ID))
			w.sentAll(m.ID, 400)
		}},
		{name: "a purged queue", run: func(w *world) {
			sent(w, 300, func() {
				if w.queues.purge(deliveriesURL) == 0 {
					w.t.Errorf("nothing was queued")
				}
			})
		}},
		{name: "entries of a SendMessageBatch are refused", run: func(w *world) {
			w.queues.refuse = func(_ string, call int) sendFault { return sendFault{entries: call % 4} }
			sent(w, 300, func() {})
		}},
		{name: "SendMessageBatch fails", run: func(w *world) {
			w.queues.refuse = func(url string, call int) sendFault {
				if url == deliveriesURL && call <= 20 {
					return sendFault{err: errQueue}
				}
				return sendFault{}
			}
			sent(w, 300, func() {})
		}},
		{name: "SendMessageBatch fails, of tasks", run: func(w *world) {
			w.queues.refuse = func(url string, call int) sendFault {
				if url == tasksURL && call <= 3 {
					return sendFault{err: errQueue}
				}
				return sendFault{}
			}
			answer := w.call("POST", "/api/mailings", w.posted(nil))
			if answer.Code != 201 {
				w.t.Fatalf("status %d: %s", answer.Code, answer.Body)
			}
			m := w.adopt(answer)
			for range 3 {
				w.queues.calls[tasksURL]++
			}
			w.run(20*time.Minute, w.finished(m.ID))
			w.sentAll(m.ID, 0)
		}},
		{name: "a body that cannot be decoded", run: func(w *world) {
			for _, bad := range []string{"", "{", `"x"`, `{"mailing_id": 1, "slice": 99, "batch": "0000000001#000"}`, "\x00"} {
				w.queues.put(deliveriesURL, bad)
				w.queues.put(tasksURL, bad)
			}
			sent(w, 50, func() {})
			if n := len(w.queues.bodies(lettersURL)); n != 5 {
				w.t.Errorf("%d dead letters", n)
			}
		}},
	}
}

// tableRows are tables that show all behaviour that DynamoDB allows.
func tableRows() []row {
	sent := func(w *world, faults *dynamotest.Faults) {
		w.t.Helper()
		w.clients(120)
		w.tables, w.troubled = faults, true
		w.restart()
		m := w.create(nil)
		w.sweep()
		w.run(2*time.Hour, w.finished(m.ID))
		w.ends(m.ID, mailing.Counts{Total: 120, Sent: 120})
	}
	throttled := func() error {
		return &types.ProvisionedThroughputExceededException{}
	}
	return []row{
		{name: "throttling of claims and updates", run: func(w *world) {
			faults := dynamotest.NewFaults(w.env.Client)
			for n := 1; n < 40; n += 3 {
				faults.On(dynamotest.UpdateItem, n, dynamotest.Fault{Refuse: throttled()})
			}
			sent(w, faults)
		}},
		{name: "throttling of transactions", run: func(w *world) {
			faults := dynamotest.NewFaults(w.env.Client)
			for n := 2; n < 60; n += 4 {
				faults.On(dynamotest.TransactWriteItems, n, dynamotest.Fault{Refuse: &smithy.GenericAPIError{Code: "ThrottlingException"}})
			}
			sent(w, faults)
		}},
		{name: "throttling of reads", run: func(w *world) {
			faults := dynamotest.NewFaults(w.env.Client)
			for n := 2; n < 60; n += 5 {
				faults.On(dynamotest.Query, n, dynamotest.Fault{Refuse: throttled()})
				faults.On(dynamotest.GetItem, n, dynamotest.Fault{Refuse: throttled()})
				faults.On(dynamotest.BatchGetItem, n, dynamotest.Fault{Refuse: throttled()})
			}
			sent(w, faults)
		}},
		{name: "transaction conflicts", run: func(w *world) {
			faults := dynamotest.NewFaults(w.env.Client)
			for n := 1; n < 200; n += 2 {
				faults.On(dynamotest.TransactWriteItems, n, dynamotest.Fault{Refuse: dynamotest.Conflicted()})
			}
			sent(w, faults)
			w.takenOnce()
		}},
		{name: "a transaction's answer is lost, and it is repeated", run: func(w *world) {
			faults := dynamotest.NewFaults(w.env.Client)
			for n := 1; n < 200; n += 2 {
				faults.On(dynamotest.TransactWriteItems, n, dynamotest.Fault{Lose: &types.TransactionInProgressException{}})
			}
			sent(w, faults)
		}},
		{name: "unprocessed keys", run: func(w *world) {
			faults := dynamotest.NewFaults(w.env.Client)
			for n := 1; n < 400; n += 2 {
				faults.On(dynamotest.BatchGetItem, n, dynamotest.Fault{Unprocessed: 7})
			}
			sent(w, faults)
			w.takenOnce()
		}},
		{name: "tables that are unavailable for a while", run: func(w *world) {
			w.clients(60)
			m := w.create(nil)
			faults := dynamotest.NewFaults(w.env.Client)
			for _, op := range []dynamotest.Op{dynamotest.UpdateItem, dynamotest.TransactWriteItems} {
				faults.Always(op, dynamotest.Fault{Refuse: errors.New("unavailable")})
			}
			w.tables = faults
			w.restart()
			w.troubled = true
			w.sweep()
			w.run(10*time.Minute, nil)
			w.tables = nil
			w.restart()
			w.run(time.Hour, w.finished(m.ID))
			w.sentAll(m.ID, 60)
		}},
	}
}
