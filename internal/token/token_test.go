package token_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"postrider/internal/provider"
	"postrider/internal/token"
)

// store is a fake SSM with one parameter, which a test sets.
type store struct {
	text  string
	fail  error
	reads int
}

func (s *store) GetParameter(_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	s.reads++
	if aws.ToString(in.Name) != "/token" || !aws.ToBool(in.WithDecryption) {
		return nil, errors.New("another parameter, or not decrypted")
	}
	if s.fail != nil {
		return nil, s.fail
	}
	return &ssm.GetParameterOutput{Parameter: &types.Parameter{Value: &s.text}}, nil
}

// fixture is a token source that reads a parameter, with a clock that stands still.
type fixture struct {
	store  store
	now    time.Time
	log    bytes.Buffer
	source func(context.Context, string) (string, error)
}

func newFixture() *fixture {
	f := &fixture{store: store{text: "secret-1"}, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	f.source = token.From(&f.store, "/token", provider.CheckToken, func() time.Time { return f.now }, slog.New(slog.NewJSONHandler(&f.log, nil)))
	return f
}

// want checks which token is returned after one was refused, and how many readings
// there were.
func (f *fixture) want(t *testing.T, refused, want string, reads int) {
	t.Helper()
	if got, err := f.source(t.Context(), refused); err != nil || got != want || f.store.reads != reads {
		t.Errorf("got %q after %d readings, %v; want %q after %d", got, f.store.reads, err, want, reads)
	}
}

func TestWithoutANameThereIsNoSource(t *testing.T) {
	t.Parallel()
	if token.From(nil, "", nil, nil, nil) != nil {
		t.Error("there is one")
	}
}

func TestATokenIsReadAtItsFirstUseEachMinuteAndWhenItIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture()
	f.want(t, "", "secret-1", 1)
	f.want(t, "", "secret-1", 1)
	f.now = f.now.Add(time.Minute)
	f.want(t, "", "secret-1", 2)
	f.store.text = "secret-2\n"
	f.now = f.now.Add(2 * time.Second)
	f.want(t, "", "secret-1", 2)
	f.want(t, "secret-1", "secret-2", 3)
}

func TestManyThatAreRefusedAtOnceReadTheTokenOnce(t *testing.T) {
	t.Parallel()
	f := newFixture()
	f.want(t, "", "secret-1", 1)
	f.now = f.now.Add(10 * time.Second)
	for range 100 {
		f.want(t, "secret-1", "secret-1", 2)
	}
	f.store.text = "secret-2"
	f.now = f.now.Add(time.Second)
	for range 100 {
		f.want(t, "secret-1", "secret-2", 3)
	}
}

func TestWhileTheTokenCannotBeReadTheLastOneIsUsed(t *testing.T) {
	t.Parallel()
	f := newFixture()
	f.want(t, "", "secret-1", 1)
	for i, spoil := range []func(){
		func() { f.store.fail = errors.New("throttled") },
		func() { f.store.fail = &types.ParameterNotFound{} },
		func() { f.store.fail, f.store.text = nil, "" },
		func() { f.store.text = "secret 2" },
	} {
		spoil()
		f.now = f.now.Add(24 * time.Hour)
		f.want(t, "", "secret-1", i+2)
	}
	if log := f.log.String(); strings.Count(log, "\n") != 4 || strings.Contains(log, "secret") {
		t.Errorf("logged: %s", log)
	}
}

func TestATokenThatWasNeverReadIsAnErrorThatSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(*store){
		"throttled":               func(s *store) { s.fail = errors.New("throttled") },
		"as a SecureString":       func(s *store) { s.fail = &types.ParameterNotFound{} },
		"the token is missing":    func(s *store) { s.text = " \n" },
		"a header does not allow": func(s *store) { s.text = "secret 1" },
	} {
		f := newFixture()
		spoil(&f.store)
		got, err := f.source(t.Context(), "")
		if err == nil || got != "" || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "/token") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v", want, got, err)
		}
	}
}
