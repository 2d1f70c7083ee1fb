// Package dynamo keeps clients, mailings and batches in DynamoDB.
//
// It is the only package that knows how things are stored: tables, keys,
// attribute names, conditions. It implements the interfaces that api, schedule
// and deliver state for themselves. docs/architecture.md draws the tables.
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

// Tables are the names of the three tables.
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

// Store is all that is kept. It is safe for concurrent use.
type Store struct {
	api    API
	tables Tables
	// retention is how long messages are kept after their mailing's end.
	retention time.Duration
	// now and wait are time.Now and a sleep that heeds its context, but for
	// tests.
	now  func() time.Time
	wait func(ctx context.Context, d time.Duration) error
	// lastMailing is the id of a mailing that was given out last, as far as this
	// process knows.
	lastMailing atomic.Int64
	// firstMailing is the id of the first mailing in tables that are new; 0 draws it.
	firstMailing mailing.MailingID
}

// Option changes a [Store] from what a deployed function needs.
type Option func(*Store)

// WithClock sets the clock that expiry is read by and the wait between
// retries.
func WithClock(now func() time.Time, wait func(context.Context, time.Duration) error) Option {
	return func(s *Store) { s.now, s.wait = now, wait }
}

// New is a store over tables that exist. retention is how long messages are
// kept after their mailing's end.
func New(api API, tables Tables, retention time.Duration, options ...Option) *Store {
	s := &Store{api: api, tables: tables, retention: retention, now: time.Now, wait: clock.Sleep}
	for _, o := range options {
		o(s)
	}
	return s
}

// Backoff of what the SDK does not retry by itself: transactions that met
// another one, and unprocessed keys. Full jitter, from 20 ms doubling to 1 s.
const (
	retryBase  = 20 * time.Millisecond
	retryMax   = time.Second
	retryTries = 12
)

// retried calls do until it succeeds, fails for good, or has been tried
// retryTries times.
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

// passing reports whether a failed write may succeed when repeated unchanged:
// the reasons that the SDK's own retries leave out.
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

// refused reports whether a condition was not met; for a transaction, of which
// of its actions.
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

// transact writes all of items or none, repeating what may pass.
func (s *Store) transact(ctx context.Context, what string, items []types.TransactWriteItem) error {
	return s.transactAs(ctx, newToken(), what, items)
}

// transactAs is transact with a ClientRequestToken: calls with the same token
// and the same items write once.
func (s *Store) transactAs(ctx context.Context, token, what string, items []types.TransactWriteItem) error {
	return s.retried(ctx, what, func() error {
		_, err := s.api.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: items, ClientRequestToken: aws.String(token),
		})
		return err
	})
}

// newToken is a ClientRequestToken: with the same one, a transaction that is
// repeated because its answer was lost is done once.
func newToken() string { return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()) } //nolint:gosec // G404: it must differ, not be secret
