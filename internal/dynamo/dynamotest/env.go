package dynamotest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"postrider/internal/dynamo"
	"postrider/internal/mailing"
)

// Retention is how long the stores of tests keep messages after the end of their
// mailing.
const Retention = 90 * 24 * time.Hour

// Client is DynamoDB: the calls of a store, and those that tests need in addition.
type Client interface {
	dynamo.API
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
	CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
}

// Env is DynamoDB as one test sees it.
type Env struct {
	Client Client
	// Tables are used by this test only.
	Tables dynamo.Tables
}

// tableNumber makes the names of tables unique, so that tests can run at the same time.
var tableNumber atomic.Int64 //nolint:gochecknoglobals // one per process is intended

// Start gives a test its own tables. They are in memory. With the build tag
// "integration" they are in a DynamoDB Local, which the first call starts. It ends with
// the test binary.
func Start(tb testing.TB) *Env {
	tb.Helper()
	client, err := backend(tb)
	if err != nil {
		tb.Fatalf("DynamoDB: %v", err)
	}
	return startOver(tb, client)
}

// StartMemory gives a test its own tables in memory.
func StartMemory(tb testing.TB) *Env {
	tb.Helper()
	return startOver(tb, NewMemory())
}

func startOver(tb testing.TB, client Client) *Env {
	tb.Helper()
	e := &Env{Client: client}
	tables, err := readDefinitions()
	if err != nil {
		tb.Fatal(err)
	}
	suffix := fmt.Sprintf("-%d", tableNumber.Add(1))
	e.Tables = dynamo.Tables{
		Clients:  e.create(tb, tables[clientsTable], clientsTable+suffix),
		Mailings: e.create(tb, tables[mailingsTable], mailingsTable+suffix),
		Batches:  e.create(tb, tables[batchesTable], batchesTable+suffix),
	}
	return e
}

// readDefinitions returns the result of [definitions], which it calls once a process.
var readDefinitions = sync.OnceValues(definitions) //nolint:gochecknoglobals // it never changes

func (e *Env) create(tb testing.TB, table *dynamodb.CreateTableInput, name string) string {
	tb.Helper()
	named := *table // all tests of a process share the definitions
	named.TableName = aws.String(name)
	if _, err := e.Client.CreateTable(tb.Context(), &named); err != nil {
		tb.Fatalf("create table %s: %v", name, err)
	}
	return name
}

// Store returns a store over the test's tables that does not wait between two tries.
// Its mailing ids begin at 1.
func (e *Env) Store(options ...Option) *dynamo.Store { return e.StoreOver(e.Client, options...) }

// StoreOver is like [Env.Store], but the store calls api, for example a [Faults].
func (e *Env) StoreOver(api dynamo.API, options ...Option) *dynamo.Store {
	config := dynamo.Config{Tables: e.Tables, Retention: Retention, Clock: impatient(time.Now), FirstMailing: 1}
	for _, option := range options {
		option(&config)
	}
	return dynamo.New(api, config)
}

// Option changes the settings of a test's store.
type Option func(*dynamo.Config)

// WithFirstMailing sets the id of the first mailing.
func WithFirstMailing(id mailing.ID) Option {
	return func(config *dynamo.Config) { config.FirstMailing = id }
}

// Store returns a store over tables that only this test uses.
func Store(tb testing.TB, options ...Option) *dynamo.Store {
	tb.Helper()
	return Start(tb).Store(options...)
}
