package faults_test

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"postrider/internal/deliver"
	"postrider/internal/dynamo"
	"postrider/internal/mailing"
	"postrider/internal/queue"
)

// accident is a fault of one call.
type accident uint8

const (
	// refused: the call fails, and has no effect.
	refused accident = iota
	// unanswered: the call takes effect, and its answer is lost.
	unanswered
	// killedBefore: the worker is killed before the call.
	killedBefore
	// killedAfter: the worker is killed after the call.
	killedAfter
)

var accidents = map[accident]string{
	refused: "refused", unanswered: "unanswered", killedBefore: "killed before", killedAfter: "killed after",
}

var (
	errAccident = errors.New("connection reset by peer")
	errKilled   = errors.New("the worker is dead")
)

// gate stands between the functions and everything that they call. It counts the calls,
// and lets an accident happen to one of them. A killed worker makes no more calls: its
// environment is gone.
type gate struct {
	mu    sync.Mutex
	calls []string
	at    int // the number of the call to which the accident happens, from 1; 0 is none
	// named is the name of the call to which the accident happens, if at is 0: the first
	// call of that name.
	named string
	kind  accident
	// happened: the accident has happened.
	happened bool
	// life goes up with each kill: a worker with an earlier life is dead.
	life int
	// ledger records the claims and hand-overs that the calls make.
	ledger *ledger
}

// worker is one execution environment's view of the gate.
type worker struct {
	gate *gate
	name string
	life int
	// killed: this worker is dead, whatever the state of the others.
	killed bool
	// hold is the next call at which the worker's invocation is held, nil for none.
	hold *hold
}

func (g *gate) worker(name string) *worker {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &worker{gate: g, name: name, life: g.life}
}

// made returns the number of calls that were made.
func (g *gate) made() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.calls)
}

func (w *worker) dead() bool {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	return w.isDead()
}

// isDead is [worker.dead] for a caller that holds the gate's lock.
func (w *worker) isDead() bool { return w.killed || w.life != w.gate.life }

// pass makes a call. The call may be held, and an accident may happen to it.
func (w *worker) pass(name string, do func() error) error {
	h := w.holds(name)
	if h == nil {
		return w.call(name, do)
	}
	if !h.after {
		if err := w.stop(h, name); err != nil {
			return err
		}
		return w.call(name, do)
	}
	err := w.call(name, do)
	if lost := w.stop(h, name); lost != nil {
		return errors.Join(lost, err)
	}
	return err
}

// call makes a call, or lets the accident happen to it.
func (w *worker) call(name string, do func() error) error {
	g := w.gate
	g.mu.Lock()
	if w.isDead() {
		g.mu.Unlock()
		return errKilled
	}
	name = w.name + ": " + name
	g.calls = append(g.calls, name)
	now := !g.happened && (len(g.calls) == g.at || g.named == name)
	g.happened = g.happened || now
	if now && g.kind == killedBefore {
		g.life++
	}
	g.mu.Unlock()
	switch {
	case !now:
		return do()
	case g.kind == refused:
		return errAccident
	case g.kind == killedBefore:
		return errKilled
	}
	err := do()
	if g.kind == killedAfter {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.life++
		return errKilled
	}
	return errors.Join(errAccident, err)
}

func through[In, Out any](ctx context.Context, w *worker, name string, in In, do func(context.Context, In) (Out, error)) (Out, error) {
	var out Out
	err := w.pass(name, func() (err error) {
		out, err = do(ctx, in)
		return err
	})
	if errors.Is(err, errAccident) || errors.Is(err, errKilled) {
		var none Out
		return none, err
	}
	return out, err
}

// gatedTables is DynamoDB, whose calls pass a gate.
type gatedTables struct {
	w   *worker
	api dynamo.API
}

func (g gatedTables) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return through(ctx, g.w, "GetItem", in, func(ctx context.Context, in *dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error) {
		return g.api.GetItem(ctx, in)
	})
}

func (g gatedTables) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return through(ctx, g.w, "UpdateItem", in, func(ctx context.Context, in *dynamodb.UpdateItemInput) (*dynamodb.UpdateItemOutput, error) {
		out, err := g.api.UpdateItem(ctx, in)
		if err == nil {
			g.w.gate.ledger.updated(in, out)
		}
		return out, err
	})
}

func (g gatedTables) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return through(ctx, g.w, "Query", in, func(ctx context.Context, in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
		return g.api.Query(ctx, in)
	})
}

func (g gatedTables) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return through(ctx, g.w, "Scan", in, func(ctx context.Context, in *dynamodb.ScanInput) (*dynamodb.ScanOutput, error) {
		return g.api.Scan(ctx, in)
	})
}

func (g gatedTables) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	name := "BatchGetItem"
	for table := range in.RequestItems {
		if strings.HasPrefix(table, "ClientsTable") {
			name = readsClients
		}
	}
	return through(ctx, g.w, name, in, func(ctx context.Context, in *dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error) {
		return g.api.BatchGetItem(ctx, in)
	})
}

func (g gatedTables) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return through(ctx, g.w, "TransactWriteItems", in, func(ctx context.Context, in *dynamodb.TransactWriteItemsInput) (*dynamodb.TransactWriteItemsOutput, error) {
		out, err := g.api.TransactWriteItems(ctx, in)
		if err == nil {
			g.w.gate.ledger.written(in)
		}
		return out, err
	})
}

// gatedQueues is SQS, whose calls pass a gate.
type gatedQueues struct {
	queue.AdminAPI

	w *worker
}

func (g gatedQueues) SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	return through(ctx, g.w, "SendMessageBatch to "+*in.QueueUrl, in, func(ctx context.Context, in *sqs.SendMessageBatchInput) (*sqs.SendMessageBatchOutput, error) {
		return g.AdminAPI.SendMessageBatch(ctx, in)
	})
}

func (g gatedQueues) ChangeMessageVisibilityBatch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	return through(ctx, g.w, "ChangeMessageVisibilityBatch", in, func(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
		return g.AdminAPI.ChangeMessageVisibilityBatch(ctx, in)
	})
}

// gatedProvider is the sending API, whose calls pass a gate. A refused call never
// connected; in an unanswered call the message was taken.
type gatedProvider struct {
	w        *worker
	provider deliver.Provider
}

func (g gatedProvider) Send(ctx context.Context, h mailing.Handover) mailing.Outcome {
	o := mailing.Outcome{Kind: mailing.OutcomeNotTried}
	err := g.w.pass(sendCall, func() error {
		o = g.provider.Send(ctx, h)
		return nil
	})
	if o.Kind == mailing.OutcomeAmbiguous || (err != nil && o.Kind != mailing.OutcomeNotTried) {
		g.w.gate.ledger.ambiguousOutcome(h.ID)
	}
	switch {
	case errors.Is(err, errKilled):
		return mailing.Outcome{Kind: mailing.OutcomeNotTried, Code: "killed"}
	case errors.Is(err, errAccident) && o.Kind == mailing.OutcomeNotTried:
		return mailing.Outcome{Kind: mailing.OutcomeRetry, Code: "refused"}
	case errors.Is(err, errAccident):
		return mailing.Outcome{Kind: mailing.OutcomeAmbiguous, Code: "reset"}
	}
	return o
}
