// Package dynamo stores clients, mailings and batches in DynamoDB.
//
// It is the only package that knows how things are stored: tables, keys, attribute
// names, conditions. The packages api, schedule and deliver declare the interfaces that
// they need; [Store] implements them. docs/architecture.md draws the tables.
package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/clock"
	"postrider/internal/mailing"
)

// Tables holds the names of the three tables.
type Tables struct {
	Clients  string
	Mailings string
	Batches  string
}

// API is the part of the DynamoDB client that the store calls.
type API interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Store reads and writes everything that is stored. It is safe for concurrent use.
type Store struct {
	api    API
	tables Tables
	// retention is how long messages are kept after the end of their mailing.
	retention time.Duration
	// now and wait are time.Now and a sleep that ends when its context ends. Tests
	// replace both.
	now  func() time.Time
	wait func(ctx context.Context, d time.Duration) error
	// lastMailing is the newest mailing id that this process knows. Another process may
	// have given out newer ones.
	lastMailing atomic.Int64
	// firstMailing is the id of the first mailing in new tables; 0 means a random id.
	firstMailing mailing.ID
}

// Option changes a [Store] from its defaults.
type Option func(*Store)

// WithClock sets the clock for expiry, and the function that waits between two tries.
func WithClock(now func() time.Time, wait func(context.Context, time.Duration) error) Option {
	return func(s *Store) { s.now, s.wait = now, wait }
}

// New returns a store over tables that exist. retention is how long messages are kept
// after the end of their mailing.
func New(api API, tables Tables, retention time.Duration, options ...Option) *Store {
	s := &Store{api: api, tables: tables, retention: retention, now: time.Now, wait: clock.Sleep}
	for _, o := range options {
		o(s)
	}
	return s
}

// These constants set the backoff for failures that the SDK does not retry:
// transactions that conflicted with another one, and unprocessed keys. The wait has
// full jitter; its upper bound doubles from 20 ms to 1 s.
const (
	retryBase  = 20 * time.Millisecond
	retryMax   = time.Second
	retryTries = 12
)

// retried calls do until it succeeds, fails with an error that a repetition cannot
// cure, or has been tried retryTries times. what names the operation in errors.
func (s *Store) retried(ctx context.Context, what string, do func() error) error {
	for n := 0; ; n++ {
		err := do()
		if err == nil || !passing(err) {
			return err
		}
		if n == retryTries-1 {
			return fmt.Errorf("%s: gave up after %d tries: %w", what, retryTries, err)
		}
		if err := s.wait(ctx, backoff(n)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// passing reports whether a failed write may succeed when it is repeated unchanged. It
// knows only the reasons that the SDK does not retry. A transaction passes only if each
// of its actions has such a reason or none: one unmet condition stays unmet.
func passing(err error) bool {
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		for _, r := range cancelled.CancellationReasons {
			switch aws.ToString(r.Code) {
			case "None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			default:
				return false
			}
		}
		return true
	}
	var (
		conflict   *types.TransactionConflictException
		inProgress *types.TransactionInProgressException
	)
	return errors.As(err, &conflict) || errors.As(err, &inProgress)
}

// refused reports whether a write failed because a condition was not met. For a
// transaction, actions are the indexes of the refused actions, in rising order.
func refused(err error) (actions []int, ok bool) {
	var condition *types.ConditionalCheckFailedException
	if errors.As(err, &condition) {
		return nil, true
	}
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		for i, r := range cancelled.CancellationReasons {
			if aws.ToString(r.Code) == "ConditionalCheckFailed" {
				actions = append(actions, i)
			}
		}
	}
	return actions, len(actions) > 0
}

// transact writes all of items or none. It repeats failures that may pass. All tries
// have the same token, so the items are written once even if an answer is lost.
func (s *Store) transact(ctx context.Context, what string, items []types.TransactWriteItem) error {
	return s.transactAs(ctx, newToken(), what, items)
}

// transactAs is transact with a given ClientRequestToken: calls with the same token and
// the same items write once.
func (s *Store) transactAs(ctx context.Context, token, what string, items []types.TransactWriteItem) error {
	return s.retried(ctx, what, func() error {
		_, err := s.api.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: items, ClientRequestToken: aws.String(token),
		})
		return err
	})
}

// newToken returns a random ClientRequestToken. A transaction that is repeated with the
// same token, because its answer was lost, is done once.
func newToken() string { return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()) } //nolint:gosec // G404: it must be unique, not secret
