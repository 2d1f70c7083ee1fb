package dynamo

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// messagePosition is the first message that a list has not shown yet. Recipient is an
// index in a batch; it may be one past the end of the batch. An empty Batch is the
// beginning of the slice. A recipient never changes its index, so the position stays
// exact when statuses change.
type messagePosition struct {
	Mailing   mailing.ID `json:"m"`
	Slice     int        `json:"s,omitempty"`
	Batch     string     `json:"b,omitempty"`
	Recipient int        `json:"i,omitempty"`
}

func (p *messagePosition) valid() bool {
	if p.Batch != "" {
		if _, err := mailing.ParseBatchID(p.Batch); err != nil {
			return false
		}
	}
	return p.Mailing > 0 && p.Mailing <= mailing.MaxID && p.Slice >= 0 && p.Slice < mailing.Slices &&
		p.Recipient >= 0 && p.Recipient <= mailing.BatchSize
}

// These constants limit how much of one mailing is read for one page of a list. A
// DynamoDB page holds about 17,000 messages.
const (
	// If a slice is larger than one DynamoDB page, a list with a filter reads
	// largeSlices slices at the same time, and up to largePages pages of each. If a
	// slice fits one page, all slices are read at the same time.
	largeSlices = 4
	largePages  = 2
	// anyBatches is more batches than a DynamoDB page holds.
	anyBatches = 1 << 20
)

// messageReader collects up to want messages of one status ("" for any) of one mailing,
// in storage order.
type messageReader struct {
	store  *Store
	m      mailing.Mailing
	status mailing.MessageStatus
	want   int

	// states are the states of the slices. If they are nil, they are read.
	states *mailing.SliceStates
	// holds is how many messages of the status each slice has, by its counts.
	holds [mailing.Slices]int64

	found []placed
	// next is where to continue; nil at the end. It is not set if want messages were
	// found.
	next *messagePosition
	// pages is how many DynamoDB pages were read.
	pages int
}

// placed is a message with its position.
type placed struct {
	mailing.Message
	at messagePosition
}

// read collects messages from at on. If the keys of all batches that are needed are
// known and few, it reads them with one call. Otherwise it first reads one DynamoDB page
// of the first slice that may hold any. If this page is a whole slice, the next slices are all read
// at the same time; otherwise fewer are.
func (r *messageReader) read(ctx context.Context, at messagePosition) error {
	todo, err := r.slices(ctx, at)
	if err != nil || len(todo) == 0 {
		return err
	}
	if done, err := r.readSmall(ctx, todo); done || err != nil {
		return err
	}
	// An unfiltered list finds 50 messages in nearly every batch, and at least one in
	// each. With a filter, most batches may have none.
	few := r.want/mailing.BatchSize + 2
	if state := r.states[todo[0].Slice]; state.Batches > 0 {
		// Windows make smaller batches.
		few = max(few, r.want*state.Batches/int(state.Counts.Total)+2)
	}
	width, pages := mailing.Slices, 1
	if r.status != "" {
		few = anyBatches
	}
	first, err := r.slice(ctx, todo[0], few, 1)
	r.pages += first.pages
	if err != nil || r.take(first) {
		return err
	}
	// A slice that fitted one DynamoDB page is read to its end, and the others probably
	// fit, too.
	if first.next == nil {
		todo = todo[1:]
	} else {
		// The slice is longer. Without a filter its rest probably fills the page alone.
		todo[0], width = *first.next, 1
		if r.status != "" {
			width, pages = largeSlices, largePages
		}
	}
	width = min(width, r.enough(todo))
	return r.readTogether(ctx, todo, width, pages)
}

// readSmall reads slices of todo, from the first one on, whose batches are all known, if
// they need more than one slice and one call can read them. It reports false if that is
// not so, and then reads nothing or has found nothing.
func (r *messageReader) readSmall(ctx context.Context, todo []messagePosition) (bool, error) {
	width := r.enough(todo)
	if width < 2 {
		return false, nil // one query reads no more than is needed
	}
	var keys []item
	for _, at := range todo[:width] {
		ids, ok := r.states[at.Slice].BatchIDs()
		if !ok || len(keys)+len(ids) > batchGetKeys {
			return false, nil
		}
		for _, id := range ids {
			keys = append(keys, key(batchPart(r.m.ID, at.Slice), batchSort(id)))
		}
	}
	items, err := r.store.batchGet(ctx, r.store.tables.Batches, keys, true)
	if err != nil {
		return false, fmt.Errorf("read the messages of mailing %d: %w", r.m.ID, err)
	}
	batches, err := r.store.batches(r.m.ID, items)
	if err != nil {
		return false, err
	}
	var holds [mailing.Slices]int64
	for _, b := range batches {
		holds[b.Key.Slice] += int64(len(b.Recipients))
	}
	r.pages++
	for _, at := range todo[:width] {
		// Then the state does not name all batches of the slice.
		if holds[at.Slice] != r.states[at.Slice].Counts.Total {
			return false, nil
		}
	}
	slices.SortFunc(batches, func(a, b mailing.Batch) int {
		return cmp.Or(a.Key.Slice-b.Key.Slice, a.Key.Batch.N-b.Key.Batch.N)
	})
	for _, b := range batches {
		from := todo[slices.IndexFunc(todo, func(at messagePosition) bool { return at.Slice == b.Key.Slice })]
		if b.Key.Batch.String() < from.Batch {
			continue
		}
		if r.take(messagePart{found: r.matching(b, from)}) {
			return true, nil
		}
	}
	if width < len(todo) {
		r.next = &todo[width]
	}
	return true, nil
}

// readTogether reads the first width positions of todo at the same time, up to pages
// DynamoDB pages of each. It takes the results in their order. It stops after the first
// slice that was not read to its end. It drops the messages of later slices, so that no
// message is skipped.
func (r *messageReader) readTogether(ctx context.Context, todo []messagePosition, width, pages int) error {
	parts := make([]messagePart, width)
	limit := anyBatches
	if r.status == "" {
		limit = r.want - len(r.found) + 1 // the first batch may hold no message after its position
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readConcurrency)
	for i := range parts {
		group.Go(func() (err error) {
			parts[i], err = r.slice(groupCtx, todo[i], limit, pages)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, part := range parts {
		r.pages += part.pages
	}
	for _, part := range parts {
		if r.take(part) {
			return nil
		}
		if part.next != nil {
			r.next = part.next
			return nil
		}
	}
	if width < len(todo) {
		r.next = &todo[width]
	}
	return nil
}

// slices returns the positions to read from at on: one in each slice whose counts say
// that it holds messages of the status. The counts change in the same transactions as
// the messages, so no slice with such messages is left out.
func (r *messageReader) slices(ctx context.Context, at messagePosition) ([]messagePosition, error) {
	// A scheduled mailing has no messages yet. The messages of a mailing whose
	// retention is over are hidden. A finished mailing has its own counts, so its
	// slices are not read if the counts have none of the status.
	if r.m.Status == mailing.StatusScheduled || r.store.past(r.m) || (r.m.Finished && countOf(r.m.Counts, r.status) == 0) {
		return nil, nil
	}
	if r.states == nil {
		read, err := r.store.Slices(ctx, []mailing.ID{r.m.ID})
		if err != nil {
			return nil, err
		}
		r.states = read[r.m.ID]
	}
	var todo []messagePosition
	for slice := at.Slice; slice < mailing.Slices; slice++ {
		r.holds[slice] = countOf(r.states[slice].Counts, r.status)
		if r.holds[slice] > 0 {
			todo = append(todo, messagePosition{Mailing: r.m.ID, Slice: slice})
		}
	}
	if len(todo) > 0 && todo[0].Slice == at.Slice {
		todo[0] = at
	}
	return todo, nil
}

// enough returns how many slices of todo, from the first one on, together hold the
// messages that are wanted. So no further slice is read in vain.
func (r *messageReader) enough(todo []messagePosition) int {
	need := int64(r.want - len(r.found))
	for n, at := range todo {
		switch {
		case need <= 0:
			return n
		case r.status == mailing.Sending, at.Batch != "":
			// No count says how many are being sent, or come after a position.
		default:
			need -= r.holds[at.Slice]
		}
	}
	return len(todo)
}

// countOf returns how many messages of a status c counts. For [mailing.Sending] it
// returns an upper bound: the number of all pending messages.
func countOf(c mailing.Counts, status mailing.MessageStatus) int64 {
	switch status {
	case "":
		return c.Total
	case mailing.Sending:
		return c.Pending()
	default:
		if n := c.Of(status); n != nil {
			return *n
		}
		return 0
	}
}

// take appends the messages that were found in a slice, up to want. It reports whether
// want is reached.
func (r *messageReader) take(part messagePart) bool {
	r.found = append(r.found, part.found[:min(len(part.found), r.want-len(r.found))]...)
	return len(r.found) == r.want
}

// messagePart holds the messages found in a slice. next is where to continue in it; nil
// at its end.
type messagePart struct {
	found []placed
	next  *messagePosition
	pages int
}

// slice reads messages of one slice from at on. It stops after pages DynamoDB pages, of
// up to batches batches each, or when want messages are found.
func (r *messageReader) slice(ctx context.Context, at messagePosition, batches, pages int) (messagePart, error) {
	part := messagePart{next: &at}
	for part.pages < pages && part.next != nil && len(part.found) < r.want {
		from := *part.next
		got, err := r.store.walk(ctx, walk{
			table: r.store.tables.Batches, limit: batches, pages: 1,
			key: batchesBetween, values: between(batchPart(r.m.ID, from.Slice), batchPrefix+from.Batch, afterBatches),
		})
		if err != nil {
			return part, fmt.Errorf("read the messages of mailing %d slice %d: %w", r.m.ID, from.Slice, err)
		}
		part.pages++
		decoded, err := r.store.batches(r.m.ID, got.items)
		if err != nil {
			return part, err
		}
		for _, b := range decoded {
			part.found = append(part.found, r.matching(b, from)...)
		}
		part.next = nil
		if !got.end {
			part.next = &messagePosition{r.m.ID, from.Slice, got.last[len(batchPrefix):], mailing.BatchSize}
		}
	}
	return part, nil
}

// matching returns the messages of a batch that the list shows. In the batch of the
// position it begins at the position.
func (r *messageReader) matching(b mailing.Batch, from messagePosition) []placed {
	begin, id := 0, b.Key.Batch.String()
	if id == from.Batch {
		begin = from.Recipient
	}
	var found []placed
	for i := begin; i < len(b.Recipients); i++ {
		msg := r.store.message(b, b.Recipients[i])
		if r.status == "" || msg.Member.Status == r.status {
			found = append(found, placed{msg, messagePosition{r.m.ID, b.Key.Slice, id, i}})
		}
	}
	return found
}
