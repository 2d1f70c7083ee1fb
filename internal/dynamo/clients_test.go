package dynamo_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func TestAClientIsReadAsItWasCreated(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	for i, c := range []mailing.Client{
		{OperatorCode: "900", Tag: "vip", Timezone: "Europe/Moscow"},
		{OperatorCode: "999", Tag: "", Timezone: "UTC"},
		{OperatorCode: "900", Tag: "очень важный #клиент", Timezone: "Asia/Vladivostok"},
	} {
		c.Phone = phone(i)
		want := create(t, s, c)
		if want.ID == 0 {
			t.Error("a client has no id")
		}
		got, err := s.Client(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		c.ID = want.ID
		if diff := cmp.Diff(c, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnUnknownClientIsNotFound(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	_, err := s.Client(t.Context(), 5)
	wantKind(t, err, mailing.KindNotFound)
	_, err = s.UpdateClient(t.Context(), 5, func(c mailing.Client) (mailing.Client, error) { return c, nil })
	wantKind(t, err, mailing.KindNotFound)
	wantKind(t, s.DeleteClient(t.Context(), 5), mailing.KindNotFound)
}

func TestOfTwentyCreationsWithOnePhoneOneSucceeds(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	var (
		group sync.WaitGroup
		made  atomic.Int32
	)
	for range 20 {
		group.Go(func() {
			_, err := s.CreateClient(t.Context(), client(1), mailing.Idempotency{})
			if err == nil {
				made.Add(1)
				return
			}
			wantKind(t, err, mailing.KindConflict)
			if strings.Contains(err.Error(), phone(1)) {
				t.Errorf("the error contains the phone: %v", err)
			}
		})
	}
	group.Wait()
	if made.Load() != 1 {
		t.Errorf("%d clients were made, want 1", made.Load())
	}
	list, err := s.ListClients(t.Context(), mailing.ClientQuery{Limit: 100})
	if err != nil || len(list.Items) != 1 {
		t.Errorf("%d clients are there, %v", len(list.Items), err)
	}
}

// ids returns a function that returns the ids of list one after the other.
func ids(list ...mailing.ClientID) func() mailing.ClientID {
	return func() mailing.ClientID {
		id := list[0]
		list = list[1:]
		return id
	}
}

func TestAnIDThatIsInUseIsReplacedByAnother(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	first, err := s.CreateClientWithIDs(t.Context(), client(1), ids(5))
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.CreateClientWithIDs(t.Context(), client(2), ids(5, 5, 7))
	if err != nil || second.ID != 7 {
		t.Fatalf("the second client has id %d, %v; want 7", second.ID, err)
	}
	got, err := s.Client(t.Context(), 5)
	if err != nil || got != first {
		t.Errorf("the first client is %v, %v", got, err)
	}
	// A try that failed because of its id must not have taken the phone.
	if err := s.DeleteClient(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	create(t, s, client(2))
}

func TestATakenPhoneIsReportedEvenIfTheIDCollidesToo(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	if _, err := s.CreateClientWithIDs(t.Context(), client(1), ids(5)); err != nil {
		t.Fatal(err)
	}
	_, err := s.CreateClientWithIDs(t.Context(), client(1), ids(5))
	wantKind(t, err, mailing.KindConflict)
}

func TestTheIDOfADeletedClientIsNeverGivenOutAgain(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	if _, err := s.CreateClientWithIDs(t.Context(), client(1), ids(5)); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteClient(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	again, err := s.CreateClientWithIDs(t.Context(), client(1), ids(5, 6))
	if err != nil || again.ID != 6 {
		t.Errorf("the new client has id %d, %v; want 6", again.ID, err)
	}
}

func TestACreationThatFindsNoFreeIDIsAnError(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	five := func() mailing.ClientID { return 5 }
	if _, err := s.CreateClientWithIDs(t.Context(), client(1), five); err != nil {
		t.Fatal(err)
	}
	_, err := s.CreateClientWithIDs(t.Context(), client(2), five)
	wantKind(t, err, mailing.KindInternal)
}

func TestACreationThatConflictsWithAnotherTransactionIsTriedAgain(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	create(t, e.Store(), client(2)) // it stores the markers of both
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Refuse: dynamotest.Conflicted()})
	// This transaction succeeds, but its answer is lost. The repetition must count as
	// the same one.
	faults.On(dynamotest.TransactWriteItems, 2, dynamotest.Fault{Lose: &types.TransactionInProgressException{}})
	created := create(t, e.StoreOver(faults), client(1))
	if got, err := e.Store().Client(t.Context(), created.ID); err != nil || got != created {
		t.Errorf("stored is %v, %v; want %v", got, err, created)
	}
	if n := faults.Calls(dynamotest.TransactWriteItems); n != 3 {
		t.Errorf("%d transactions, want 3", n)
	}
}

func TestClientsLeavesOutUnknownIDs(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	want := map[mailing.ClientID]mailing.Client{}
	asked := append(make([]mailing.ClientID, 0, 13), 1, 2, 3)
	for i := range 5 {
		c := create(t, s, client(i))
		want[c.ID] = c
		asked = append(asked, c.ID, c.ID)
	}
	got, err := s.Clients(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if none, err := s.Clients(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("no ids give %v, %v", none, err)
	}
}
