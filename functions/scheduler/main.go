// Command scheduler is the Lambda function that sweeps each minute and does the
// tasks of mailings: it expands them into batches, and queues what is overdue.
package main

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"postrider/internal/function"
	"postrider/internal/queue"
	"postrider/internal/schedule"
)

type config struct {
	function.Tables
	TasksURL      string `env:"TASKS_QUEUE_URL,required,notEmpty"`
	DeliveriesURL string `env:"DELIVERIES_QUEUE_URL,required,notEmpty"`
}

func main() {
	var c config
	cfg := function.Setup(context.Background(), "scheduler", &c)
	client := sqs.NewFromConfig(cfg)
	scheduler := schedule.New(c.Store(cfg), queue.NewDeliveries(client, c.DeliveriesURL),
		queue.NewTasks(client, c.TasksURL, time.Now), function.Clock{})
	lambda.Start(queue.SchedulerHandler(scheduler))
}
