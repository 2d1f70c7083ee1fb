// Package notify is the interface to SNS, which sends reports to its subscribers by mail
// or by other means.
package notify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// API is the part of the SNS client that this package calls.
type API interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// Topic is a topic of SNS.
type Topic struct {
	api API
	arn string
}

// NewTopic returns the topic with an ARN.
func NewTopic(api API, arn string) *Topic { return &Topic{api: api, arn: arn} }

// Publish sends a text to all subscribers. The subject is at most 100 characters of ASCII
// on one line, the text at most 256 KB: SNS refuses any others. A text may arrive twice:
// only standard topics have subscriptions by mail, and standard topics do not remove
// repetitions.
func (t *Topic) Publish(ctx context.Context, subject, text string) error {
	if _, err := t.api.Publish(ctx, &sns.PublishInput{TopicArn: &t.arn, Subject: &subject, Message: &text}); err != nil {
		return fmt.Errorf("publish %q: %w", subject, err)
	}
	return nil
}
