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

	"postrider/internal/dynamo"
	domain "postrider/internal/mailing"
)

// check compares the three books of each mailing that this part has created:
// its audience, the stand-in's ledger, and the tables. Nobody is missed, nobody
// is met who was not asked for, each duplicate is paid for by an uncertain
// attempt, the counts are a recount of the messages, and a batch is due exactly
// while something in it is pending.
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

// tables is what is stored, read past the API.
type tables struct {
	store   *dynamo.Store
	api     *dynamodb.Client
	batches string
}

// retention is the template's default: nothing that a test makes is past it.
const retention = 90 * 24 * time.Hour

func openTables() tables {
	api, batches := dynamodb.NewFromConfig(running.Config()), running.PhysicalID("BatchesTable")
	names := dynamo.Tables{Clients: running.PhysicalID("ClientsTable"), Mailings: running.PhysicalID("MailingsTable"), Batches: batches}
	return tables{dynamo.New(api, names, retention), api, batches}
}

// finished waits until all of a mailing is accounted for: that of a cancelled or
// deleted one goes on behind the API's back.
func (b tables) finished(t *testing.T, id domain.MailingID) {
	t.Helper()
	poll(t, 2*time.Minute, fmt.Sprintf("mailing %d is finished", id), func() (bool, string) {
		m, err := b.store.Mailing(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return m.Finished, string(m.Status)
	})
}

// kept is what the tables hold of a mailing.
type kept struct {
	mailing domain.Mailing
	states  *[domain.Slices]domain.SliceState
	batches []domain.Batch
	// expiry is when DynamoDB may remove a batch, 0 for never.
	expiry map[domain.BatchKey]int64
}

// read reads all of a mailing; of the test messages', which is none, what is
// stored in its place.
func (b tables) read(t *testing.T, id domain.MailingID) kept {
	t.Helper()
	var k kept
	var err error
	if id != domain.TestMailing {
		if k.mailing, err = b.store.Mailing(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	states, err := b.store.Slices(t.Context(), []domain.MailingID{id})
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

// allBatches are the batches of mailings, slice by slice.
func (b tables) allBatches(ctx context.Context, ids ...domain.MailingID) ([]domain.Batch, error) {
	var (
		mu  sync.Mutex
		all []domain.Batch
	)
	err := eachSlice(ctx, ids, func(ctx context.Context, id domain.MailingID, slice int) error {
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

func eachSlice(ctx context.Context, ids []domain.MailingID, do func(context.Context, domain.MailingID, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, id := range ids {
		for slice := range domain.Slices {
			group.Go(func() error { return do(ctx, id, slice) })
		}
	}
	return group.Wait()
}

// expiries reads what the store does not tell of batches.
func (b tables) expiries(ctx context.Context, id domain.MailingID) (map[domain.BatchKey]int64, error) {
	var mu sync.Mutex
	all := map[domain.BatchKey]int64{}
	err := eachSlice(ctx, []domain.MailingID{id}, func(ctx context.Context, id domain.MailingID, slice int) error {
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

// findings is what comparing the books of one mailing has brought up.
type findings struct {
	of       domain.MailingID
	problems []string
	// messages, and of what is wrong with them how many: lost are missed, and
	// strangers were not asked for.
	messages, lost, strangers int
	// taken is how often messages were accepted beyond the first time, and
	// uncertain how many attempts of theirs excuse that.
	taken, uncertain int
}

func (f *findings) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// report fails the test for what is wrong. A mistake that is made once is mostly
// made a thousand times: the first are enough.
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

// recount compares each slice's counts with its messages, and when a batch is
// due with whether anything in it is pending.
func (f *findings) recount(k kept) {
	var counted [domain.Slices]domain.Counts
	for _, b := range k.batches {
		counted[b.Key.Slice] = counted[b.Key.Slice].Plus(domain.CountMembers(b.Members))
		due, expires := !b.DueAt.IsZero(), k.expiry[b.Key] != 0
		if pending := b.Pending(); pending != due || pending == expires {
			f.problem("batch %s: pending %t, due at %s, expires %t", b.Key, pending, b.DueAt, expires)
		}
		if !b.Pending() && b.Holder != "" {
			f.problem("batch %s is done with, and held", b.Key)
		}
		for _, mem := range b.Members {
			if mem.Client.Slice() != b.Key.Slice {
				f.problem("client %d is in batch %s", mem.Client, b.Key)
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

// account compares each message with the times that the stand-in took it.
func (f *findings) account(k kept, lines []handOver) {
	took := accepted(lines)
	known := map[int64]bool{}
	for _, b := range k.batches {
		for _, mem := range b.Members {
			id := int64(domain.NewMessageID(b.Key.Mailing, mem.Client))
			if known[id] {
				f.problem("message %d is there twice", id)
			}
			known[id] = true
			n := took[id]
			f.uncertain += mem.Uncertain
			f.taken += max(0, n-1)
			switch {
			case n > 1+mem.Uncertain:
				f.problem("message %d was taken %d times, with %d uncertain attempts", id, n, mem.Uncertain)
			case n == 0 && mem.Status == domain.Sent:
				f.problem("message %d is called sent, and was never taken", id)
			case n > 0 && !mem.Status.Pending() && mem.Status != domain.Sent && mem.Uncertain == 0:
				f.problem("message %d is called %s, and was taken", id, mem.Status)
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

// audience compares the messages with the clients: none without a client that
// the mailing's filter matches, and, once it is expanded, none of the first
// demanded clients without a message. One that was deleted may have been so
// before that.
func (f *findings) audience(k kept, clients []domain.Client, demanded int, deleted map[domain.ClientID]bool) {
	asked := map[domain.ClientID]bool{}
	for _, b := range k.batches {
		for _, mem := range b.Members {
			asked[mem.Client] = true
		}
	}
	expanded := domain.Sum(k.states).Expanded
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

// phones demands that what was handed over went to the phones of the clients.
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

// heldAt are the batches of mailings that somebody holds by a lease that ends at
// last at the latest.
func (b tables) heldAt(t *testing.T, ids []domain.MailingID, now, last time.Time) []domain.Batch {
	t.Helper()
	all, err := b.allBatches(t.Context(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(one domain.Batch) bool {
		return one.Holder == "" || !one.LeaseUntil.After(now) || one.LeaseUntil.After(last)
	})
}

// keyOf is any batch of a mailing as its delivery is queued.
func (b tables) keyOf(t *testing.T, id domain.MailingID) string {
	t.Helper()
	all, err := b.allBatches(t.Context(), id)
	if err != nil || len(all) == 0 {
		t.Fatalf("mailing %d has %d batches, %v", id, len(all), err)
	}
	slices.SortFunc(all, func(x, y domain.Batch) int { return x.Key.Slice - y.Key.Slice })
	k := all[0].Key
	return `{"mailing_id":` + strconv.Itoa(int(k.Mailing)) + `,"slice":` + strconv.Itoa(k.Slice) + `,"batch":"` + k.Batch.String() + `"}`
}
