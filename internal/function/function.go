// Package function is the common part of the three Lambda functions at their start:
// configuration, log, AWS.
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
	"github.com/aws/smithy-go/logging"
	"github.com/caarlos0/env/v11"

	"postrider/internal/clock"
	"postrider/internal/dynamo"
	"postrider/internal/mailing"
)

// Tables is the part of a function's configuration that names the tables, and sets how
// long they keep messages. template.yaml sets it.
type Tables struct {
	Clients       string `env:"CLIENTS_TABLE,required,notEmpty"`
	Mailings      string `env:"MAILINGS_TABLE,required,notEmpty"`
	Batches       string `env:"BATCHES_TABLE,required,notEmpty"`
	RetentionDays int    `env:"RETENTION_DAYS" envDefault:"90"`
}

// Store returns the store over these tables. first is the first mailing id in new tables;
// 0 draws the id at random.
func (t Tables) Store(cfg aws.Config, first mailing.ID) *dynamo.Store {
	return dynamo.New(dynamodb.NewFromConfig(cfg), dynamo.Config{
		Tables:    dynamo.Tables{Clients: t.Clients, Mailings: t.Mailings, Batches: t.Batches},
		Retention: time.Duration(t.RetentionDays) * 24 * time.Hour, Clock: clock.System{}, FirstMailing: first,
	})
}

// Limits for a call to AWS. Without them, one connection that hangs would use up the
// whole invocation, and hold every claim of it.
const (
	// attemptTime is how long one attempt may take, including the last byte of the
	// answer. AWS answers within a tenth of it.
	attemptTime = 2 * time.Second
	// attempts is the maximum number of attempts of a call.
	attempts = 4
)

// logSettings is the part of a function's configuration that sets what is logged.
type logSettings struct {
	Level slog.Level `env:"LOG_LEVEL" envDefault:"info"`
}

// Setup reads the function's configuration into config, a pointer to a struct with env
// tags, and sets up the log. It returns the configuration for AWS clients. If the
// configuration is wrong, it logs all errors together and ends the process: without it
// the function can do nothing.
func Setup(ctx context.Context, name string, config any) aws.Config {
	cfg, err := setup(ctx, name, config)
	if err != nil {
		slog.ErrorContext(ctx, "start of the function", "error", err)
		os.Exit(1)
	}
	return cfg
}

// setup is [Setup] without the exit.
func setup(ctx context.Context, name string, config any) (aws.Config, error) {
	var l logSettings
	unread := parse(&l) // the level is info if this fails
	handler := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: l.Level})
	slog.SetDefault(slog.New(handler).With("function", name))
	// net/http uses package log to print data that a server sends unasked, word for word.
	// Such data from outside must not get into our log.
	log.SetOutput(io.Discard)
	if err := errors.Join(unread, parse(config)); err != nil {
		return aws.Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithLogger(sdkLog{}),
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(attemptTime)),
		awsconfig.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, attemptTime/2 })
		}))
	if err != nil {
		return aws.Config{}, fmt.Errorf("set up AWS: %w", err)
	}
	return cfg, nil
}

// sdkLog writes the lines of the AWS SDK to the log, at level debug: they do not name what
// they are about, and an error that matters is also returned.
type sdkLog struct{}

// Logf writes a line.
func (sdkLog) Logf(_ logging.Classification, format string, v ...any) {
	slog.Debug("the AWS SDK says", "text", fmt.Sprintf(format, v...))
}

// parse reads the environment into config. Its errors name the variable: package env
// names the field of the struct, which an operator does not know.
func parse(config any) error {
	err := env.Parse(config)
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	var problems []error
	for _, one := range all.Errors {
		var unread env.ParseError
		if errors.As(one, &unread) {
			field, _ := reflect.TypeOf(config).Elem().FieldByName(unread.Name)
			variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
			one = fmt.Errorf("%s: %w", variable, unread.Err)
		}
		problems = append(problems, one)
	}
	return errors.Join(problems...)
}

// Jitter returns a random duration from 0 to d.
func Jitter(d time.Duration) time.Duration {
	return time.Duration(mathrand.Int64N(int64(d) + 1)) //nolint:gosec // G404: jitter needs no secrecy
}

// Holder returns a name that no other holder has.
func Holder() string { return rand.Text() }
