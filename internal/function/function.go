// Package function is what the three Lambda functions have in common at their
// start: configuration, log, AWS.
package function

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/caarlos0/env/v11"

	"postrider/internal/clock"
	"postrider/internal/dynamo"
)

// Tables is the part of a function's configuration that says where things are
// kept. template.yaml sets it.
type Tables struct {
	Clients       string `env:"CLIENTS_TABLE,required,notEmpty"`
	Mailings      string `env:"MAILINGS_TABLE,required,notEmpty"`
	Batches       string `env:"BATCHES_TABLE,required,notEmpty"`
	RetentionDays int    `env:"RETENTION_DAYS" envDefault:"90"`
}

// Store is the store over these tables.
func (t Tables) Store(cfg aws.Config, options ...dynamo.Option) *dynamo.Store {
	tables := dynamo.Tables{Clients: t.Clients, Mailings: t.Mailings, Batches: t.Batches}
	return dynamo.New(dynamodb.NewFromConfig(cfg), tables, time.Duration(t.RetentionDays)*24*time.Hour, options...)
}

// Bounds of a call to AWS. Without them a connection that hangs takes the whole
// invocation with it, and all that it has claimed.
const (
	// attemptTime is how long one attempt may take, the answer's last byte included.
	// AWS answers within a tenth of it.
	attemptTime = 2 * time.Second
	// attempts is how often a call is attempted.
	attempts = 4
)

// logging is the part of a function's configuration that says what is logged.
type logging struct {
	Level slog.Level `env:"LOG_LEVEL" envDefault:"info"`
}

// Setup reads the function's configuration into config, a pointer to a struct
// with env tags, sets up the log, and gives what AWS clients are made of. All
// that is wrong with the configuration is told together, then the process ends:
// a function without it can do nothing.
func Setup(ctx context.Context, name string, config any) aws.Config {
	cfg, err := setup(ctx, name, config)
	if err != nil {
		slog.ErrorContext(ctx, "start of the function", "error", err)
		os.Exit(1)
	}
	return cfg
}

func setup(ctx context.Context, name string, config any) (aws.Config, error) {
	var l logging
	unread := parse(&l) // info then
	handler := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: l.Level})
	slog.SetDefault(slog.New(handler).With("function", name))
	// net/http prints through package log what a server sends unasked, word for
	// word; what comes from outside is not for our log.
	log.SetOutput(io.Discard)
	if err := errors.Join(unread, parse(config)); err != nil {
		return aws.Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(attemptTime)),
		awsconfig.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, attemptTime/2 })
		}))
	if err != nil {
		return aws.Config{}, fmt.Errorf("set up AWS: %w", err)
	}
	return cfg, nil
}

// parse reads the environment into config. What is wrong is told by its variable:
// env names a field, which is nobody's to set.
func parse(config any) error {
	err := env.Parse(config)
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	var told []error
	for _, one := range all.Errors {
		var unread env.ParseError
		if errors.As(one, &unread) {
			field, _ := reflect.TypeOf(config).Elem().FieldByName(unread.Name)
			variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
			one = fmt.Errorf("%s: %w", variable, unread.Err)
		}
		told = append(told, one)
	}
	return errors.Join(told...)
}

// Jitter is a random duration from 0 to d.
func Jitter(d time.Duration) time.Duration {
	return time.Duration(mathrand.Int64N(int64(d) + 1)) //nolint:gosec // G404: jitter needs no secrecy
}

// Holder is a name that nobody else has.
func Holder() string { return rand.Text() }

// Now is the time by the wall clock. Go's monotonic one may stand still while
// Lambda keeps an environment frozen: what was read before would seem fresh.
func Now() time.Time { return time.Now().Round(0) }

// Clock is the system's clock.
type Clock struct{}

// Now is the time by the wall clock.
func (Clock) Now() time.Time { return Now() }

// Sleep waits for d, or until ctx is done.
func (Clock) Sleep(ctx context.Context, d time.Duration) error { return clock.Sleep(ctx, d) }
