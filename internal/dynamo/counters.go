package dynamo

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// These are the attributes of a counter: the id given out last and, for mailings, also
// the first one. The counter of an older table has no first id; there the first id is
// 1.
const (
	lastAttr  = "last"
	firstAttr = "first"
)

// beginning returns an id for the first mailing. Processes that begin at the same time
// may draw different ids. Only one of these ids is stored with the counter, and the
// deployment uses this one.
func (s *Store) beginning() mailing.ID {
	if s.firstMailing > 0 {
		return s.firstMailing
	}
	return 1 + rand.N(mailing.MaxFirstID) //nolint:gosec // G404: it must differ between deployments, and need not be secret
}

// counterMove returns the action that the creation of a mailing makes on the counter.
// It moves the counter from last to id. If last is 0, it creates the counter, with id
// as the first id. DynamoDB refuses the action if the value of the counter is not last,
// and returns the counter with the refusal.
func (s *Store) counterMove(id mailing.ID, last int64) types.TransactWriteItem {
	u := update{
		table: s.tables.Mailings, key: counterKey(), change: "SET #last = :id", condition: "#last = :seen",
		values: item{":seen": num(last), ":id": num(id)},
	}
	if last == 0 {
		u.change, u.condition = "SET #last = :id, #first = :id", "attribute_not_exists(#last) OR #last = :seen"
	}
	action := u.action()
	action.Update.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	return action
}

// counterOf returns the value of the counter from the error of a refused creation. The
// action on the counter must be the first of the transaction.
func counterOf(err error) (int64, error) {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || len(cancelled.CancellationReasons) == 0 {
		return 0, err
	}
	return number(cancelled.CancellationReasons[0].Item, lastAttr)
}

// givenOut returns the first and the last id that mailings were given, strongly
// consistent. last is 0 if there are no mailings.
func (s *Store) givenOut(ctx context.Context) (first, last mailing.ID, err error) {
	it, err := s.get(ctx, s.tables.Mailings, counterKey(), "read the ids of mailings")
	if err != nil {
		return 0, 0, err
	}
	return decodeCounter(it)
}

// decodeCounter returns the first and the last id from the counter of mailings.
func decodeCounter(it item) (first, last mailing.ID, err error) {
	from, err := number(it, firstAttr)
	if err != nil {
		return 0, 0, err
	}
	to, err := number(it, lastAttr)
	bounded := func(id int64) mailing.ID {
		return mailing.ID(min(id, int64(mailing.MaxID))) //nolint:gosec // G115: bounded
	}
	return bounded(max(from, 1)), bounded(to), err
}

// nextTest returns the id for the next test message. One update reads and increments
// the counter, so no id is given out twice. A random first id is used only if no
// counter is stored.
func (s *Store) nextTest(ctx context.Context) (int64, error) {
	before := mailing.ClientID(0)
	if s.firstMailing == 0 {
		before = rand.N(mailing.MaxFirstTestID) //nolint:gosec // G404: it must differ between deployments, and need not be secret
	}
	// If an answer is lost, the repetition of the update skips an id. That does no
	// harm.
	in := update{
		table: s.tables.Mailings, key: testCounterKey(), change: "SET #last = if_not_exists(#last, :before) + :one",
		values: item{":before": num(before), ":one": num(1)},
	}.input()
	in.ReturnValues = types.ReturnValueUpdatedNew
	out, err := s.api.UpdateItem(ctx, in)
	if err != nil {
		return 0, err
	}
	return number(out.Attributes, lastAttr)
}
