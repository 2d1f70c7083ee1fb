package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// What happens in a mailing over time is counted in one item per mailing and five minutes,
// with the counts of each step of ten seconds. It is only for display: a lost count
// changes no statistic.
//
// The item stays below 1 KB, so that a count costs one write unit.
const (
	seriesSpan  = 5 * time.Minute
	seriesSteps = int64(seriesSpan / mailing.SeriesStep)
	// rateSteps is how many whole steps the rate covers, besides the current one.
	rateSteps = 6
	// seriesPages is how many DynamoDB pages, of 1 MB each, are read for one series. They
	// hold three months of sending in which all three counts change in every ten seconds.
	seriesPages = 25
)

// The attributes of an item are the first letter of the status, and the number of the
// step in the item: s0 to s29, f0 to f29, u0 to u29. Short names keep the item small.
const (
	sentSteps      = "s"
	failedSteps    = "f"
	uncertainSteps = "u"
)

func stepAttr(status string, step int64) string { return status + strconv.FormatInt(step, 10) }

// seriesPart returns the partition of the series of a mailing.
func seriesPart(id mailing.ID) string { return fmt.Sprintf("%d#series", id) }

// seriesKey returns the key of the item that counts a span of a mailing. Ten digits keep
// the order of keys that of time.
func seriesKey(id mailing.ID, span int64) item {
	return key(seriesPart(id), fmt.Sprintf("%010d", span))
}

// stepAt returns the number of the step at t, counted from 1970 on. The item of a step is
// number step / seriesSteps.
func stepAt(t time.Time) int64 { return t.Unix() / int64(mailing.SeriesStep/time.Second) }

// CountSettled adds the messages that settlements have made sent, failed or uncertain just
// now to the series of m. The counts are kept as long as the messages of m.
func (s *Store) CountSettled(ctx context.Context, m mailing.Mailing, settled mailing.Counts) error {
	step := stepAt(s.now())
	var a adder
	a.add(stepAttr(sentSteps, step%seriesSteps), settled.Sent)
	a.add(stepAttr(failedSteps, step%seriesSteps), settled.Failed)
	a.add(stepAttr(uncertainSteps, step%seriesSteps), settled.Uncertain)
	if a.expression() == "" {
		return nil
	}
	a.values[":ttl"] = num(s.expiry(m))
	_, err := s.update(ctx, update{
		table: s.tables.Batches, key: seriesKey(m.ID, step/seriesSteps), change: "SET #ttl = :ttl " + a.expression(), values: a.values,
	}, "count settled messages of mailing %d", m.ID)
	return err
}

// rateKeys returns the keys of the items that the rate of a mailing at now is computed
// from: one or two.
func rateKeys(id mailing.ID, now time.Time) []item {
	last := stepAt(now)
	keys := []item{seriesKey(id, last/seriesSteps)}
	if before := (last - rateSteps) / seriesSteps; before != last/seriesSteps {
		keys = append(keys, seriesKey(id, before))
	}
	return keys
}

// rateOf returns how many messages a second a mailing has sent over the last minute, from
// its items of rateKeys. The period begins with a step, so it is 60 to 70 seconds long.
func rateOf(items []item, now time.Time) (float64, error) {
	last := stepAt(now)
	begun := time.Unix((last-rateSteps)*int64(mailing.SeriesStep/time.Second), 0)
	var sent int64
	for _, it := range items {
		points, err := decodePoints(it)
		if err != nil {
			return 0, err
		}
		for _, p := range points {
			if !p.At.Before(begun) && stepAt(p.At) <= last {
				sent += p.Sent
			}
		}
	}
	return float64(sent) / now.Sub(begun).Seconds(), nil
}

// Series returns the points of [mailing.SeriesStep] of m that are not zero, in the order
// of time, strongly consistent. Once the messages of m are no longer kept, there are none.
func (s *Store) Series(ctx context.Context, m mailing.Mailing) ([]mailing.Point, error) {
	if s.past(m) {
		return nil, nil
	}
	var all []mailing.Point
	w := walk{table: s.tables.Batches, key: "#part = :part", values: item{":part": str(seriesPart(m.ID))}, descending: true}
	pages := dynamodb.NewQueryPaginator(s.api, w.input())
	// If there are more pages, the earliest points are left out.
	for n := 0; n < seriesPages && pages.HasMorePages(); n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the series of mailing %d: %w", m.ID, err)
		}
		for _, it := range page.Items {
			points, err := decodePoints(it)
			if err != nil {
				return nil, err
			}
			slices.Reverse(points)
			all = append(all, points...)
		}
	}
	slices.Reverse(all)
	return all, nil
}

// decodePoints reads the points of an item that are not zero, in the order of time.
func decodePoints(it item) ([]mailing.Point, error) {
	sort, err := text(it, sortKey)
	if err != nil {
		return nil, err
	}
	span, err := strconv.ParseInt(sort, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is not the sort key of a series: %w", sort, err)
	}
	var points []mailing.Point
	for step := range seriesSteps {
		p := mailing.Point{At: time.Unix((span*seriesSteps+step)*int64(mailing.SeriesStep/time.Second), 0).UTC()}
		for status, n := range map[string]*int64{sentSteps: &p.Sent, failedSteps: &p.Failed, uncertainSteps: &p.Uncertain} {
			if *n, err = number(it, stepAttr(status, step)); err != nil {
				return nil, err
			}
		}
		if p.Sent != 0 || p.Failed != 0 || p.Uncertain != 0 {
			points = append(points, p)
		}
	}
	return points, nil
}

// ExtendSeries moves the time to live of some items of the series of m to that of the end
// of m, where theirs is earlier. It begins after the item with the sort key after, ""
// for the beginning. next is where to continue, "" at the end.
//
// A sender that still has the earlier end may set the item of the current five minutes
// back. The next count by the new end repairs that.
func (s *Store) ExtendSeries(ctx context.Context, m mailing.Mailing, after string) (next string, err error) {
	w := walk{
		table: s.tables.Batches, key: "#part = :part", values: item{":part": str(seriesPart(m.ID))},
		limit: requeueBatches, pages: 1,
	}
	if after != "" {
		w.key += " AND #id > :after"
		w.values[":after"] = str(after)
	}
	part, err := s.walk(ctx, w)
	if err != nil {
		return "", fmt.Errorf("read how long the series of mailing %d is kept: %w", m.ID, err)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readConcurrency)
	for _, it := range part.items {
		ttl, err := number(it, "ttl")
		if err != nil {
			return "", err
		}
		if ttl < s.expiry(m) {
			group.Go(func() error { return s.extendPoints(groupCtx, m, it) })
		}
	}
	if err := group.Wait(); err != nil || part.end {
		return "", err
	}
	return part.last, nil
}

// extendPoints moves the time to live of one item, unless it is as late already.
func (s *Store) extendPoints(ctx context.Context, m mailing.Mailing, it item) error {
	_, err := s.update(ctx, update{
		table: s.tables.Batches, key: item{partKey: it[partKey], sortKey: it[sortKey]}, change: "SET #ttl = :ttl",
		condition: "#ttl < :ttl", values: item{":ttl": num(s.expiry(m))},
	}, "keep the series of mailing %d longer", m.ID)
	return err
}
