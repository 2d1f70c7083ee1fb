// The api function: the HTTP API behind API Gateway.
package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"postrider/internal/api"
	"postrider/internal/function"
	"postrider/internal/gateway"
	"postrider/internal/queue"
)

type configuration struct {
	function.Tables
	TasksQueueURL string `env:"TASKS_QUEUE_URL,required,notEmpty"`
}

func main() {
	var c configuration
	cfg := function.Setup(context.Background(), "api", &c)
	store := c.Store(cfg)
	lambda.Start(gateway.New(api.New(api.Config{
		Clients:  store,
		Mailings: store,
		Tasks:    queue.NewTasks(sqs.NewFromConfig(cfg), c.TasksQueueURL, time.Now),
		Now:      time.Now,
		Log:      slog.Default(),
	})))
}
