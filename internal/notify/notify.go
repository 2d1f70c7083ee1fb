// Package notify is the edge to SNS: what people are told by mail, or however
// else they subscribe.
package notify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// API is the part of the SNS client that is called.
type API interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// Topic is a topic of SNS.
type Topic struct {
	api API
	arn string
}

// NewTopic is the topic with an ARN.
func NewTopic(api API, arn string) *Topic { return &Topic{api: api, arn: arn} }

// Publish tells all subscribers. The subject is at most 100 characters of ASCII
// on one line, the text at most 256 KB: SNS refuses others. What is published
// may arrive twice: only standard topics have subscriptions by mail, and those
// do not know what they have delivered.
func (t *Topic) Publish(ctx context.Context, subject, text string) error {
	if _, err := t.api.Publish(ctx, &sns.PublishInput{TopicArn: &t.arn, Subject: &subject, Message: &text}); err != nil {
		return fmt.Errorf("publish %q: %w", subject, err)
	}
	return nil
}
