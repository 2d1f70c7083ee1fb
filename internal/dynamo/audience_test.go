package dynamo_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// audience seeds n clients of slice 3 and one of slice 4. Their tags are so long that
// 3,000 clients are more than one DynamoDB page.
func audience(t *testing.T, e *dynamotest.Env, n int) []mailing.Client {
	t.Helper()
	long := strings.Repeat("𝔸", mailing.MaxTag-4)
	clients := make([]mailing.Client, n)
	for i := range clients {
		clients[i] = mailing.Client{
			ID: mailing.ClientID(i*mailing.Slices*1000 + 3), Phone: phone(i), Timezone: "UTC",
			OperatorCode: strconv.Itoa(900 + i%7), Tag: fmt.Sprintf("%s%03d", long, i%500),
		}
		if i == 0 {
			clients[i].ID = 19
		}
		if i%11 == 0 {
			clients[i].Tag = ""
		}
	}
	elsewhere := client(n)
	elsewhere.ID = 4
	seed(t, e, clients)
	seed(t, e, []mailing.Client{elsewhere})
	return clients
}

// walkAudience reads a whole slice, step by step.
func walkAudience(t *testing.T, s *dynamo.Store, f mailing.Filter, limit int) (met []mailing.ClientID, steps int) {
	t.Helper()
	for after, done := mailing.ClientID(0), false; !done; steps++ {
		clients, next, end, err := s.Audience(t.Context(), 3, f, time.Time{}, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(clients) > limit {
			t.Fatalf("%d clients, the limit is %d", len(clients), limit)
		}
		if !end && next <= after {
			t.Fatalf("the walk does not advance after %d", after)
		}
		for _, c := range clients {
			if c.ID <= after || c.ID > next {
				t.Fatalf("client %d is not between %d and %d", c.ID, after, next)
			}
			met = append(met, c.ID)
		}
		after, done = next, end
	}
	return met, steps
}

func TestEachClientOfAnAudienceIsReadOnceWhateverThePageSize(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clients := audience(t, e, sized(3000, 600))
	var fifty []string
	for _, c := range clients {
		if c.Tag != "" && len(fifty) < 50 { // a filter cannot name the empty tag
			fifty = append(fifty, c.Tag)
		}
	}
	for name, f := range map[string]mailing.Filter{
		"everyone":          {},
		"operators":         {OperatorCodes: []string{"901", "905"}},
		"an operator":       {OperatorCodes: []string{"900"}},
		"fifty tags":        {Tags: fifty},
		"a rare tag":        {Tags: []string{clients[499].Tag}},
		"operators and tag": {OperatorCodes: []string{"902", "903", "904"}, Tags: fifty[:20]},
		"none":              {OperatorCodes: []string{"999"}},
		"none by both":      {OperatorCodes: []string{"900"}, Tags: []string{"none"}},
	} {
		var want []mailing.ClientID
		for _, c := range clients {
			if f.Matches(c) {
				want = append(want, c.ID)
			}
		}
		for _, limit := range []int{37, sized(1000, 300)} {
			for _, api := range []dynamo.API{e.Client, smallPages{e.Client, 100}}[:sized(2, 1)] {
				met, steps := walkAudience(t, e.StoreOver(api), f, limit)
				if fmt.Sprint(met) != fmt.Sprint(want) {
					t.Errorf("%s, limit %d: met %d clients, want %d, or in another order", name, limit, len(met), len(want))
				}
				if most := len(want)/limit + 4; steps > most {
					t.Errorf("%s, limit %d: it took %d steps, want at most %d", name, limit, steps, most)
				}
			}
		}
	}
}

func TestAStepThroughAnAudienceIsBoundedEvenWithoutAMatch(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clients := audience(t, e, 200)
	faults := dynamotest.NewFaults(smallPages{e.Client, 5})
	none, next, done, err := e.StoreOver(faults).Audience(t.Context(), 3, mailing.Filter{Tags: []string{"none"}}, time.Time{}, 0, 1000)
	if err != nil || len(none) != 0 || done {
		t.Fatalf("%d clients, done %v, %v", len(none), done, err)
	}
	pages := faults.Calls(dynamotest.Query)
	if pages > 10 || next != clients[5*pages-1].ID {
		t.Errorf("after %d pages of 5 the next is %d", pages, next)
	}
}

func TestAnEmptySliceIsDoneAtOnce(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	clients, next, done, err := s.Audience(t.Context(), 3, mailing.Filter{}, time.Time{}, 77, 10)
	if err != nil || len(clients) != 0 || next != 77 || !done {
		t.Errorf("%d clients, next %d, done %v, %v", len(clients), next, done, err)
	}
}

func TestAPageThatEndsWithTheSliceIsDone(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clients := audience(t, e, 20)
	got, next, done, err := e.Store().Audience(t.Context(), 3, mailing.Filter{}, time.Time{}, 0, 20)
	if err != nil || len(got) != 20 || next != clients[19].ID || !done {
		t.Errorf("%d clients, next %d, done %v, %v", len(got), next, done, err)
	}
}

func TestAnAudienceReadsNotMuchMoreThanItReturns(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	n := sized(3000, 1000)
	audience(t, e, n)
	counter := &countLooked{API: e.Client}
	walkAudience(t, e.StoreOver(counter), mailing.Filter{OperatorCodes: []string{"900"}}, 20)
	if counter.looked > n*4/3 {
		t.Errorf("%d clients were looked at, and paid for, of %d", counter.looked, n)
	}
}
