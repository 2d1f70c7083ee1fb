// Package dynamo stores clients, mailings and batches in DynamoDB.
//
// No other package knows how these objects are stored: tables, keys, attribute names,
// conditions. The packages api, schedule and deliver declare the interfaces that they
// need; [Store] implements them. docs/architecture.md describes the tables.
package dynamo

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

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

// Config holds the settings of a store.
type Config struct {
	Tables Tables
	// Retention is how long messages are kept after the end of their mailing.
	Retention time.Duration
	Clock     clock.Clock
	// FirstMailing is the id of the first mailing in new tables, 1 to
	// [mailing.MaxFirstID]. The first test message then has the id 1. With 0 both first
	// ids are random.
	FirstMailing mailing.ID
}

// Store reads and writes everything that is stored. It is safe for concurrent use.
type Store struct {
	api          API
	tables       Tables
	retention    time.Duration
	clock        clock.Clock
	firstMailing mailing.ID
	// lastMailing is the newest mailing id that this process knows. Another process may
	// have given out newer ones.
	lastMailing atomic.Int64
	facets      knownFacets
}

// New returns a store over tables that exist.
func New(api API, c Config) *Store {
	return &Store{api: api, tables: c.Tables, retention: c.Retention, clock: c.Clock, firstMailing: c.FirstMailing}
}

// now returns the time by the store's clock.
func (s *Store) now() time.Time { return s.clock.Now() }
