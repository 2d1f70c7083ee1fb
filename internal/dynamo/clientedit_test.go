package dynamo_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"postrider/internal/clock"
	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// withTag returns a change of the tag of a client.
func withTag(tag string) func(mailing.Client) (mailing.Client, error) {
	return func(c mailing.Client) (mailing.Client, error) {
		c.Tag = tag
		return c, nil
	}
}

// withPhone returns a change of the phone of a client.
func withPhone(n int) func(mailing.Client) (mailing.Client, error) {
	return func(c mailing.Client) (mailing.Client, error) { return c.WithPhone(phone(n)), nil }
}

func edit(t *testing.T, s *dynamo.Store, id mailing.ClientID, how func(mailing.Client) (mailing.Client, error)) mailing.Client {
	t.Helper()
	c, err := s.UpdateClient(t.Context(), id, how)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantStored(t *testing.T, s *dynamo.Store, want mailing.Client) {
	t.Helper()
	if got, err := s.Client(t.Context(), want.ID); err != nil || got != want {
		t.Errorf("stored is %+v, %v; want %+v", got, err, want)
	}
}

func TestAnUpdateMovesThePhone(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	c := edit(t, s, create(t, s, client(1)).ID, withPhone(2))
	if c.Phone != phone(2) {
		t.Errorf("the phone is %s", c.Phone)
	}
	wantStored(t, s, c)
	create(t, s, client(1)) // free again
	_, err := s.CreateClient(t.Context(), client(2), mailing.Idempotency{})
	wantKind(t, err, mailing.KindConflict)
}

func TestAnUpdateToATakenPhoneChangesNothing(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	one, two := create(t, s, client(1)), create(t, s, client(2))
	_, err := s.UpdateClient(t.Context(), one.ID, withPhone(2))
	wantKind(t, err, mailing.KindConflict)
	if strings.Contains(err.Error(), phone(2)) {
		t.Errorf("the error contains the phone: %v", err)
	}
	wantStored(t, s, one)
	wantStored(t, s, two)
	_, err = s.CreateClient(t.Context(), client(1), mailing.Idempotency{})
	wantKind(t, err, mailing.KindConflict)
}

func TestAPhoneGivenUpAndTakenBackIsStillUnique(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	c := create(t, s, client(1))
	edit(t, s, c.ID, withPhone(2))
	edit(t, s, c.ID, withPhone(1))
	wantStored(t, s, c)
	_, err := s.CreateClient(t.Context(), client(1), mailing.Idempotency{})
	wantKind(t, err, mailing.KindConflict)
	create(t, s, client(2))
}

func TestAnUpdateCannotChangeTheID(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	c := create(t, s, client(1))
	got := edit(t, s, c.ID, func(c mailing.Client) (mailing.Client, error) {
		c.ID, c.Tag = 99, "new"
		return c, nil
	})
	c.Tag = "new"
	if got != c {
		t.Errorf("it is %+v, want %+v", got, c)
	}
	wantStored(t, s, c)
}

func TestAnUpdateThatChangesNothingWritesNothing(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	c := create(t, e.Store(), client(1))
	faults := dynamotest.NewFaults(e.Client)
	edit(t, e.StoreOver(faults), c.ID, withTag(c.Tag))
	if n := faults.Calls(dynamotest.TransactWriteItems); n != 0 {
		t.Errorf("%d transactions were made", n)
	}
}

func TestAnUpdateThatIsRefusedByItsCallerWritesNothing(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	c := create(t, s, client(1))
	no := errors.New("no")
	_, err := s.UpdateClient(t.Context(), c.ID, func(c mailing.Client) (mailing.Client, error) {
		c.Tag = "other"
		return c, no
	})
	if !errors.Is(err, no) {
		t.Errorf("error is %v", err)
	}
	wantStored(t, s, c)
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	// This store really waits between two tries. Without waits, an edit of 20 at once
	// could fail in each of its tries.
	s := dynamo.New(e.Client, dynamo.Config{Tables: e.Tables, Clock: clock.System{}})
	first := client(0)
	first.Tag = ""
	c := create(t, s, first)
	var group sync.WaitGroup
	for n := range 20 {
		group.Go(func() {
			_, err := s.UpdateClient(t.Context(), c.ID, func(c mailing.Client) (mailing.Client, error) {
				c.Tag += string(rune('a' + n))
				if n%2 == 0 {
					c = c.WithPhone(phone(n + 1))
				}
				return c, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	got, err := s.Client(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if strings.Count(got.Tag, string(rune('a'+n))) != 1 {
			t.Errorf("update %d is not in the tag %q exactly once", n, got.Tag)
		}
	}
	// All phones that the client had before are free; the last one is not.
	for n := range 21 {
		_, err := s.CreateClient(t.Context(), client(n), mailing.Idempotency{})
		if taken := err != nil; taken != (phone(n) == got.Phone) {
			t.Errorf("phone %d: %v", n, err)
		}
	}
}

func TestAnUpdateOfAClientThatIsDeletedMeanwhileWritesNothing(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store()
	c := create(t, s, client(1))
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() {
		if err := s.DeleteClient(t.Context(), c.ID); err != nil {
			t.Error(err)
		}
	}})
	_, err := e.StoreOver(faults).UpdateClient(t.Context(), c.ID, withPhone(2))
	wantKind(t, err, mailing.KindNotFound)
	create(t, s, client(1))
	create(t, s, client(2))
}

func TestADeletionOfAClientThatIsUpdatedMeanwhileFreesItsNewPhone(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store()
	c := create(t, s, client(1))
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() { edit(t, s, c.ID, withPhone(2)) }})
	if err := e.StoreOver(faults).DeleteClient(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	_, err := s.Client(t.Context(), c.ID)
	wantKind(t, err, mailing.KindNotFound)
	create(t, s, client(1))
	create(t, s, client(2))
}

func TestTheSecondOfTwoDeletionsIsNotFound(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store()
	c := create(t, s, client(1))
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Before: func() {
		if err := s.DeleteClient(t.Context(), c.ID); err != nil {
			t.Error(err)
		}
		create(t, s, client(1)) // now another client has the phone, and must keep it
	}})
	wantKind(t, e.StoreOver(faults).DeleteClient(t.Context(), c.ID), mailing.KindNotFound)
	_, err := s.CreateClient(t.Context(), client(1), mailing.Idempotency{})
	wantKind(t, err, mailing.KindConflict)
}

func TestAnEditThatIsOvertakenEachTimeGivesUp(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store()
	c := create(t, s, client(1))
	faults := dynamotest.NewFaults(e.Client)
	n := 0
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Before: func() {
		n++
		edit(t, s, c.ID, withTag(strings.Repeat("x", n)))
	}})
	_, err := e.StoreOver(faults).UpdateClient(t.Context(), c.ID, withTag("mine"))
	wantKind(t, err, mailing.KindConflict)
}

func TestAnEditEndsWithItsContext(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	s := e.Store()
	c := create(t, s, client(1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	faults := dynamotest.NewFaults(e.Client)
	faults.Always(dynamotest.TransactWriteItems, dynamotest.Fault{Refuse: dynamotest.Conflicted(), Before: cancel})
	if err := e.StoreOver(faults).DeleteClient(ctx, c.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if n := faults.Calls(dynamotest.TransactWriteItems); n != 1 {
		t.Errorf("%d transactions were tried", n)
	}
}
