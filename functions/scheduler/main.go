// Command scheduler is the Lambda function that sweeps each minute and works on the
// tasks of mailings: it expands mailings into batches, and queues overdue batches
// again. It also publishes the daily report.
package main

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"postrider/internal/clock"
	"postrider/internal/function"
	"postrider/internal/metrics"
	"postrider/internal/notify"
	"postrider/internal/queue"
	"postrider/internal/schedule"
)

type config struct {
	function.Tables
	Stage         string `env:"STAGE,required,notEmpty"`
	TasksURL      string `env:"TASKS_QUEUE_URL,required,notEmpty"`
	DeliveriesURL string `env:"DELIVERIES_QUEUE_URL,required,notEmpty"`
	ReportTopic   string `env:"REPORT_TOPIC_ARN,required,notEmpty"`
}

func main() {
	var c config
	cfg := function.Setup(context.Background(), "scheduler", &c)
	client, store := sqs.NewFromConfig(cfg), c.Store(cfg, 0)
	scheduler := schedule.New(store, queue.NewDeliveries(client, c.DeliveriesURL),
		queue.NewTasks(client, c.TasksURL, time.Now), clock.System{}, schedule.WithMeter(metrics.New(os.Stdout, c.Stage, time.Now)))
	reporter := schedule.NewReporter(store, notify.NewTopic(sns.NewFromConfig(cfg), c.ReportTopic), clock.System{}, function.Holder)
	lambda.Start(queue.SchedulerHandler(scheduler, reporter))
}
