package dynamotest

import (
	"context"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/dynamo"
)

// Op is one of the calls of [dynamo.API].
type Op string

// These are the calls that can be made to fail.
const (
	GetItem            Op = "GetItem"
	UpdateItem         Op = "UpdateItem"
	Query              Op = "Query"
	Scan               Op = "Scan"
	BatchGetItem       Op = "BatchGetItem"
	TransactWriteItems Op = "TransactWriteItems"
)

// Fault describes what happens to one call.
type Fault struct {
	// Before runs first. A test uses it to act as another process at that moment.
	Before func()
	// Refuse is the error of the call; DynamoDB never sees the call.
	Refuse error
	// Lose is the error of a call that DynamoDB has executed: its answer is lost.
	Lose error
	// Unless is called before the fault happens; if it returns true, the call meets no
	// fault.
	Unless func() bool
	// Unprocessed is how many keys a BatchGetItem returns as unprocessed.
	Unprocessed int
}

// Conflicted returns the error of a transaction that conflicted with another one.
func Conflicted() error {
	return &types.TransactionCanceledException{
		Message:             aws.String("Transaction cancelled"),
		CancellationReasons: []types.CancellationReason{{Code: aws.String("TransactionConflict")}},
	}
}

// Faults passes calls on to DynamoDB, except those that a test makes fail. It is safe
// for concurrent use.
type Faults struct {
	api dynamo.API

	mu    sync.Mutex
	calls map[Op]int
	plans map[Op]map[int]Fault
	every map[Op]Fault
}

var _ dynamo.API = (*Faults)(nil)

// NewFaults returns a Faults without faults: it passes all calls on to api.
func NewFaults(api dynamo.API) *Faults {
	return &Faults{api: api, calls: map[Op]int{}, plans: map[Op]map[int]Fault{}, every: map[Op]Fault{}}
}

// On makes a fault happen to the n-th call of an operation, counted from 1.
func (f *Faults) On(op Op, n int, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.plans[op] == nil {
		f.plans[op] = map[int]Fault{}
	}
	f.plans[op][n] = fault
}

// Always makes a fault happen to each call of an operation that has no fault of its
// own.
func (f *Faults) Always(op Op, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.every[op] = fault
}

// Calls returns how often an operation was called.
func (f *Faults) Calls(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

func (f *Faults) next(op Op) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[op]++
	fault, ok := f.plans[op][f.calls[op]]
	if !ok {
		fault = f.every[op]
	}
	if fault.Unless != nil && fault.Unless() {
		return Fault{}
	}
	return fault
}

// meet makes a call with its fault.
func meet[In, Out any](ctx context.Context, f *Faults, op Op, in In, do func(context.Context, In, ...func(*dynamodb.Options)) (Out, error), opts []func(*dynamodb.Options)) (Out, error) {
	var none Out
	fault := f.next(op)
	if fault.Before != nil {
		fault.Before()
	}
	if fault.Refuse != nil {
		return none, fault.Refuse
	}
	out, err := do(ctx, in, opts...)
	if err == nil && fault.Lose != nil {
		return none, fault.Lose
	}
	return out, err
}

// GetItem passes a call on to DynamoDB, unless its fault refuses it.
func (f *Faults) GetItem(ctx context.Context, in *dynamodb.GetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return meet(ctx, f, GetItem, in, f.api.GetItem, opts)
}

// UpdateItem passes a call on to DynamoDB, unless its fault refuses it.
func (f *Faults) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return meet(ctx, f, UpdateItem, in, f.api.UpdateItem, opts)
}

// Query passes a call on to DynamoDB, unless its fault refuses it.
func (f *Faults) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return meet(ctx, f, Query, in, f.api.Query, opts)
}

// Scan passes a call on to DynamoDB, unless its fault refuses it.
func (f *Faults) Scan(ctx context.Context, in *dynamodb.ScanInput, opts ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return meet(ctx, f, Scan, in, f.api.Scan, opts)
}

// TransactWriteItems passes a call on to DynamoDB, unless its fault refuses it.
func (f *Faults) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, opts ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return meet(ctx, f, TransactWriteItems, in, f.api.TransactWriteItems, opts)
}

// BatchGetItem passes a call on to DynamoDB, unless its fault refuses it. It leaves out
// the keys that stay unprocessed, and returns them as such.
func (f *Faults) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	fault := f.next(BatchGetItem)
	if fault.Before != nil {
		fault.Before()
	}
	if fault.Refuse != nil {
		return nil, fault.Refuse
	}
	asked, left := map[string]types.KeysAndAttributes{}, map[string]types.KeysAndAttributes{}
	for table, keys := range in.RequestItems {
		n := max(len(keys.Keys)-fault.Unprocessed, 0)
		unread, read := keys, keys
		read.Keys, unread.Keys = slices.Clone(keys.Keys[:n]), slices.Clone(keys.Keys[n:])
		if len(read.Keys) > 0 {
			asked[table] = read
		}
		if len(unread.Keys) > 0 {
			left[table] = unread
		}
	}
	if len(asked) == 0 {
		return &dynamodb.BatchGetItemOutput{UnprocessedKeys: left}, nil
	}
	out, err := f.api.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: asked}, opts...)
	if err != nil {
		return nil, err
	}
	if fault.Lose != nil {
		return nil, fault.Lose
	}
	for table, keys := range left {
		if out.UnprocessedKeys == nil {
			out.UnprocessedKeys = map[string]types.KeysAndAttributes{}
		}
		keys.Keys = append(keys.Keys, out.UnprocessedKeys[table].Keys...)
		out.UnprocessedKeys[table] = keys
	}
	return out, nil
}
