package dynamo_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// noon is the instant of tests that need a fixed one.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func phone(n int) string { return fmt.Sprintf("7900%07d", n) }

func client(n int) mailing.Client {
	return mailing.Client{Phone: phone(n), OperatorCode: "900", Tag: "vip", Timezone: "Europe/Moscow"}
}

func create(t *testing.T, s *dynamo.Store, c mailing.Client) mailing.Client {
	t.Helper()
	created, err := s.CreateClient(t.Context(), c, mailing.Idempotency{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// sized returns the size of a large test: all over the tables in memory, and some over
// DynamoDB Local, which takes a hundred times as long.
func sized(all, some int) int {
	if dynamotest.Fast {
		return all
	}
	return some
}

// seed writes clients and their phones directly into the table. This is faster than
// creating them.
func seed(t *testing.T, e *dynamotest.Env, clients []mailing.Client) {
	t.Helper()
	puts := make([]types.WriteRequest, 0, 2*len(clients))
	for _, c := range clients {
		it, err := dynamo.EncodeClient(c)
		if err != nil {
			t.Fatal(err)
		}
		puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}},
			types.WriteRequest{PutRequest: &types.PutRequest{Item: dynamo.PhoneItem(c)}})
	}
	for part := range slices.Chunk(puts, 24) {
		out, err := e.Client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{e.Tables.Clients: part},
		})
		if err != nil || len(out.UnprocessedItems) > 0 {
			t.Fatalf("seed clients: %v, %d left", err, len(out.UnprocessedItems))
		}
	}
}

// put writes one item without a condition.
func put(t *testing.T, e *dynamotest.Env, table string, it map[string]types.AttributeValue) {
	t.Helper()
	if _, err := e.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(table), Item: it}); err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, want mailing.Kind) {
	t.Helper()
	if err == nil || mailing.KindOf(err) != want {
		t.Errorf("error %v is of kind %d, want %d", err, mailing.KindOf(err), want)
	}
}

// all reads a list from its beginning to its end.
func all[T any](t *testing.T, limit int, page func(cursor string) (mailing.List[T], error)) []T {
	t.Helper()
	var items []T
	cursor, pages := "", 0
	for {
		got, err := page(cursor)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Items) > limit {
			t.Fatalf("a page has %d items, the limit is %d", len(got.Items), limit)
		}
		items = append(items, got.Items...)
		if pages++; pages > 10_000 {
			t.Fatal("the list does not end")
		}
		if got.Next == "" {
			return items
		}
		if got.Next == cursor {
			t.Fatal("the list does not advance")
		}
		cursor = got.Next
	}
}

// smallPages is a DynamoDB whose pages hold few items. So tests of several pages need a
// few hundred items instead of megabytes.
type smallPages struct {
	dynamo.API
	size int32
}

func (s smallPages) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	cut := *in
	if in.Limit == nil || *in.Limit > s.size {
		cut.Limit = &s.size
	}
	return s.API.Query(ctx, &cut, opts...)
}

func (s smallPages) Scan(ctx context.Context, in *dynamodb.ScanInput, opts ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	cut := *in
	if in.Limit == nil || *in.Limit > s.size {
		cut.Limit = &s.size
	}
	return s.API.Scan(ctx, &cut, opts...)
}

// newMailing stores a running mailing that began an hour before now.
func newMailing(t *testing.T, s *dynamo.Store, now time.Time) mailing.Mailing {
	t.Helper()
	draft := mailing.Draft{Text: "hello", StartAt: now.Add(-time.Hour), EndAt: now.Add(24 * time.Hour)}
	m, err := mailing.New(draft, now)
	if err != nil {
		t.Fatal(err)
	}
	m, err = s.CreateMailing(t.Context(), m, mailing.Idempotency{})
	if err != nil {
		t.Fatal(err)
	}
	return change(t, s, m.ID, func(m mailing.Mailing) (mailing.Mailing, error) {
		started, _ := m.Started(now)
		return started, nil
	})
}

func change(t *testing.T, s *dynamo.Store, id mailing.ID, how func(mailing.Mailing) (mailing.Mailing, error)) mailing.Mailing {
	t.Helper()
	m, err := s.UpdateMailing(t.Context(), id, how)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// finish finishes a mailing with counts.
func finish(t *testing.T, s *dynamo.Store, id mailing.ID, counts mailing.Counts) {
	t.Helper()
	change(t, s, id, func(m mailing.Mailing) (mailing.Mailing, error) { return m.AsFinished(counts, noon), nil })
}

// pageOf returns a page of an expansion with one message per client, in batches of size
// messages. status returns the status of each message.
func pageOf(m mailing.Mailing, slice int, seen mailing.ClientID, done bool, size int, now time.Time, clients []mailing.ClientID, status func(mailing.ClientID) mailing.MessageStatus) mailing.Page {
	p := mailing.Page{Mailing: m.ID, Slice: slice, Seen: seen, Next: clients[len(clients)-1], Done: done}
	for part := range slices.Chunk(clients, size) {
		b := mailing.Batch{
			Key:       mailing.BatchKey{Mailing: m.ID, Slice: slice, Batch: mailing.BatchID{First: clients[0], N: len(p.Batches)}},
			CreatedAt: now,
		}
		for _, id := range part {
			b.Recipients = append(b.Recipients, mailing.Recipient{Client: id, Status: status(id), At: now})
		}
		if b.Pending() {
			b.DueAt = now.Add(mailing.QueuedOverdueAfter)
		}
		p.Batches = append(p.Batches, b)
		p.Counts = p.Counts.Plus(mailing.CountRecipients(b.Recipients))
	}
	return p
}

// expand writes the messages of a mailing to clients, in pages of up to perPage
// messages and batches of up to size.
func expand(t *testing.T, s *dynamo.Store, m mailing.Mailing, now time.Time, clients []mailing.ClientID, perPage, size int, status func(mailing.ClientID) mailing.MessageStatus) {
	t.Helper()
	var bySlice [mailing.Slices][]mailing.ClientID
	for _, id := range slices.Sorted(slices.Values(clients)) {
		bySlice[id.Slice()] = append(bySlice[id.Slice()], id)
	}
	for slice, ids := range bySlice {
		seen := mailing.ClientID(0)
		for part := range slices.Chunk(ids, perPage) {
			last := part[len(part)-1] == ids[len(ids)-1]
			written, err := s.WritePage(t.Context(), m, pageOf(m, slice, seen, last, size, now, part, status))
			if err != nil || !written {
				t.Fatalf("write a page: %v, %v", written, err)
			}
			seen = part[len(part)-1]
		}
	}
}

// inStorageOrder returns ids in the order in which lists show clients and messages.
func inStorageOrder(ids []mailing.ClientID) []mailing.ClientID {
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, func(a, b mailing.ClientID) int {
		if a.Slice() != b.Slice() {
			return a.Slice() - b.Slice()
		}
		return int(int64(a) - int64(b))
	})
	return sorted
}

// countLooked is a DynamoDB that counts the queries, and the items that they look at.
type countLooked struct {
	dynamo.API
	mu              sync.Mutex
	looked, queries int
}

func (c *countLooked) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := c.API.Query(ctx, in, opts...)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.looked += int(out.ScannedCount)
		c.queries++
	}
	return out, err
}
