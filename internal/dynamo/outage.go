package dynamo

import (
	"context"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// outageItem is the single item about the state of the sending API.
type outageItem struct {
	Version int64 `dynamodbav:"version"`
	Since   int64 `dynamodbav:"since,omitempty"`
	ProbeAt int64 `dynamodbav:"probe_at,omitempty"`
	Probes  int   `dynamodbav:"probes,omitempty"`
	Ended   int64 `dynamodbav:"ended,omitempty"`
}

// outageKey returns the key of the outageItem in the table of mailings.
func outageKey() item { return key("provider", "outage") }

// Outage returns the known state of the sending API, strongly consistent. If nothing is
// stored, it returns the zero [mailing.Outage].
func (s *Store) Outage(ctx context.Context) (mailing.Outage, error) {
	stored, err := s.get(ctx, s.tables.Mailings, outageKey(), "read the state of the sending API")
	if err != nil {
		return mailing.Outage{}, err
	}
	var it outageItem
	if err := attributevalue.UnmarshalMap(stored, &it); err != nil {
		return mailing.Outage{}, fmt.Errorf("decode the state of the sending API: %w", err)
	}
	return mailing.Outage{
		Version: it.Version, Since: fromMillis(it.Since), ProbeAt: fromMillis(it.ProbeAt), Probes: it.Probes, Ended: fromMillis(it.Ended),
	}, nil
}

// SaveOutage replaces seen by next. It reports false, and writes nothing, if the stored
// version is no longer that of seen. So of several senders that saw the same state,
// only one changes it.
func (s *Store) SaveOutage(ctx context.Context, seen, next mailing.Outage) (bool, error) {
	encoded, err := attributevalue.MarshalMap(outageItem{
		Version: next.Version, Since: toMillis(next.Since), ProbeAt: toMillis(next.ProbeAt), Probes: next.Probes, Ended: toMillis(next.Ended),
	})
	if err != nil {
		return false, fmt.Errorf("encode the state of the sending API: %w", err)
	}
	maps.Copy(encoded, outageKey())
	condition, values := sameVersion, item{":version": num(seen.Version)}
	// Version 0 is the state before the first outage: there is no item yet.
	if seen.Version == 0 {
		condition, values = isNew, nil
	}
	// This single write is a transaction, because a transaction has a token: if an
	// answer is lost, the write of the first try does not make DynamoDB refuse the
	// repetition.
	return unlessRefused(s.transact(ctx, []types.TransactWriteItem{put(s.tables.Mailings, encoded, condition, values)},
		"write the state of the sending API"))
}
