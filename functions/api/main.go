// Command api is the Lambda function that serves the HTTP API for API Gateway.
package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"postrider/internal/api"
	"postrider/internal/clock"
	"postrider/internal/function"
	"postrider/internal/gateway"
	"postrider/internal/keys"
	"postrider/internal/mailing"
	"postrider/internal/queue"
)

type config struct {
	function.Tables
	TasksURL       string `env:"TASKS_QUEUE_URL,required,notEmpty"`
	DeliveriesURL  string `env:"DELIVERIES_QUEUE_URL,required,notEmpty"`
	DeadLettersURL string `env:"DEAD_LETTERS_QUEUE_URL,required,notEmpty"`
	DeadTasksURL   string `env:"DEAD_TASKS_QUEUE_URL,required,notEmpty"`
	KeysParameter  string `env:"KEYS_PARAMETER,required,notEmpty"`
	// Origins are those of the pages on other sites that may use the API; empty means
	// none.
	Origins api.Origins `env:"CORS_ORIGINS"`
	// FirstMailing is the first mailing id in new tables; 0 draws the id at random.
	FirstMailing function.FirstMailing `env:"FIRST_MAILING_ID"`
}

func main() {
	var c config
	cfg := function.Setup(context.Background(), "api", &c)
	store, client := c.Store(cfg, mailing.ID(c.FirstMailing)), sqs.NewFromConfig(cfg)
	queues := queue.NewQueues(client, queue.URLs{
		Tasks: c.TasksURL, Deliveries: c.DeliveriesURL, DeadLetters: c.DeadLettersURL, DeadTasks: c.DeadTasksURL,
	})
	callers := keys.New(ssm.NewFromConfig(cfg), c.KeysParameter, clock.System{}.Now, slog.Default())
	lambda.Start(gateway.New(api.New(store, store, queue.NewTasks(client, c.TasksURL, time.Now), queues, callers, api.Config{
		Now: time.Now, Log: slog.Default(), Origins: c.Origins,
	}), api.OwnHeader()))
}
