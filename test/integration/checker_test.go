//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"postrider/internal/clock"
	"postrider/internal/dynamo"
	domain "postrider/internal/mailing"
)

// check compares three records of each mailing that this part has created: its audience,
// the fake provider's ledger, and the tables. It demands these invariants:
//   - No client of the audience is missed, and no other client gets a message.
//   - Each duplicate has an uncertain attempt that accounts for it.
//   - The counts equal a recount of the messages.
//   - A batch is due exactly while something in it is pending.
func (s *service) check(t *testing.T) {
	t.Helper()
	created := s.mailings.list()
	if len(created) == 0 {
		return
	}
	tables := openTables()
	for _, e := range created {
		tables.finished(t, e.id)
	}
	clients, deleted := s.directory.all()
	hands := s.hands(t)
	var sum findings
	for _, e := range created {
		k := tables.read(t, e.id)
		f := findings{of: e.id}
		f.recount(k)
		f.account(k, hands[int64(e.id)])
		f.audience(k, clients, e.clients, deleted)
		f.phones(clients, hands[int64(e.id)])
		f.report(t)
		sum.messages += f.messages
		sum.taken += f.taken
		sum.lost += f.lost
		sum.strangers += f.strangers
		sum.uncertain += f.uncertain
	}
	figure(t, "the books: mailings %d, messages %d; lost %d, not asked for %d, taken again %d with %d uncertain attempts",
		len(created), sum.messages, sum.lost, sum.strangers, sum.taken, sum.uncertain)
}

// tables reads the stored data without the API.
type tables struct {
	store   *dynamo.Store
	api     *dynamodb.Client
	batches string
}

// retention is the template's default. No message of a test is older.
const retention = 90 * 24 * time.Hour

func openTables() tables {
	api, batches := dynamodb.NewFromConfig(running.Config()), running.PhysicalID("BatchesTable")
	names := dynamo.Tables{Clients: running.PhysicalID("ClientsTable"), Mailings: running.PhysicalID("MailingsTable"), Batches: batches}
	return tables{dynamo.New(api, dynamo.Config{Tables: names, Retention: retention, Clock: clock.System{}}), api, batches}
}

// finished waits until all messages of a mailing are accounted for. For a cancelled or
// deleted mailing this work goes on after the API has answered.
func (b tables) finished(t *testing.T, id domain.ID) {
	t.Helper()
	poll(t, 5*time.Minute, fmt.Sprintf("mailing %d is finished", id), func() (bool, string) {
		m, err := b.store.Mailing(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return m.Finished, string(m.Status)
	})
}

// kept is the content of the tables for one mailing.
type kept struct {
	mailing domain.Mailing
	states  *domain.SliceStates
	batches []domain.Batch
	// expiry is when DynamoDB may remove a batch, in seconds since 1970; 0 is never.
	expiry map[domain.BatchKey]int64
}

// read reads everything that is stored for a mailing. Test messages have no mailing: for
// them it reads only slices and batches.
func (b tables) read(t *testing.T, id domain.ID) kept {
	t.Helper()
	var k kept
	var err error
	if id != domain.TestMailing {
		if k.mailing, err = b.store.Mailing(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	states, err := b.store.Slices(t.Context(), []domain.ID{id})
	if err != nil {
		t.Fatal(err)
	}
	k.states = states[id]
	if k.batches, err = b.allBatches(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if k.expiry, err = b.expiries(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return k
}

// allBatches returns the batches of mailings, slice by slice.
func (b tables) allBatches(ctx context.Context, ids ...domain.ID) ([]domain.Batch, error) {
	var (
		mu  sync.Mutex
		all []domain.Batch
	)
	err := eachSlice(ctx, ids, func(ctx context.Context, id domain.ID, slice int) error {
		for after := ""; ; {
			batches, next, err := b.store.SliceBatches(ctx, id, slice, after)
			if err != nil {
				return err
			}
			mu.Lock()
			all = append(all, batches...)
			mu.Unlock()
			if after = next; after == "" {
				return nil
			}
		}
	})
	return all, err
}

func eachSlice(ctx context.Context, ids []domain.ID, do func(context.Context, domain.ID, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, id := range ids {
		for slice := range domain.Slices {
			group.Go(func() error { return do(ctx, id, slice) })
		}
	}
	return group.Wait()
}

// expiries reads the expiry of batches, which the store does not return.
func (b tables) expiries(ctx context.Context, id domain.ID) (map[domain.BatchKey]int64, error) {
	var mu sync.Mutex
	all := map[domain.BatchKey]int64{}
	err := eachSlice(ctx, []domain.ID{id}, func(ctx context.Context, id domain.ID, slice int) error {
		pages := dynamodb.NewQueryPaginator(b.api, &dynamodb.QueryInput{
			TableName: &b.batches, ConsistentRead: aws.Bool(true),
			KeyConditionExpression:   aws.String("#part = :part AND begins_with(#id, :batch)"),
			ProjectionExpression:     aws.String("#id, #ttl"),
			ExpressionAttributeNames: map[string]string{"#part": "part", "#id": "id", "#ttl": "ttl"},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":part": &types.AttributeValueMemberS{Value: fmt.Sprintf("%d#%02d", id, slice)}, ":batch": &types.AttributeValueMemberS{Value: "batch#"},
			},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, it := range page.Items {
				var row struct {
					ID  string `dynamodbav:"id"`
					TTL int64  `dynamodbav:"ttl"`
				}
				if err := attributevalue.UnmarshalMap(it, &row); err != nil {
					return err
				}
				batch, err := domain.ParseBatchID(row.ID[len("batch#"):])
				if err != nil {
					return err
				}
				mu.Lock()
				all[domain.BatchKey{Mailing: id, Slice: slice, Batch: batch}] = row.TTL
				mu.Unlock()
			}
		}
		return nil
	})
	return all, err
}

// findings is the result of the comparison for one mailing.
type findings struct {
	of       domain.ID
	problems []string
	// messages counts the messages; lost counts the missed clients, and strangers the
	// messages outside of the audience.
	messages, lost, strangers int
	// taken counts the repeated acceptances of messages, and uncertain the attempts that
	// account for them.
	taken, uncertain int
}

func (f *findings) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// report fails the test for each problem. One mistake mostly occurs a thousand times, so
// the first problems are enough.
func (f *findings) report(t *testing.T) {
	t.Helper()
	const enough = 10
	for _, p := range f.problems[:min(enough, len(f.problems))] {
		t.Errorf("mailing %d: %s", f.of, p)
	}
	if more := len(f.problems) - enough; more > 0 {
		t.Errorf("mailing %d: and %d problems more", f.of, more)
	}
}

// recount compares each slice's counts with its messages, and the due time of each batch
// with whether anything in it is pending.
func (f *findings) recount(k kept) {
	var counted [domain.Slices]domain.Counts
	for _, b := range k.batches {
		counted[b.Key.Slice] = counted[b.Key.Slice].Plus(domain.CountRecipients(b.Recipients))
		due, expires := !b.DueAt.IsZero(), k.expiry[b.Key] != 0
		if pending := b.Pending(); pending != due || pending == expires {
			f.problem("batch %s: pending %t, due at %s, expires %t", b.Key, pending, b.DueAt, expires)
		}
		if !b.Pending() && b.Holder != "" {
			f.problem("batch %s is done with, and held", b.Key)
		}
		for _, rec := range b.Recipients {
			if rec.Client.Slice() != b.Key.Slice {
				f.problem("client %d is in batch %s", rec.Client, b.Key)
			}
		}
	}
	var all domain.Counts
	for slice, state := range k.states {
		if state.Counts != counted[slice] {
			f.problem("slice %d: recounted %+v, its counts are %+v", slice, counted[slice], state.Counts)
		}
		all = all.Plus(state.Counts)
	}
	if k.mailing.Finished && k.mailing.Counts != all {
		f.problem("its slices sum up to %+v, its counts are %+v", all, k.mailing.Counts)
	}
	if k.mailing.Finished && all.Pending() != 0 {
		f.problem("it is finished with %+v", all)
	}
}

// account compares each message with the times that the fake provider took it.
func (f *findings) account(k kept, lines []handOver) {
	took := accepted(lines)
	known := map[int64]bool{}
	for _, b := range k.batches {
		for _, rec := range b.Recipients {
			id := int64(domain.NewMessageID(b.Key.Mailing, rec.Client))
			if known[id] {
				f.problem("message %d is there twice", id)
			}
			known[id] = true
			n := took[id]
			f.uncertain += rec.Uncertain
			f.taken += max(0, n-1)
			switch {
			case n > 1+rec.Uncertain:
				f.problem("message %d was taken %d times, with %d uncertain attempts", id, n, rec.Uncertain)
			case n == 0 && rec.Status == domain.Sent:
				f.problem("message %d is called sent, and was never taken", id)
			case n > 0 && !rec.Status.Pending() && rec.Status != domain.Sent && rec.Uncertain == 0:
				f.problem("message %d is called %s, and was taken", id, rec.Status)
			}
		}
	}
	f.messages = len(known)
	for _, l := range lines {
		if !known[l.ID] {
			f.strangers++
			f.problem("message %d was handed over, and is of no batch", l.ID)
		}
		if l.Arrival.Before(k.mailing.StartAt) || !l.Arrival.Before(k.mailing.EndAt) {
			f.problem("message %d was handed over at %s", l.ID, l.Arrival)
		}
	}
}

// audience compares the messages with the clients. Each message needs a client that the
// mailing's filter matches. Once the mailing is expanded, each of the first demanded
// clients that match needs a message. A deleted client needs none, because it may have
// been deleted before the expansion.
func (f *findings) audience(k kept, clients []domain.Client, demanded int, deleted map[domain.ClientID]bool) {
	asked := map[domain.ClientID]bool{}
	for _, b := range k.batches {
		for _, rec := range b.Recipients {
			asked[rec.Client] = true
		}
	}
	expanded := k.states.Sum().Expanded
	if k.mailing.Status == domain.StatusCompleted && !expanded {
		f.problem("it is completed, and not expanded")
	}
	for i, c := range clients {
		matches := k.mailing.Filter.Matches(c)
		switch {
		case expanded && i < demanded && matches && !asked[c.ID] && !deleted[c.ID]:
			f.lost++
			f.problem("client %d was missed", c.ID)
		case !matches && asked[c.ID]:
			f.strangers++
			f.problem("client %d was not asked for", c.ID)
		}
		delete(asked, c.ID)
	}
	for id := range asked {
		f.strangers++
		f.problem("client %d is nobody that a test has created", id)
	}
}

// phones demands that accepted messages went to the phones of their clients.
func (f *findings) phones(clients []domain.Client, lines []handOver) {
	phone := make(map[int64]string, len(clients))
	for _, c := range clients {
		phone[int64(c.ID)] = c.Phone
	}
	for _, l := range lines {
		if to := phone[l.ID&(1<<32-1)]; isAccepted(l.Answer) && l.Phone != to {
			f.problem("message %d went to %v, the client's phone is %s", l.ID, l.Phone, to)
		}
	}
}

// heldAt returns the batches of mailings that a sender holds by a lease that ends no
// later than last.
func (b tables) heldAt(t *testing.T, ids []domain.ID, now, last time.Time) []domain.Batch {
	t.Helper()
	all, err := b.allBatches(t.Context(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(one domain.Batch) bool {
		return one.Holder == "" || !one.LeaseUntil.After(now) || one.LeaseUntil.After(last)
	})
}

// keyOf returns any batch of a mailing in the form in which its delivery is queued.
func (b tables) keyOf(t *testing.T, id domain.ID) string {
	t.Helper()
	all, err := b.allBatches(t.Context(), id)
	if err != nil || len(all) == 0 {
		t.Fatalf("mailing %d has %d batches, %v", id, len(all), err)
	}
	slices.SortFunc(all, func(x, y domain.Batch) int { return x.Key.Slice - y.Key.Slice })
	k := all[0].Key
	return `{"mailing_id":` + strconv.Itoa(int(k.Mailing)) + `,"slice":` + strconv.Itoa(k.Slice) + `,"batch":"` + k.Batch.String() + `"}`
}
