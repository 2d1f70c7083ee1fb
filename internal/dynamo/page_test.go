package dynamo_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

var errKilled = errors.New("killed")

func TestAPageIsWrittenOnlyIfTheCursorHasNotMoved(t *testing.T) {
	t.Parallel()
	s := dynamotest.Store(t)
	m := newMailing(t, s, noon)
	page := func(seen mailing.ClientID, done bool, clients ...mailing.ClientID) mailing.Page {
		return pageOf(m, 0, seen, done, 10, noon, clients, everyone(mailing.Queued))
	}
	for _, step := range []struct {
		name string
		page mailing.Page
		want bool
		then int64
	}{
		{"the first", page(0, false, 16, 32), true, 2},
		{"the first, from another task", page(0, false, 16, 32), false, 2},
		{"the first, longer because the audience has grown", page(0, false, 16, 32, 48), false, 2},
		{"one that leaves a gap", page(48, false, 64), false, 2},
		{"the second, and last", page(32, true, 48), true, 3},
		{"the second, from another task", page(32, true, 48), false, 3},
		{"one after the end", page(48, true, 64), false, 3},
		{"the first, long after", page(0, false, 16, 32), false, 3},
	} {
		written, err := s.WritePage(t.Context(), m, step.page)
		if err != nil || written != step.want {
			t.Errorf("%s: written %t, %v", step.name, written, err)
		}
		state, err := s.Slice(t.Context(), m.ID, 0)
		if err != nil || state.Counts != (mailing.Counts{Total: step.then, Queued: step.then}) {
			t.Errorf("%s: the counts are %+v, %v", step.name, state.Counts, err)
		}
	}
}

func TestAPageIsWrittenWithItsCountsOrNotAtAll(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		e := dynamotest.Start(t)
		s := e.Store()
		m := newMailing(t, s, noon)
		faults := dynamotest.NewFaults(e.Client)
		faults.On(dynamotest.TransactWriteItems, n, dynamotest.Fault{Refuse: errKilled})
		page := pageOf(m, 0, 0, true, 1, noon, []mailing.ClientID{16, 32}, everyone(mailing.Queued))
		_, err := e.StoreOver(faults).WritePage(t.Context(), m, page)
		state, readErr := s.Slice(t.Context(), m.ID, 0)
		batches, _, listErr := s.SliceBatches(t.Context(), m.ID, 0, "")
		if err := errors.Join(readErr, listErr); err != nil {
			t.Fatal(err)
		}
		if state.Counts.Total != int64(len(batches)) || state.Done != (len(batches) == 2) {
			t.Errorf("killed in transaction %d: the slice has %d batches of one message, done %t, and counts %+v", n, len(batches), state.Done, state.Counts)
		}
		if faults.Calls(dynamotest.TransactWriteItems) < n {
			if err != nil || len(batches) != 2 {
				t.Errorf("without a fault: %d batches, %v", len(batches), err)
			}
			return
		}
	}
}

// attributesOf returns the attributes of one batch as they are in the table.
func attributesOf(t *testing.T, e *dynamotest.Env, k mailing.BatchKey) map[string]bool {
	t.Helper()
	out, err := e.Client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(e.Tables.Batches), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{
			"part": &types.AttributeValueMemberS{Value: fmt.Sprintf("%d#%02d", k.Mailing, k.Slice)},
			"id":   &types.AttributeValueMemberS{Value: "batch#" + k.Batch.String()},
		},
	})
	if err != nil || out.Item == nil {
		t.Fatalf("read batch %s: %v, %v", k, out, err)
	}
	there := map[string]bool{}
	for attribute := range out.Item {
		there[attribute] = true
	}
	return there
}

func TestABatchHasATimeToLiveOnlyWhenNoMessageOfItIsPending(t *testing.T) {
	t.Parallel()
	h := waitingBatches(t)
	for _, step := range []struct {
		name    string
		do      func()
		pending bool
	}{
		{"as it is written", func() {}, true},
		{"as it is claimed", func() { h.claim(0, "one", noon, true) }, true},
		{"as it is settled with one to retry", func() {
			b := h.claim(0, "one", noon, true)
			left := allSent(b, "one")
			left.Batch.Recipients[1].Status, left.Batch.DueAt = mailing.Retrying, noon
			h.settle(nil, left)
		}, true},
		{"as it is settled with all sent", func() { h.settle(nil, allSent(h.claim(0, "two", noon, true), "two")) }, false},
	} {
		step.do()
		if there := attributesOf(t, h.env, h.keys[0]); there["ttl"] == step.pending || there["due_at"] != step.pending {
			t.Errorf("%s: its attributes are %v", step.name, there)
		}
	}
}
