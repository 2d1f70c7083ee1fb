package dynamo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	var parts []request
	for part := range slices.Chunk(keys, batchGetKeys) {
		parts = append(parts, request{table: projected(part, consistent, attributes)})
	}
	found, err := s.batchGetParts(ctx, parts)
	return found[table], err
}

// keysOfTable are keys of items of one table.
type keysOfTable struct {
	table string
	keys  []item
}

// readTables reads items of several tables, strongly consistent, with one call for each
// [batchGetKeys] keys. No key may be repeated. The result has the items that exist, by
// table, in no particular order. Each item is exact at its own instant.
func (s *Store) readTables(ctx context.Context, wanted ...keysOfTable) (map[string][]item, error) {
	var parts []request
	room := 0
	for _, w := range wanted {
		for keys := w.keys; len(keys) > 0; {
			if room == 0 {
				parts, room = append(parts, request{}), batchGetKeys
			}
			n := min(room, len(keys))
			parts[len(parts)-1][w.table] = projected(keys[:n], true, nil)
			keys, room = keys[n:], room-n
		}
	}
	return s.batchGetParts(ctx, parts)
}

// request is what one BatchGetItem asks for, by table.
type request = map[string]types.KeysAndAttributes

// batchGetParts makes some requests at the same time, and returns the items of all.
func (s *Store) batchGetParts(ctx context.Context, parts []request) (map[string][]item, error) {
	var mu sync.Mutex
	found := map[string][]item{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readConcurrency)
	for _, part := range parts {
		// Each part repeats its own unprocessed keys.
		group.Go(func() error {
			return s.batchGetPart(ctx, part, func(table string, items []item) {
				mu.Lock()
				defer mu.Unlock()
				found[table] = append(found[table], items...)
			})
		})
	}
	return found, group.Wait()
}

// batchGetPart reads up to batchGetKeys items. It gives up after retryTries answers in
// a row if none of them, except perhaps the first, processed a key.
func (s *Store) batchGetPart(ctx context.Context, part request, take func(table string, items []item)) error {
	for idle, asked := 0, countKeys(part); asked > 0; {
		if idle == retryTries {
			return fmt.Errorf("batch read of %s: %d keys stay unprocessed after %d tries", tablesOf(part), asked, idle)
		}
		if idle > 0 {
			if err := s.clock.Sleep(ctx, backoff(idle-1)); err != nil {
				return fmt.Errorf("batch read of %s: %w", tablesOf(part), err)
			}
		}
		out, err := s.api.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: part})
		if err != nil {
			return fmt.Errorf("batch read of %s: %w", tablesOf(part), err)
		}
		for table, items := range out.Responses {
			take(table, items)
		}
		left := remaining(part, out.UnprocessedKeys)
		// DynamoDB also cuts an answer at 16 MB, so unprocessed keys alone are no sign
		// of trouble. idle counts the answers without progress. After progress it is 1,
		// so that the next call waits, too.
		idle++
		if countKeys(left) < asked {
			idle = min(idle, 1)
		}
		part, asked = left, countKeys(left)
	}
	return nil
}

// remaining returns the request for the keys of part that were not processed.
func remaining(part, unprocessed request) request {
	left := request{}
	for table, w := range part {
		if w.Keys = unprocessed[table].Keys; len(w.Keys) > 0 {
			left[table] = w
		}
	}
	return left
}

// countKeys returns how many keys a request has.
func countKeys(r request) int {
	n := 0
	for _, w := range r {
		n += len(w.Keys)
	}
	return n
}

// tablesOf returns the names of the tables of a request, for errors.
func tablesOf(r request) string {
	return strings.Join(slices.Sorted(maps.Keys(r)), " and ")
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
