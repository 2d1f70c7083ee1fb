package keys_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"postrider/internal/keys"
	"postrider/internal/mailing"
)

// parameter is the SSM parameter, set by a test.
type parameter struct {
	text  string
	fail  error
	reads int
	hangs bool
	mends time.Time // readings before it are throttled
}

func (p *parameter) GetParameter(ctx context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	p.reads++
	if aws.ToString(in.Name) != "/keys" || !aws.ToBool(in.WithDecryption) {
		return nil, errors.New("another parameter, or not decrypted")
	}
	if p.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if p.fail != nil {
		return nil, p.fail
	}
	if time.Now().Before(p.mends) {
		return nil, errors.New("throttled")
	}
	return &ssm.GetParameterOutput{Parameter: &types.Parameter{Value: &p.text}}, nil
}

// fixture has keys over a parameter, and a clock that moves only when a test sets
// it.
type fixture struct {
	*keys.Keys

	parameter *parameter
	now       time.Time
	log       bytes.Buffer
}

var (
	admin  = mailing.Caller{Name: "billing", Role: mailing.Admin}
	viewer = mailing.Caller{Name: "dashboard", Role: mailing.Viewer}
)

func newFixture(lines ...string) *fixture {
	f := &fixture{parameter: &parameter{text: strings.Join(lines, "\n")}, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	f.Keys = keys.New(f.parameter, "/keys", func() time.Time { return f.now }, slog.New(slog.NewJSONHandler(&f.log, nil)))
	return f
}

// want checks the caller of a key. The zero caller stands for an unknown key.
func (f *fixture) want(t *testing.T, secret string, want mailing.Caller) {
	t.Helper()
	got, known, err := f.Caller(t.Context(), secret)
	if err != nil || got != want || known != (want != mailing.Caller{}) {
		t.Errorf("after %d reads %q is of %+v, %t, %v; want %+v", f.parameter.reads, secret, got, known, err, want)
	}
}

func TestAKeyIsKnownByItsHash(t *testing.T) {
	t.Parallel()
	f := newFixture("# who may what", "", keys.Line(admin, "secret-a"), "  "+keys.Line(viewer, "secret-v")+"\r")
	f.want(t, "secret-a", admin)
	f.want(t, "secret-v", viewer)
	for _, other := range []string{"", "secret", "secret-a ", "SECRET-A", "secret-av", strings.Repeat("x", 257), strings.Fields(keys.Line(admin, "secret-a"))[2]} {
		f.want(t, other, mailing.Caller{})
	}
	if strings.Contains(f.parameter.text, "secret-a") {
		t.Error("the line holds the key")
	}
}

func TestALineThatCannotBeReadLeavesTheOthers(t *testing.T) {
	t.Parallel()
	good := keys.Line(admin, "secret-a")
	for _, bad := range []string{
		"admin billing", "root billing " + strings.Repeat("0", 64), "viewer -x " + strings.Repeat("0", 64),
		"viewer x " + strings.Repeat("0", 62), "viewer x " + strings.Repeat("g", 64), "viewer x secret-v", good + " more",
	} {
		f := newFixture(bad, good)
		f.want(t, "secret-a", admin)
		if log := f.log.String(); !strings.Contains(log, "line 1") || strings.Contains(log, "secret-v") {
			t.Errorf("%q is logged as %s", bad, log)
		}
	}
}

func TestKeysAreReadOnceAMinute(t *testing.T) {
	t.Parallel()
	f := newFixture(keys.Line(admin, "secret-a"))
	for range 60 {
		f.want(t, "secret-a", admin)
		f.now = f.now.Add(time.Second)
	}
	if f.parameter.reads != 1 {
		t.Errorf("read %d times in a minute", f.parameter.reads)
	}
	f.want(t, "secret-a", admin)
	if f.parameter.reads != 2 {
		t.Errorf("read %d times after a minute", f.parameter.reads)
	}
}

func TestAKeyThatIsTakenBackIsRefusedWithinAMinute(t *testing.T) {
	t.Parallel()
	f := newFixture(keys.Line(admin, "secret-a"), keys.Line(viewer, "secret-v"))
	f.want(t, "secret-v", viewer)
	f.parameter.text = keys.Line(admin, "secret-a")
	f.now = f.now.Add(time.Minute)
	f.want(t, "secret-v", mailing.Caller{})
	f.want(t, "secret-a", admin)
}

func TestANewKeyIsKnownWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	f := newFixture(keys.Line(admin, "secret-a"))
	f.want(t, "secret-v", mailing.Caller{})
	f.parameter.text += "\n" + keys.Line(viewer, "secret-v")
	f.want(t, "secret-v", mailing.Caller{})
	f.now = f.now.Add(5 * time.Second)
	f.want(t, "secret-v", viewer)
}

func TestGuessingReadsTheKeysOnceInFiveSeconds(t *testing.T) {
	t.Parallel()
	f := newFixture(keys.Line(admin, "secret-a"))
	for range 1000 {
		f.want(t, "guess", mailing.Caller{})
		f.now = f.now.Add(10 * time.Millisecond)
	}
	if f.parameter.reads != 2 {
		t.Errorf("read %d times in ten seconds", f.parameter.reads)
	}
}

func TestOldKeysAreUsedForTenMinutesWhileNewOnesCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(keys.Line(admin, "secret-a"))
		f.want(t, "secret-a", admin)
		f.parameter.fail = errors.New("throttled")
		f.now = f.now.Add(9 * time.Minute)
		reads := f.parameter.reads
		for range 10 {
			f.want(t, "secret-a", admin)
			f.want(t, "guess", mailing.Caller{})
		}
		if n := f.parameter.reads - reads; n != 1 {
			t.Errorf("what fails was tried %d times at once", n)
		}
		if !strings.Contains(f.log.String(), "throttled") {
			t.Errorf("it is not logged: %s", f.log.String())
		}
		f.now = f.now.Add(time.Minute)
		if _, known, err := f.Caller(t.Context(), "secret-a"); known || !errors.Is(err, f.parameter.fail) {
			t.Errorf("after ten minutes: %t, %v", known, err)
		}
		f.parameter.fail = nil
		f.want(t, "secret-a", admin)
	})
}

func TestKeysThatWereNeverReadAreAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		f.parameter.fail = errors.New("no such parameter")
		if _, known, err := f.Caller(t.Context(), "secret-a"); known || !errors.Is(err, f.parameter.fail) || !strings.Contains(err.Error(), "/keys") {
			t.Errorf("%t, %v", known, err)
		}
	})
}

func TestAParameterThatIsGoneHoldsNoKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(keys.Line(admin, "secret-a"))
	f.want(t, "secret-a", admin)
	f.parameter.fail = fmt.Errorf("operation error SSM: %w", &types.ParameterNotFound{})
	f.now = f.now.Add(time.Minute)
	f.want(t, "secret-a", mailing.Caller{})
	if !strings.Contains(f.log.String(), "the API refuses every request") {
		t.Errorf("it is not logged: %s", f.log.String())
	}
}

func TestAReadingThatHangsIsGivenUpInTimeForTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(keys.Line(admin, "secret-a"))
		f.want(t, "secret-a", admin)
		f.parameter.hangs = true
		f.now = f.now.Add(time.Minute)
		begun := time.Now()
		f.want(t, "secret-a", admin)
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		f.want(t, "secret-a", admin)
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the next request waits, too: %v", took)
		}
	})
}

func TestNoKeysMeansNobody(t *testing.T) {
	t.Parallel()
	f := newFixture("# none yet")
	f.want(t, "secret-a", mailing.Caller{})
	if !strings.Contains(f.log.String(), "the API refuses every request") {
		t.Errorf("it is not logged: %s", f.log.String())
	}
}

// TestAClockThatIsSetBackMakesTheKeysStale looks up keys that were read at an
// instant that is in the future after the clock was set back. Their age is
// negative, so it is unknown.
func TestAClockThatIsSetBackMakesTheKeysStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(keys.Line(admin, "secret-a"), keys.Line(viewer, "secret-v"))
		f.want(t, "secret-v", viewer)
		f.now = f.now.Add(-time.Hour)
		f.parameter.text = keys.Line(admin, "secret-a")
		f.want(t, "secret-v", mailing.Caller{})
		f.want(t, "secret-a", admin)

		f.now = f.now.Add(-time.Hour)
		f.parameter.fail = errors.New("throttled")
		if _, known, err := f.Caller(t.Context(), "secret-a"); known || !errors.Is(err, f.parameter.fail) {
			t.Errorf("keys of an unknown age are used while they cannot be read: %t, %v", known, err)
		}
		reads := f.parameter.reads
		f.now = f.now.Add(-time.Hour)
		f.parameter.fail = nil
		f.want(t, "secret-a", admin)
		if n := f.parameter.reads - reads; n != 1 {
			t.Errorf("after a failure that is yet to come by the clock the keys are read %d times", n)
		}
	})
}

// TestANewProcessTriesForTenSecondsToReadTheKeys is about a burst of new processes, some
// of whose readings SSM refuses.
func TestANewProcessTriesForTenSecondsToReadTheKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(keys.Line(admin, "secret-a"))
		begun := time.Now()
		f.parameter.mends = begun.Add(8 * time.Second)
		f.want(t, "secret-a", admin)
		if took := time.Since(begun); took < 8*time.Second || took > 10*time.Second || f.parameter.reads < 5 || f.parameter.reads > 40 {
			t.Errorf("it took %v and %d readings", took, f.parameter.reads)
		}
		f = newFixture(keys.Line(admin, "secret-a"))
		f.parameter.fail = errors.New("throttled")
		begun = time.Now()
		if _, known, err := f.Caller(t.Context(), "secret-a"); known || !errors.Is(err, f.parameter.fail) || time.Since(begun) > 11*time.Second {
			t.Errorf("after %v: %t, %v", time.Since(begun), known, err)
		}
	})
}
