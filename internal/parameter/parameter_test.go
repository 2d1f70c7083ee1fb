package parameter_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"postrider/internal/parameter"
)

// store is a fake SSM with one parameter, which a test sets.
type store struct {
	mu    sync.Mutex
	text  string
	fail  error
	reads int
	hangs bool
}

func (s *store) GetParameter(ctx context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	s.mu.Lock()
	s.reads++
	hangs, fail, text := s.hangs, s.fail, s.text
	s.mu.Unlock()
	switch {
	case aws.ToString(in.Name) != "/value" || !aws.ToBool(in.WithDecryption):
		return nil, errors.New("another parameter, or not decrypted")
	case hangs:
		<-ctx.Done()
		return nil, ctx.Err()
	case fail != nil:
		return nil, fail
	}
	return &ssm.GetParameterOutput{Parameter: &types.Parameter{Value: &text}}, nil
}

func (s *store) set(change func(*store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// fixture is a value that is read from a parameter, with a clock that stands still.
type fixture struct {
	*parameter.Value[string]

	store store
	now   time.Time
	log   bytes.Buffer
}

var errWrong = errors.New("it is wrong")

func newFixture(stale time.Duration) *fixture {
	f := &fixture{store: store{text: "one"}, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	f.Value = parameter.New(parameter.Config[string]{
		API: &f.store, Name: "/value", What: "the value", StaleFor: stale,
		Parse: func(text string, exists bool) (string, error) {
			switch {
			case !exists:
				return "none", nil
			case text == "secret wrong":
				return "", errWrong
			}
			return text, nil
		},
		Now: func() time.Time { return f.now }, Log: slog.New(slog.NewJSONHandler(&f.log, nil)),
	})
	return f
}

// want checks what Get returns, and how many readings there were.
func (f *fixture) want(t *testing.T, value string, reads int) {
	t.Helper()
	if got, err := f.Get(t.Context()); err != nil || got != value || f.store.reads != reads {
		t.Errorf("got %q after %d readings, %v; want %q after %d", got, f.store.reads, err, value, reads)
	}
}

func TestAValueIsReadAtItsFirstUseAndAgainEachMinute(t *testing.T) {
	t.Parallel()
	f := newFixture(0)
	f.want(t, "one", 1)
	f.store.text = "two"
	f.now = f.now.Add(time.Minute - 1)
	f.want(t, "one", 1)
	f.now = f.now.Add(1)
	f.want(t, "two", 2)
}

func TestAYoungerValueIsReadWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(0)
	f.want(t, "one", 1)
	f.store.text = "two"
	f.now = f.now.Add(time.Second)
	if got, err := f.Within(t.Context(), time.Second); err != nil || got != "two" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := f.Within(t.Context(), time.Second); err != nil || got != "two" || f.store.reads != 2 {
		t.Errorf("it is read again at once: %q, %v, %d readings", got, err, f.store.reads)
	}
}

func TestAClockThatIsSetBackMakesTheValueStale(t *testing.T) {
	t.Parallel()
	f := newFixture(10 * time.Minute)
	f.want(t, "one", 1)
	f.store.text = "two"
	f.now = f.now.Add(-time.Second)
	f.want(t, "two", 2)

	f.store.fail = errors.New("throttled")
	f.now = f.now.Add(-time.Second)
	if got, err := f.Get(t.Context()); !errors.Is(err, f.store.fail) {
		t.Errorf("a value of an unknown age is used while it cannot be read: %q, %v", got, err)
	}
	f.store.fail = nil
	f.now = f.now.Add(-time.Hour) // now before the failure, which does not delay a reading any more
	f.want(t, "two", 4)
}

func TestWhatCannotBeReadIsUsedAsItWasForAsLongAsIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stale, after time.Duration
		used         bool
	}{
		{10 * time.Minute, 10*time.Minute - 1, true},
		{10 * time.Minute, 10 * time.Minute, false},
		{0, 24 * time.Hour, true},
		{0, -24 * time.Hour, true}, // the clock was set back
	} {
		f := newFixture(c.stale)
		f.want(t, "one", 1)
		f.store.fail = errors.New("throttled")
		f.now = f.now.Add(c.after)
		got, err := f.Get(t.Context())
		if c.used != (err == nil && got == "one") || !c.used && !errors.Is(err, f.store.fail) {
			t.Errorf("after %v of %v: %q, %v", c.after, c.stale, got, err)
		}
		if log := f.log.String(); !strings.Contains(log, "throttled") || c.used != strings.Contains(log, `is_used":true`) {
			t.Errorf("after %v of %v it is logged: %s", c.after, c.stale, log)
		}
	}
}

func TestAReadingThatFailedIsRepeatedAfterFiveSeconds(t *testing.T) {
	t.Parallel()
	f := newFixture(0)
	f.want(t, "one", 1)
	f.store.fail = errors.New("throttled")
	f.now = f.now.Add(time.Minute)
	f.want(t, "one", 2)
	f.store.fail, f.store.text = nil, "two"
	f.now = f.now.Add(5*time.Second - 1)
	f.want(t, "one", 2)
	f.now = f.now.Add(1)
	f.want(t, "two", 3)
}

func TestWithoutAValueBeforeAFailureIsAnErrorThatNamesTheParameter(t *testing.T) {
	t.Parallel()
	f := newFixture(0)
	f.store.fail = errors.New("throttled")
	for range 2 { // it is tried each time: there is no value from before
		_, err := f.Get(t.Context())
		if !errors.Is(err, f.store.fail) || !strings.Contains(err.Error(), "read the value from the SSM parameter /value") {
			t.Errorf("%v", err)
		}
	}
	if f.store.reads != 2 {
		t.Errorf("%d readings", f.store.reads)
	}
}

func TestAParameterThatIsGoneIsAnAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(0)
	f.want(t, "one", 1)
	f.store.fail = &types.ParameterNotFound{}
	f.now = f.now.Add(time.Minute)
	f.want(t, "none", 2)
}

func TestATextThatCannotBeReadLeavesTheValueAndIsNotShown(t *testing.T) {
	t.Parallel()
	f := newFixture(0)
	f.want(t, "one", 1)
	f.store.text = "secret wrong"
	f.now = f.now.Add(time.Minute)
	f.want(t, "one", 2)
	if log := f.log.String(); !strings.Contains(log, errWrong.Error()) || strings.Contains(log, "secret") {
		t.Errorf("logged: %s", log)
	}
}

func TestWhileOneCallerReadsTheOthersUseTheValueBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(0)
		f.want(t, "one", 1)
		f.now = f.now.Add(time.Minute)
		f.store.set(func(s *store) { s.hangs = true })
		begun := time.Now()
		var reader sync.WaitGroup
		reader.Go(func() { _, _ = f.Get(t.Context()) })
		synctest.Wait()
		if got, err := f.Get(t.Context()); err != nil || got != "one" || time.Since(begun) != 0 {
			t.Errorf("got %q, %v after %v", got, err, time.Since(begun))
		}
		reader.Wait()
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("a reading that hangs is given up after %v", took)
		}
	})
}

func TestAtTheFirstUseAllCallersWaitForOneReading(t *testing.T) {
	t.Parallel()
	f := newFixture(0)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got, err := f.Get(t.Context()); err != nil || got != "one" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	all.Wait()
	if f.store.reads != 1 {
		t.Errorf("%d readings", f.store.reads)
	}
}

func TestWhoWaitedForAReadingThatFailedDoesNotBeginAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(0)
		f.store.hangs = true
		begun := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if got, err := f.Get(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		all.Wait()
		if took := time.Since(begun); took != 2*time.Second || f.store.reads != 1 {
			t.Errorf("%d readings in %v", f.store.reads, took)
		}
	})
}
