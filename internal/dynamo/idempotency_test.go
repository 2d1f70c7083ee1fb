package dynamo_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// aDay returns a request whose record is kept for a day, until the next noon.
func aDay(key, request string) mailing.Idempotency {
	return mailing.Idempotency{Key: key, Request: request, Until: noon.Add(mailing.IdempotencyTime)}
}

// creations returns functions that create one object each for a request, by kind.
func creations(t *testing.T, s *dynamo.Store) map[string]func(mailing.Idempotency) (mailing.Creation, error) {
	t.Helper()
	return map[string]func(mailing.Idempotency) (mailing.Creation, error){
		"client": func(o mailing.Idempotency) (mailing.Creation, error) {
			c, err := s.CreateClient(t.Context(), client(1), o)
			return mailing.Creation{Client: &c}, err
		},
		"mailing": func(o mailing.Idempotency) (mailing.Creation, error) {
			m, err := mailing.New(mailing.Draft{
				Text: "hello", StartAt: noon, EndAt: noon.Add(time.Hour), Filter: mailing.Filter{Tags: []string{"vip"}},
				Window: &mailing.Window{From: mailing.ClockTime(9 * time.Hour), To: mailing.ClockTime(10 * time.Hour)},
			}, noon)
			if err != nil {
				t.Fatal(err)
			}
			m, err = s.CreateMailing(t.Context(), m, o)
			return mailing.Creation{Mailing: &m}, err
		},
		"test": func(o mailing.Idempotency) (mailing.Creation, error) {
			msg, _, err := s.CreateTest(t.Context(), mailing.Test{Mailing: 3, Phone: phone(2)}, noon, o)
			return mailing.Creation{Test: &msg}, err
		},
	}
}

func TestTheRecordOfARequestIsKeptForADay(t *testing.T) {
	t.Parallel()
	clock := dynamotest.NewClock(noon)
	s := dynamotest.Store(t, clock.Option())
	for kind, create := range creations(t, s) {
		o := aDay(kind, "one")
		if _, known, err := s.Created(t.Context(), o); known || err != nil {
			t.Fatalf("%s: known before, %v", kind, err)
		}
		want, err := create(o)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		got, known, err := s.Created(t.Context(), o)
		if diff := cmp.Diff(want, got); diff != "" || !known || err != nil {
			t.Errorf("%s: known %t, %v (-created +known):\n%s", kind, known, err, diff)
		}
		if _, err := create(o); !errors.Is(err, mailing.ErrCreated) {
			t.Errorf("%s: created again: %v", kind, err)
		}
		_, known, err = s.Created(t.Context(), aDay(kind, "another"))
		wantKind(t, err, mailing.KindInvalid)
		if known {
			t.Errorf("%s: another request gets the object of this one", kind)
		}
	}
	clock.AdvanceTo(noon.Add(mailing.IdempotencyTime))
	for _, kind := range []string{"client", "mailing", "test"} {
		if _, known, err := s.Created(t.Context(), aDay(kind, "another")); known || err != nil {
			t.Errorf("%s: after a day known %t, %v", kind, known, err)
		}
	}
	again := mailing.Idempotency{Key: "mailing", Request: "another", Until: noon.Add(2 * mailing.IdempotencyTime)}
	if _, err := creations(t, s)["mailing"](again); err != nil {
		t.Errorf("after a day the key cannot be used: %v", err)
	}
	if _, known, err := s.Created(t.Context(), again); !known || err != nil {
		t.Errorf("the new request with this key is known %t, %v", known, err)
	}
}

func TestOfTwentyEqualRequestsAtOnceOneCreates(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"client", "mailing", "test"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := dynamotest.Store(t)
			create := creations(t, s)[kind]
			var (
				group sync.WaitGroup
				made  atomic.Int32
				o     = mailing.Idempotency{Key: kind, Request: "one", Until: time.Now().Add(time.Hour)}
			)
			for range 20 {
				group.Go(func() {
					switch _, err := create(o); {
					case err == nil:
						made.Add(1)
					case !errors.Is(err, mailing.ErrCreated):
						t.Error(err)
					}
				})
			}
			group.Wait()
			if n := made.Load(); n != 1 {
				t.Errorf("created %d times", n)
			}
		})
	}
}

func TestACreationWhoseAnswerIsLostIsFoundByTheNextRequest(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"client", "mailing", "test"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := dynamotest.Start(t)
			create(t, e.Store(), client(99)) // it stores the markers of all
			faults := dynamotest.NewFaults(e.Client)
			s := e.StoreOver(faults)
			lost := errors.New("the answer is lost")
			faults.On(dynamotest.TransactWriteItems, 1, dynamotest.Fault{Lose: lost})
			o := mailing.Idempotency{Key: kind, Request: "one", Until: time.Now().Add(time.Hour)}
			if _, err := creations(t, s)[kind](o); !errors.Is(err, lost) {
				t.Fatalf("the first try: %v", err)
			}
			if _, known, err := s.Created(t.Context(), o); !known || err != nil {
				t.Errorf("known %t, %v", known, err)
			}
		})
	}
}

func TestACreationThatFailsLeavesNoRecord(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	create(t, s, client(1))
	o := mailing.Idempotency{Key: "client", Request: "one", Until: time.Now().Add(time.Hour)}
	_, err := s.CreateClient(t.Context(), client(1), o)
	wantKind(t, err, mailing.KindConflict)
	if _, known, err := s.Created(t.Context(), o); known || err != nil {
		t.Errorf("known %t, %v", known, err)
	}
}
