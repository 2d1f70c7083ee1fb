package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	// transactActions is how many actions one transaction may have (a limit of
	// DynamoDB).
	transactActions = 100
	// retryTries is how often the store tries an operation that the SDK does not
	// repeat: after a conflict of two transactions, after unprocessed keys, and after a
	// write of another process between a read and a write. The wait between two tries
	// has full jitter; its upper bound doubles from retryBase to retryMax.
	retryTries = 12
	retryBase  = 20 * time.Millisecond
	retryMax   = time.Second
)

// backoff returns a random time, with full jitter, to wait before repetition n, counted
// from 0. The shift is bounded, because a longer one would overflow. The longest wait
// is reached before the bound.
func backoff(n int) time.Duration {
	return rand.N(min(retryBase<<min(n, 10), retryMax)) //nolint:gosec // G404: jitter needs no secrecy
}

// repeat calls try until try reports that it is done, or fails, but at most tries
// times. It waits between two calls. It reports whether try was done.
func (s *Store) repeat(ctx context.Context, tries int, try func() (done bool, err error)) (bool, error) {
	for n := range tries {
		if n > 0 {
			if err := s.clock.Sleep(ctx, backoff(n-1)); err != nil {
				return false, fmt.Errorf("wait for another try: %w", err)
			}
		}
		if done, err := try(); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// transient reports whether a failed write may succeed when the store repeats it
// unchanged. It looks only for reasons that the SDK does not retry. The failure of a
// transaction is transient only if each of its actions has such a reason or none,
// because an unmet condition stays unmet.
func transient(err error) bool {
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

// unlessRefused reports whether the write with the error err was made. A refusal is not
// an error.
func unlessRefused(err error) (written bool, _ error) {
	if _, ok := refused(err); ok {
		return false, nil
	}
	return err == nil, err
}

// get reads one item, strongly consistent; nil if there is none. In errors, format and
// args name the operation; so they do in update and transact.
func (s *Store) get(ctx context.Context, table string, key item, format string, args ...any) (item, error) {
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
	}
	return out.Item, nil
}

// update makes one update. It reports whether its condition was met.
func (s *Store) update(ctx context.Context, u update, format string, args ...any) (bool, error) {
	_, err := s.api.UpdateItem(ctx, u.input())
	if err != nil {
		err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
	}
	return unlessRefused(err)
}

// transact writes all of items or none. It repeats the transaction after a transient
// failure. All tries have the same token, so the items are written once even if an
// answer is lost.
func (s *Store) transact(ctx context.Context, items []types.TransactWriteItem, format string, args ...any) error {
	token := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()) //nolint:gosec // G404: it must be unique, not secret
	return s.transactAs(ctx, token, items, format, args...)
}

// transactAs is transact with a given ClientRequestToken: repeated calls with the same
// token and the same items write once.
func (s *Store) transactAs(ctx context.Context, token string, items []types.TransactWriteItem, format string, args ...any) error {
	var last error
	done, err := s.repeat(ctx, retryTries, func() (bool, error) {
		_, last = s.api.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items, ClientRequestToken: &token})
		if transient(last) {
			return false, nil
		}
		return true, last
	})
	if !done && err == nil {
		err = fmt.Errorf("gave up after %d tries: %w", retryTries, last)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
	}
	return nil
}

// writeEach writes the elements of all. If DynamoDB refuses some of them, writeEach
// calls write again without these, until none is refused. It returns the refused
// elements.
//
// write makes one transaction. Its first actions must be one for each element of rest,
// in the same order. If DynamoDB refuses a later action, writeEach returns that error,
// and [refused] returns true for it.
func writeEach[T any](all []T, write func(rest []T) error) (refusals []T, err error) {
	for rest := all; len(rest) > 0; {
		err := write(rest)
		actions, _ := refused(err)
		if len(actions) == 0 || actions[len(actions)-1] >= len(rest) {
			return refusals, err
		}
		var kept []T
		for i, one := range rest {
			if slices.Contains(actions, i) {
				refusals = append(refusals, one)
			} else {
				kept = append(kept, one)
			}
		}
		rest = kept
	}
	return refusals, nil
}
