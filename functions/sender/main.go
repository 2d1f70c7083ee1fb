// Command sender is the Lambda function that hands the messages of queued
// batches to the sending API.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"postrider/internal/clock"
	"postrider/internal/deliver"
	"postrider/internal/function"
	"postrider/internal/metrics"
	"postrider/internal/provider"
	"postrider/internal/queue"
	"postrider/internal/token"
)

type config struct {
	function.Tables
	Stage           string `env:"STAGE,required,notEmpty"`
	DeliveriesURL   string `env:"DELIVERIES_QUEUE_URL,required,notEmpty"`
	DeadLettersURL  string `env:"DEAD_LETTERS_QUEUE_URL,required,notEmpty"`
	TasksURL        string `env:"TASKS_QUEUE_URL,required,notEmpty"`
	ProviderURL     string `env:"PROVIDER_URL,required,notEmpty"`
	ProviderToken   string `env:"PROVIDER_TOKEN"` // the token itself; or TokenParameter is set
	TokenParameter  string `env:"PROVIDER_TOKEN_PARAMETER"`
	ProviderTimeout int    `env:"PROVIDER_TIMEOUT_SECONDS" envDefault:"10"`
	SenderTimeout   int    `env:"SENDER_TIMEOUT_SECONDS" envDefault:"30"`
	Concurrency     int    `env:"SENDER_CONCURRENCY" envDefault:"10"`
	MaxSendRate     int    `env:"MAX_SEND_RATE" envDefault:"300"`
	MaxInFlight     int    `env:"MAX_IN_FLIGHT" envDefault:"500"`
	MaxReceives     int    `env:"MAX_RECEIVES" envDefault:"20"`
	// PauseOnRejections pauses a mailing when the sending API rejects most of its
	// messages.
	PauseOnRejections bool `env:"PAUSE_ON_REJECTIONS" envDefault:"true"`
}

func main() {
	var c config
	cfg := function.Setup(context.Background(), "sender", &c)
	timeout := time.Duration(c.ProviderTimeout) * time.Second
	fits := deliver.Times{Provider: c.ProviderTimeout, Sender: c.SenderTimeout}.CheckProvider()
	tokens := token.From(ssm.NewFromConfig(cfg), c.TokenParameter, provider.CheckToken, clock.System{}.Now, slog.Default())
	api, err := provider.New(provider.Config{
		BaseURL: c.ProviderURL, Token: c.ProviderToken, TokenSource: tokens,
		Timeout: timeout, MaxConns: c.MaxInFlight, Now: clock.System{}.Now,
	})
	if err := errors.Join(fits, err); err != nil {
		slog.Error("start of the function", "error", err)
		os.Exit(1)
	}
	client := sqs.NewFromConfig(cfg)
	dead := queue.NewDeadLetters(client, c.DeadLettersURL)
	sender := deliver.New(c.Store(cfg, 0), api, dead, deliver.Config{
		ProviderTimeout: timeout, InvocationTime: time.Duration(c.SenderTimeout) * time.Second,
		MaxInFlight: c.MaxInFlight, MaxReceives: c.MaxReceives, MaxRate: float64(c.MaxSendRate) / float64(c.Concurrency),
		PauseOnRejections: c.PauseOnRejections,
		Clock:             clock.System{}, Jitter: function.Jitter, Holder: function.Holder,
	}, deliver.WithMeter(metrics.New(os.Stdout, c.Stage, time.Now)), deliver.WithSweeps(queue.NewTasks(client, c.TasksURL, time.Now)))
	lambda.Start(queue.NewDeliveries(client, c.DeliveriesURL).Handler(sender, dead))
}
