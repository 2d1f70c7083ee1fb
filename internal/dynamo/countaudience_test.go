package dynamo_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/dynamo"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// onlyCounts is a DynamoDB that refuses each query that asks for more than a count, or
// that is not strongly consistent.
type onlyCounts struct{ dynamo.API }

func (o onlyCounts) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := o.API.Query(ctx, in, opts...)
	if err == nil && (in.Select != types.SelectCount || !aws.ToBool(in.ConsistentRead) || len(out.Items) > 0) {
		return nil, errors.New("this query is not a strongly consistent count")
	}
	return out, err
}

func TestAnAudienceIsCountedWithoutBeingTransferred(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	clients := make([]mailing.Client, 700)
	for i := range clients {
		clients[i] = mailing.Client{
			ID: mailing.ClientID(i*7 + 1), Phone: phone(i), Timezone: "UTC",
			OperatorCode: strconv.Itoa(900 + i%7), Tag: []string{"", "vip", "очень важный"}[i%3],
		}
	}
	seed(t, e, clients)
	// A deleted client has left an item, and is not counted.
	if err := e.Store().DeleteClient(t.Context(), clients[699].ID); err != nil {
		t.Fatal(err)
	}
	clients = clients[:699]
	for name, f := range map[string]mailing.Filter{
		"everyone":          {},
		"operators":         {OperatorCodes: []string{"901", "905"}},
		"a tag":             {Tags: []string{"очень важный"}},
		"operators and tag": {OperatorCodes: []string{"902", "903"}, Tags: []string{"vip", "none"}},
		"none":              {Tags: []string{"VIP"}},
	} {
		var want int64
		for _, c := range clients {
			if f.Matches(c) {
				want++
			}
		}
		for _, api := range []dynamo.API{e.Client, smallPages{e.Client, 10}} {
			if got, err := e.StoreOver(onlyCounts{api}).CountAudience(t.Context(), f); err != nil || got != want {
				t.Errorf("%s: counted %d, %v; want %d", name, got, err, want)
			}
		}
	}
}

func TestASliceThatCannotBeCountedIsAnErrorAndNotASmallerCount(t *testing.T) {
	t.Parallel()
	e := dynamotest.Start(t)
	seed(t, e, []mailing.Client{{ID: 5, Phone: phone(5), Timezone: "UTC"}})
	faults := dynamotest.NewFaults(e.Client)
	faults.On(dynamotest.Query, 16, dynamotest.Fault{Refuse: errors.New("no")})
	_, err := e.StoreOver(faults).CountAudience(t.Context(), mailing.Filter{})
	wantKind(t, err, mailing.KindInternal)
	if n := faults.Calls(dynamotest.Query); n != mailing.Slices {
		t.Errorf("%d queries", n)
	}
}
