package dynamo

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"
)

const (
	// batchGetKeys is how many keys one BatchGetItem may have (a limit of DynamoDB).
	batchGetKeys = 100
	// readConcurrency is how many reads one call of the store makes at the same time.
	readConcurrency = 8
)

// batchGet reads the items with these keys, in no particular order. A key without an
// item is left out; a repeated key is read once. With attributes, only those are read.
//
// Keys that DynamoDB leaves unprocessed are read again. If they stay unprocessed, that
// is an error: an item that could not be read is never reported as absent.
func (s *Store) batchGet(ctx context.Context, table string, keys []item, consistent bool, attributes ...string) ([]item, error) {
	keys, err := distinct(keys)
	if err != nil {
		return nil, err
	}
	var (
		mu    sync.Mutex
		found []item
	)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readConcurrency)
	for len(keys) > 0 {
		part := keys[:min(len(keys), batchGetKeys)]
		keys = keys[len(part):]
		// Each part repeats its own unprocessed keys.
		group.Go(func() error {
			items, err := s.batchGetPart(ctx, table, projected(part, consistent, attributes))
			mu.Lock()
			defer mu.Unlock()
			found = append(found, items...)
			return err
		})
	}
	return found, group.Wait()
}

// batchGetPart reads up to batchGetKeys items. It gives up after retryTries answers in
// a row if none of them, except perhaps the first, processed a key.
func (s *Store) batchGetPart(ctx context.Context, table string, w types.KeysAndAttributes) ([]item, error) {
	var found []item
	for idle := 0; len(w.Keys) > 0; {
		if idle == retryTries {
			return nil, fmt.Errorf("batch read of %s: %d keys stay unprocessed after %d tries", table, len(w.Keys), idle)
		}
		if idle > 0 {
			if err := s.clock.Sleep(ctx, backoff(idle-1)); err != nil {
				return nil, fmt.Errorf("batch read of %s: %w", table, err)
			}
		}
		out, err := s.api.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: w}})
		if err != nil {
			return nil, fmt.Errorf("batch read of %s: %w", table, err)
		}
		found = append(found, out.Responses[table]...)
		left := out.UnprocessedKeys[table].Keys
		// DynamoDB also cuts an answer at 16 MB, so unprocessed keys alone are no sign
		// of trouble. idle counts the answers without progress. After progress it is 1,
		// so that the next call waits, too.
		idle++
		if len(left) < len(w.Keys) {
			idle = min(idle, 1)
		}
		w.Keys = left
	}
	return found, nil
}

// distinct returns keys without repetitions, because BatchGetItem refuses repeated
// keys.
func distinct(keys []item) ([]item, error) {
	type primaryKey struct {
		Part string `dynamodbav:"part"`
		Sort string `dynamodbav:"id"`
	}
	seen := make(map[primaryKey]bool, len(keys))
	unique := make([]item, 0, len(keys))
	for _, k := range keys {
		var f primaryKey
		if err := attributevalue.UnmarshalMap(k, &f); err != nil {
			return nil, fmt.Errorf("read a key: %w", err)
		}
		if !seen[f] {
			seen[f] = true
			unique = append(unique, k)
		}
	}
	return unique, nil
}
