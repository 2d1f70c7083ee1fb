package dynamo

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// countsItem holds counts as attributes, named for the statuses. The total is not
// stored. It is computed as the sum of the counts, so it cannot differ from them.
type countsItem struct {
	Queued    int64 `dynamodbav:"queued"`
	Retrying  int64 `dynamodbav:"retrying"`
	Deferred  int64 `dynamodbav:"deferred"`
	Sent      int64 `dynamodbav:"sent"`
	Failed    int64 `dynamodbav:"failed"`
	Expired   int64 `dynamodbav:"expired"`
	Cancelled int64 `dynamodbav:"cancelled"`
	Skipped   int64 `dynamodbav:"skipped"`
	Uncertain int64 `dynamodbav:"uncertain"`
}

// encodeCounts returns counts as they are stored.
func encodeCounts(c mailing.Counts) countsItem {
	return countsItem{
		Queued: c.Queued, Retrying: c.Retrying, Deferred: c.Deferred, Sent: c.Sent, Failed: c.Failed,
		Expired: c.Expired, Cancelled: c.Cancelled, Skipped: c.Skipped, Uncertain: c.Uncertain,
	}
}

// decode returns the counts with their total.
func (i countsItem) decode() mailing.Counts {
	c := mailing.Counts{
		Queued: i.Queued, Retrying: i.Retrying, Deferred: i.Deferred, Sent: i.Sent, Failed: i.Failed,
		Expired: i.Expired, Cancelled: i.Cancelled, Skipped: i.Skipped, Uncertain: i.Uncertain,
	}
	c.Total = c.Pending() + i.Sent + i.Failed + i.Expired + i.Cancelled + i.Skipped + i.Uncertain
	return c
}

// adder builds the ADD clause of an update expression. Zeros are left out, because they
// change nothing.
type adder struct {
	clauses []string
	values  item
}

// add adds n to a number attribute. An attribute that is not there counts as 0.
func (a *adder) add(attr string, n int64) {
	if n == 0 {
		return
	}
	if a.values == nil {
		a.values = item{}
	}
	a.clauses = append(a.clauses, "#"+attr+" :"+attr)
	a.values[":"+attr] = num(n)
}

// addCounts adds each count to the attribute of its status. The name of this attribute
// is prefix and then the status.
func (a *adder) addCounts(prefix string, c mailing.Counts) {
	for _, status := range mailing.MessageStatuses {
		if n := c.Of(status); n != nil {
			a.add(prefix+string(status), *n)
		}
	}
}

// expression returns the ADD clause; "" if there is nothing to add.
func (a *adder) expression() string {
	if len(a.clauses) == 0 {
		return ""
	}
	return "ADD " + strings.Join(a.clauses, ", ")
}

// actions returns the action that adds to the item with a key; none if there is nothing to
// add.
func (a *adder) actions(table string, key item) []types.TransactWriteItem {
	if len(a.clauses) == 0 {
		return nil
	}
	return []types.TransactWriteItem{update{table: table, key: key, change: a.expression(), values: a.values}.action()}
}

// The totals item sums up the finished mailings by final status. The attribute
// {status}_mailings is the number of mailings with this status; mailingsSuffix is the
// end of its name. The attributes {status}_{message status} are the counts of their
// messages.
const mailingsSuffix = "_mailings"

// changesAttr is the attribute that counts the changes of the totals. It also shows a
// reader two changes that cancel each other out.
const changesAttr = "changes"

// totalsChange returns the write to the totals when updated replaces old; none if the
// totals do not change. The totals include a mailing while it is finished and not
// deleted.
func (s *Store) totalsChange(old, updated mailing.Mailing) []types.TransactWriteItem {
	var a adder
	if inTotals(old) && !inTotals(updated) {
		a.add(string(old.Status)+mailingsSuffix, -1)
		a.addCounts(string(old.Status)+"_", mailing.Counts{}.Minus(old.Counts))
	}
	if !inTotals(old) && inTotals(updated) {
		a.add(string(updated.Status)+mailingsSuffix, 1)
		a.addCounts(string(updated.Status)+"_", updated.Counts)
	}
	if a.expression() != "" {
		a.add(changesAttr, 1)
	}
	return a.actions(s.tables.Mailings, totalsKey())
}

// inTotals reports whether the totals include a mailing.
func inTotals(m mailing.Mailing) bool { return m.Finished && !m.Deleted }

// Totals holds the sums over finished mailings, by final status.
type Totals struct {
	Mailings map[mailing.Status]int64
	Counts   map[mailing.Status]mailing.Counts
	// Changes increases with every change of the totals.
	Changes int64
}

// decodeTotals reads the sums over finished mailings. Without an item there are none.
func decodeTotals(it item) (Totals, error) {
	changes, err := number(it, changesAttr)
	if err != nil {
		return Totals{}, err
	}
	t := Totals{Mailings: map[mailing.Status]int64{}, Counts: map[mailing.Status]mailing.Counts{}, Changes: changes}
	for _, final := range []mailing.Status{mailing.StatusCompleted, mailing.StatusCancelled} {
		n, err := number(it, string(final)+mailingsSuffix)
		if err != nil {
			return Totals{}, err
		}
		t.Mailings[final] = n
		var counts mailing.Counts
		for _, status := range mailing.MessageStatuses {
			n, err := number(it, string(final)+"_"+string(status))
			if err != nil {
				return Totals{}, err
			}
			counts.Count(status, n)
		}
		t.Counts[final] = counts
	}
	return t, nil
}

// number returns an integer attribute; 0 if the item does not have it.
func number(it item, attr string) (int64, error) {
	var n int64
	if err := attributevalue.Unmarshal(it[attr], &n); it[attr] != nil && err != nil {
		return 0, fmt.Errorf("read attribute %s: %w", attr, err)
	}
	return n, nil
}
