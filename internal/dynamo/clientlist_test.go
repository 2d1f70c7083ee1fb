package dynamo_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// directory seeds n clients with random ids and a few operator codes and tags. It
// returns them in storage order.
func directory(t *testing.T, e *dynamotest.Env, n int) []mailing.Client {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	byID := map[mailing.ClientID]mailing.Client{}
	for len(byID) < n {
		c := client(len(byID))
		c.ID = mailing.ClientID(random.Uint32() | 1<<uint(random.IntN(4)))
		c.OperatorCode = []string{"900", "901", "902"}[random.IntN(3)]
		c.Tag = []string{"", "vip", "new"}[random.IntN(3)]
		if _, ok := byID[c.ID]; !ok {
			byID[c.ID] = c
		}
	}
	keys := make([]mailing.ClientID, 0, n)
	for id := range byID {
		keys = append(keys, id)
	}
	clients := make([]mailing.Client, 0, n)
	for _, id := range inStorageOrder(keys) {
		clients = append(clients, byID[id])
	}
	seed(t, e, clients)
	return clients
}

func listClients(t *testing.T, s *dynamo.Store, q mailing.ClientQuery) []mailing.Client {
	t.Helper()
	return all(t, q.Limit, func(cursor string) (mailing.List[mailing.Client], error) {
		q.Cursor = cursor
		return s.ListClients(t.Context(), q)
	})
}

func TestADirectoryIsListedInStorageOrderWithAnyLimit(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	want := directory(t, e, 120)
	for _, limit := range []int{1, 2, 3, 7, 8, 50, 100} {
		got := listClients(t, e.Store(), mailing.ClientQuery{Limit: limit})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
	}
}

func TestASmallDirectoryIsOneFullPage(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	want := directory(t, e, 30)
	got, err := e.Store().ListClients(t.Context(), mailing.ClientQuery{Limit: 50})
	if err != nil || got.Next != "" {
		t.Fatalf("next is %q, %v", got.Next, err)
	}
	if diff := cmp.Diff(want, got.Items); diff != "" {
		t.Error(diff)
	}
}

func TestAnEmptyDirectoryIsAnEmptyPage(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	for _, q := range []mailing.ClientQuery{{}, {Phone: phone(1)}, {OperatorCode: "900"}, {Tag: "vip"}} {
		q.Limit = 10
		if got, err := s.ListClients(t.Context(), q); err != nil || len(got.Items) != 0 || got.Next != "" {
			t.Errorf("%+v gives %+v, %v", q, got, err)
		}
	}
}

func TestASearchFindsAllMatchingClientsWithAnyLimit(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clients := directory(t, e, 150)
	for _, q := range []mailing.ClientQuery{
		{OperatorCode: "901"},
		{Tag: "vip"},
		{OperatorCode: "902", Tag: "new"},
		{OperatorCode: "999"},
		{OperatorCode: "999", Tag: "new"},
		{Tag: "VIP"},
		{Phone: phone(5)},
		{Phone: phone(5), OperatorCode: "999"},
		{Phone: phone(5), Tag: "none"},
		{Phone: phone(99999)},
	} {
		var want []mailing.Client
		for _, c := range clients {
			if (q.Phone == "" || q.Phone == c.Phone) && (q.OperatorCode == "" || q.OperatorCode == c.OperatorCode) && (q.Tag == "" || q.Tag == c.Tag) {
				want = append(want, c)
			}
		}
		slices.SortFunc(want, func(a, b mailing.Client) int { return int(int64(a.ID) - int64(b.ID)) })
		for _, limit := range []int{1, 4, 100} {
			q.Limit = limit
			if diff := cmp.Diff(want, listClients(t, e.Store(), q)); diff != "" {
				t.Errorf("%+v: %s", q, diff)
			}
		}
	}
}

func TestASearchWithFewMatchesReadsFurtherDynamoDBPages(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clients := make([]mailing.Client, 0, 60)
	for n := range cap(clients) {
		c := client(n)
		c.ID, c.OperatorCode = mailing.ClientID(n+1), "901"
		if n%30 == 29 {
			c.OperatorCode = "900"
		}
		clients = append(clients, c)
	}
	seed(t, e, clients)
	s := e.StoreOver(smallPages{e.Client, 10})
	q := mailing.ClientQuery{OperatorCode: "900", Tag: "vip", Limit: 1}
	first, err := s.ListClients(t.Context(), q)
	if err != nil || len(first.Items) != 1 {
		t.Errorf("the first page is %v, %v", first, err)
	}
	if got := listClients(t, s, q); len(got) != 2 {
		t.Errorf("%d clients were found, want 2", len(got))
	}
}

func TestAPhoneIsFoundAtOnceAfterItMoved(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	c := edit(t, s, create(t, s, client(1)).ID, withPhone(2))
	if got := listClients(t, s, mailing.ClientQuery{Phone: phone(1), Limit: 1}); len(got) != 0 {
		t.Errorf("the old phone finds %v", got)
	}
	if diff := cmp.Diff([]mailing.Client{c}, listClients(t, s, mailing.ClientQuery{Phone: phone(2), Limit: 1})); diff != "" {
		t.Error(diff)
	}
}

func TestACursorOfAnotherSearchIsMalformed(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	directory(t, e, 40)
	s := e.Store()
	queries := []mailing.ClientQuery{{}, {OperatorCode: "900"}, {Tag: "vip"}, {Tag: "new"}, {OperatorCode: "900", Tag: "vip"}, {Phone: phone(1)}}
	for i, q := range queries[:5] {
		q.Limit = 1
		page, err := s.ListClients(t.Context(), q)
		if err != nil || page.Next == "" {
			t.Fatalf("%+v: %v, next %q", q, err, page.Next)
		}
		for j, other := range queries {
			other.Limit, other.Cursor = 7, page.Next
			_, err := s.ListClients(t.Context(), other)
			if i == j && err != nil {
				t.Errorf("its own search, another limit: %v", err)
			}
			if i != j {
				wantKind(t, err, mailing.KindMalformed)
			}
		}
		_, err = s.ListMailings(t.Context(), mailing.MailingQuery{Limit: 1, Cursor: page.Next})
		wantKind(t, err, mailing.KindMalformed)
		_, err = s.ListMessages(t.Context(), mailing.MessageQuery{Limit: 1, Cursor: page.Next})
		wantKind(t, err, mailing.KindMalformed)
	}
}

func TestAListShowsEachClientOnceWhileOthersAreCreated(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	want := directory(t, e, 60)
	s := e.Store()
	seen := map[mailing.ClientID]int{}
	n := 0
	for _, c := range all(t, 5, func(cursor string) (mailing.List[mailing.Client], error) {
		create(t, s, mailing.Client{Phone: phone(1000 + n), OperatorCode: "900", Tag: strconv.Itoa(n), Timezone: "UTC"})
		n++
		return s.ListClients(t.Context(), mailing.ClientQuery{Limit: 5, Cursor: cursor})
	}) {
		seen[c.ID]++
	}
	for _, c := range want {
		if seen[c.ID] != 1 {
			t.Errorf("client %d was listed %d times", c.ID, seen[c.ID])
		}
	}
}
