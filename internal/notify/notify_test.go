package notify_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/notify"
)

type calls struct {
	published [][3]string
	err       error
}

func (c *calls) Publish(_ context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
	c.published = append(c.published, [3]string{aws.ToString(in.TopicArn), aws.ToString(in.Subject), aws.ToString(in.Message)})
	return &sns.PublishOutput{}, c.err
}

func TestWhatIsPublishedGoesToTheTopicWithItsSubject(t *testing.T) {
	api := &calls{}
	if err := notify.NewTopic(api, "arn").Publish(t.Context(), "subject", "text"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][3]string{{"arn", "subject", "text"}}, api.published); diff != "" {
		t.Error(diff)
	}
}

func TestATopicThatRefusesIsAnError(t *testing.T) {
	api := &calls{err: errors.New("broken")}
	if err := notify.NewTopic(api, "arn").Publish(t.Context(), "subject", "text"); !errors.Is(err, api.err) {
		t.Error(err)
	}
}
