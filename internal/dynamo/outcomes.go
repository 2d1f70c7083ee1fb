package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// outcomesTTL is how long a window of outcomes is kept.
const outcomesTTL = 7 * 24 * time.Hour

// CountOutcomes adds o to the outcomes of a mailing that all senders count together, in
// a window of [mailing.RejectionWindow] outcomes. began is the last resume of the
// mailing, or the zero time. CountOutcomes returns the outcomes of the window,
// including those of other senders. A full window is closed: later outcomes go into a
// new window.
func (s *Store) CountOutcomes(ctx context.Context, id mailing.ID, began time.Time, o mailing.Outcomes) (mailing.Outcomes, error) {
	window := key(fmt.Sprintf("%d#rate", id), fmt.Sprintf("outcomes#%d", toMillis(began)))
	in := update{
		table: s.tables.Batches, key: window, change: "SET #ttl = :ttl ADD #sent :sent, #rejected :rejected",
		values: item{":ttl": num(s.now().Add(outcomesTTL).Unix()), ":sent": num(o.Sent), ":rejected": num(o.Rejected)},
	}.input()
	in.ReturnValues = types.ReturnValueAllNew
	out, err := s.api.UpdateItem(ctx, in)
	if err != nil {
		return o, fmt.Errorf("count %d outcomes of mailing %d: %w", o.Total(), id, err)
	}
	sent, sentErr := number(out.Attributes, "sent")
	rejected, rejectedErr := number(out.Attributes, "rejected")
	all := mailing.Outcomes{Sent: sent, Rejected: rejected}
	// A window that is not full stays open.
	if err := errors.Join(sentErr, rejectedErr); err != nil || !all.Full() {
		return all, err
	}
	// If another sender has added outcomes since, the condition fails, and that sender
	// closes the window.
	_, err = s.update(ctx, update{
		table: s.tables.Batches, key: window, change: "REMOVE #sent, #rejected",
		condition: "#sent = :sent AND #rejected = :rejected",
		values:    item{":sent": num(sent), ":rejected": num(rejected)},
	}, "end a window of outcomes of mailing %d", id)
	return all, err
}
