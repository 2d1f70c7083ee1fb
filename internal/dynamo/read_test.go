package dynamo_test

import (
	"errors"
	"testing"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// someClients returns n clients with the ids from 1 on.
func someClients(n int) ([]mailing.Client, []mailing.ClientID) {
	clients := make([]mailing.Client, n)
	keys := make([]mailing.ClientID, n)
	for i := range clients {
		clients[i] = client(i)
		clients[i].ID = mailing.ClientID(i + 1)
		keys[i] = clients[i].ID
	}
	return clients, keys
}

func TestKeysThatDynamoDBLeavesUnprocessedAreReadAgain(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clients, keys := someClients(250)
	seed(t, e, clients)
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.BatchGetItem, 1, dynamotest.Fault{Unprocessed: 100}) // all
	faults.On(dynamotest.BatchGetItem, 2, dynamotest.Fault{Unprocessed: 99})
	faults.On(dynamotest.BatchGetItem, 5, dynamotest.Fault{Unprocessed: 1})
	got, err := e.StoreOver(faults).Clients(t.Context(), keys)
	if err != nil || len(got) != len(keys) {
		t.Errorf("%d clients of %d were read, %v", len(got), len(keys), err)
	}
}

func TestKeysThatStayUnprocessedAreAnErrorAndNotLeftOut(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clients, keys := someClients(10)
	seed(t, e, clients)
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.BatchGetItem, 1, dynamotest.Fault{Unprocessed: 3})
	faults.Always(dynamotest.BatchGetItem, dynamotest.Fault{Unprocessed: 100})
	got, err := e.StoreOver(faults).Clients(t.Context(), keys)
	if err == nil {
		t.Errorf("%d clients were read without an error", len(got))
	}
	if n := faults.Calls(dynamotest.BatchGetItem); n > 20 {
		t.Errorf("it was tried %d times", n)
	}
}

func TestABatchReadThatMakesProgressMayTakeManyCalls(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clients, keys := someClients(40)
	seed(t, e, clients)
	faults := dynamotest.NewFaults(e.Client)
	for n := range 40 {
		faults.On(dynamotest.BatchGetItem, n+1, dynamotest.Fault{Unprocessed: 39 - n}) // one key a call
	}
	got, err := e.StoreOver(faults).Clients(t.Context(), keys)
	if err != nil || len(got) != len(keys) {
		t.Errorf("%d clients of %d were read, %v", len(got), len(keys), err)
	}
}

func TestAFailedBatchReadReturnsItsCause(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	faults := dynamotest.NewFaults(e.Client)
	down := errors.New("down")
	faults.On(dynamotest.BatchGetItem, 2, dynamotest.Fault{Refuse: down})
	_, keys := someClients(300)
	if _, err := e.StoreOver(faults).Clients(t.Context(), keys); !errors.Is(err, down) {
		t.Errorf("error is %v", err)
	}
}
