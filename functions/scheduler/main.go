// Command scheduler is the Lambda function that sweeps each minute and does the
// tasks of mailings: it expands them into batches, and queues what is overdue.
package main

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"postrider/internal/function"
	"postrider/internal/metrics"
	"postrider/internal/queue"
	"postrider/internal/schedule"
)

type config struct {
	function.Tables
	Stage         string `env:"STAGE,required,notEmpty"`
	TasksURL      string `env:"TASKS_QUEUE_URL,required,notEmpty"`
	DeliveriesURL string `env:"DELIVERIES_QUEUE_URL,required,notEmpty"`
}

func main() {
	var c config
	cfg := function.Setup(context.Background(), "scheduler", &c)
	client := sqs.NewFromConfig(cfg)
	scheduler := schedule.New(c.Store(cfg), queue.NewDeliveries(client, c.DeliveriesURL),
		queue.NewTasks(client, c.TasksURL, time.Now), function.Clock{}, schedule.WithMeter(metrics.New(os.Stdout, c.Stage, time.Now)))
	lambda.Start(queue.SchedulerHandler(scheduler))
}
