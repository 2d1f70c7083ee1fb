//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/clock"
	"postrider/internal/dynamo"
	domain "postrider/internal/mailing"
	"postrider/test/invariants"
)

// check demands the invariants of each mailing that this part has created.
func (s *service) check(t *testing.T) {
	t.Helper()
	created := s.mailings.list()
	if len(created) == 0 || borrowed {
		return
	}
	tables := openTables()
	for _, id := range created {
		tables.finished(t, id)
	}
	r, ledger := tables.read(t, created...), s.hands(t)
	r.Clients = s.directory.all()
	for _, id := range created {
		if m := r.Mailings[id]; !m.Deleted {
			shown := s.info(t, int64(id)).Counts.domain()
			m.Shown = &shown
		}
		for _, l := range ledger[int64(id)] {
			msg := domain.MessageID(l.ID)
			r.Handovers[msg] = append(r.Handovers[msg], invariants.Handover{At: l.Arrival, Phone: fmt.Sprint(l.Phone), Taken: isAccepted(l.Answer)})
		}
	}
	found := demand(t, r)
	figure(t, "the invariants: mailings %d, messages %d; lost %d, not asked for %d, taken again %d with %d uncertain attempts",
		len(created), found.Messages, found.Count(invariants.Missed), found.Count(invariants.Unasked), found.TakenAgain, found.Uncertain)
}

// demand fails the test for each violation of the invariants. One mistake mostly causes a
// thousand violations, so only the first are shown.
func demand(t *testing.T, r invariants.Records) invariants.Report {
	t.Helper()
	report := invariants.Check(r)
	const shown = 10
	for i, v := range report.Violations {
		if i == shown {
			t.Errorf("and %d more violations", len(report.Violations)-shown)
			break
		}
		t.Errorf("%s", v)
	}
	return report
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
	poll(t, fmt.Sprintf("mailing %d is finished", id), func() (bool, string) {
		m, err := b.store.Mailing(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return m.Finished, string(m.Status)
	})
}

// read reads all that is stored for mailings, or for test messages, which have no mailing.
func (b tables) read(t *testing.T, ids ...domain.ID) invariants.Records {
	t.Helper()
	r := invariants.Records{
		Mailings: map[domain.ID]*invariants.Mailing{}, Handovers: map[domain.MessageID][]invariants.Handover{}, Retention: retention,
	}
	for _, id := range ids {
		r.Mailings[id] = &invariants.Mailing{}
		if id == domain.TestMailing {
			continue
		}
		var err error
		if r.Mailings[id].Mailing, err = b.store.Mailing(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	group := limited(t, 8)
	for _, id := range ids {
		for slice := range domain.Slices {
			group.Go(func() error {
				return b.eachRow(t.Context(), fmt.Sprintf("%d#%02d", id, slice), func(row map[string]types.AttributeValue) error {
					mu.Lock()
					defer mu.Unlock()
					return r.AddRow(row)
				})
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return r
}

// eachRow calls do for each row of a part of the batches table.
func (b tables) eachRow(ctx context.Context, part string, do func(map[string]types.AttributeValue) error) error {
	pages := dynamodb.NewQueryPaginator(b.api, &dynamodb.QueryInput{
		TableName: &b.batches, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("#part = :part"),
		ExpressionAttributeNames:  map[string]string{"#part": "part"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":part": &types.AttributeValueMemberS{Value: part}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, row := range page.Items {
			if err := do(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// heldAt returns the batches of mailings that a sender holds by a lease that ends no
// later than last.
func (b tables) heldAt(t *testing.T, ids []domain.ID, now, last time.Time) (held []invariants.Batch) {
	t.Helper()
	for _, m := range b.read(t, ids...).Mailings {
		for _, one := range m.Batches {
			if one.Holder != "" && one.LeaseUntil.After(now) && !one.LeaseUntil.After(last) {
				held = append(held, one)
			}
		}
	}
	return held
}

// keyOf returns any batch of a mailing in the form in which its delivery is queued.
func (b tables) keyOf(t *testing.T, id domain.ID) string {
	t.Helper()
	batches := b.read(t, id).Mailings[id].Batches
	if len(batches) == 0 {
		t.Fatalf("mailing %d has no batches", id)
	}
	k := batches[0].Key
	return `{"mailing_id":` + strconv.Itoa(int(k.Mailing)) + `,"slice":` + strconv.Itoa(k.Slice) + `,"batch":"` + k.Batch.String() + `"}`
}
