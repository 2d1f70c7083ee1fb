package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// writeConcurrency is how many transactions one call of the store makes at the same
// time.
const writeConcurrency = 8

// UpsertClients stores the clients that rows describe. A row changes the client that
// has its phone, or creates a client. Rows must have passed [mailing.ClientRow.Check],
// and their phones must differ.
//
// The results are in the order of the rows; a rejected row does not affect the others.
// After an error the results still say which rows are known to be done. The others are
// [mailing.RowOpen]; some of them may have been written. It is safe to repeat all rows.
func (s *Store) UpsertClients(ctx context.Context, rows []mailing.ClientRow) ([]mailing.RowResult, error) {
	return s.upsertClients(ctx, rows, randomClientID)
}

// upsertClients is UpsertClients with a source of ids. It works in rounds: a row whose
// write was refused is read and decided again in the next round. A row that is not done
// after retryTries rounds is rejected.
func (s *Store) upsertClients(ctx context.Context, rows []mailing.ClientRow, newID func() mailing.ClientID) ([]mailing.RowResult, error) {
	u := upserts{store: s, rows: rows, newID: newID, results: make([]mailing.RowResult, len(rows)), given: map[mailing.ClientID]bool{}}
	todo := make([]openRow, len(rows))
	for i := range todo {
		todo[i].row = i
	}
	done, err := s.repeat(ctx, retryTries, func() (_ bool, err error) {
		todo, err = u.round(ctx, todo)
		return len(todo) == 0, err
	})
	if err != nil || done {
		return u.results, err
	}
	// In each round the write of these rows was refused, or their phone moved to
	// another client.
	for _, o := range todo {
		u.results[o.row] = mailing.RowResult{Outcome: mailing.RowRejected, Err: mailing.Conflict("others keep changing this client: try again")}
	}
	return u.results, nil
}

// upserts is the state of one call of UpsertClients.
type upserts struct {
	store   *Store
	rows    []mailing.ClientRow
	results []mailing.RowResult
	newID   func() mailing.ClientID
	// given holds the ids that new clients were given. An id must not be given twice,
	// because a transaction can hold an item only once.
	given map[mailing.ClientID]bool
}

// openRow is a row that is not done yet. A row that caused a refusal is written alone
// from then on, so that it no longer stops other rows.
type openRow struct {
	row   int
	alone bool
}

// rowWrite is a row with the client that it describes, the actions that write it, and the
// outcome once they are written.
type rowWrite struct {
	openRow
	client  mailing.Client
	outcome mailing.RowOutcome
	actions []types.TransactWriteItem
}

// round reads the owners of the phones, decides on each row, and writes. It returns the
// rows that need another round: their client was changed in between, or their
// transaction was refused.
func (u *upserts) round(ctx context.Context, todo []openRow) (left []openRow, err error) {
	owners, clients, err := u.read(ctx, todo)
	if err != nil {
		return nil, err
	}
	var writes []rowWrite
	var marked []mailing.Client
	for _, o := range todo {
		id, taken := owners[u.rows[o.row].Phone]
		it, found := clients[id]
		if taken && (!found || it.Phone != u.rows[o.row].Phone) {
			left = append(left, o) // the phone moved to another client between the two reads
			continue
		}
		w, err := u.decide(o, it, found)
		if err != nil {
			return nil, err
		}
		// decide has noted the results of all other rows.
		if w.outcome == mailing.RowCreated || w.outcome == mailing.RowUpdated {
			writes = append(writes, w)
		}
		// An unchanged client is marked, too: it may be older than the markers.
		if w.outcome != mailing.RowOpen {
			marked = append(marked, w.client)
		}
	}
	if err := u.store.markFacets(ctx, marked...); err != nil {
		return nil, err
	}
	refused, err := u.write(ctx, writes)
	return append(left, refused...), err
}

// read returns the owners of the phones of rows, and these clients, strongly
// consistent.
func (u *upserts) read(ctx context.Context, todo []openRow) (map[string]mailing.ClientID, map[mailing.ClientID]clientItem, error) {
	keys := make([]item, len(todo))
	for i, o := range todo {
		keys[i] = phoneKey(u.rows[o.row].Phone)
	}
	items, err := u.store.batchGet(ctx, u.store.tables.Clients, keys, true)
	if err != nil {
		return nil, nil, fmt.Errorf("look %d phones up: %w", len(keys), err)
	}
	owners := make(map[string]mailing.ClientID, len(items))
	ids := make([]mailing.ClientID, 0, len(items))
	for _, encoded := range items {
		it, err := decodeOwner(encoded)
		if err != nil {
			return nil, nil, err
		}
		owners[strings.TrimPrefix(it.Part, phonePrefix)] = it.ID
		ids = append(ids, it.ID)
	}
	clients, err := u.store.clientItems(ctx, ids)
	return owners, clients, err
}

// decide returns the write that a row needs. it is the stored client with the phone of
// the row, if found. For a row that needs no write, decide notes the result. The outcome
// of a rejected row is then RowOpen.
func (u *upserts) decide(o openRow, it clientItem, found bool) (rowWrite, error) {
	var old *mailing.Client
	if found {
		c := it.client()
		old = &c
	}
	c, err := u.rows[o.row].Over(old)
	switch {
	case err != nil:
		u.results[o.row] = mailing.RowResult{Outcome: mailing.RowRejected, Err: err}
		return rowWrite{}, nil //nolint:nilerr // the error becomes the result of the row
	case !found:
		c.ID = u.freshID()
		actions, err := u.store.clientCreation(c)
		return rowWrite{o, c, mailing.RowCreated, actions}, err
	case c == *old:
		u.results[o.row] = mailing.RowResult{Outcome: mailing.RowUnchanged}
		return rowWrite{o, c, mailing.RowUnchanged, nil}, nil
	}
	put, err := u.store.replacement(it, c)
	return rowWrite{o, c, mailing.RowUpdated, append([]types.TransactWriteItem{put}, u.store.putZoneEdit(it, c)...)}, err
}

// freshID returns an id that this call of UpsertClients has not given to another new
// client. It may belong to a stored client: then the write is refused, and the next
// round tries another id.
func (u *upserts) freshID() mailing.ClientID {
	for {
		if id := u.newID(); !u.given[id] {
			u.given[id] = true
			return id
		}
	}
}

// write makes all writes, and returns the rows whose transaction was refused. If one
// transaction fails, the others are still made and their results noted: the group has
// no shared context, so one failure cancels no other write.
func (u *upserts) write(ctx context.Context, writes []rowWrite) (refusals []openRow, err error) {
	var (
		group errgroup.Group
		mu    sync.Mutex
	)
	group.SetLimit(writeConcurrency)
	for _, together := range packed(writes) {
		group.Go(func() error {
			left, err := u.writeTogether(ctx, together)
			mu.Lock()
			defer mu.Unlock()
			refusals = append(refusals, left...)
			return err
		})
	}
	return refusals, group.Wait()
}

// packed divides writes into transactions. The actions of one row stay together; a row
// that is to be written alone has a transaction for itself.
func packed(writes []rowWrite) (transactions [][]rowWrite) {
	var together []rowWrite
	actions := 0
	for _, w := range writes {
		if w.alone {
			transactions = append(transactions, []rowWrite{w})
			continue
		}
		if actions+len(w.actions) > transactActions {
			transactions = append(transactions, together)
			together, actions = nil, 0
		}
		together, actions = append(together, w), actions+len(w.actions)
	}
	if len(together) > 0 {
		transactions = append(transactions, together)
	}
	return transactions
}

// writeTogether writes rows in one transaction. If the transaction is refused, it
// returns all its rows; those that caused the refusal are written alone from then on.
func (u *upserts) writeTogether(ctx context.Context, together []rowWrite) (left []openRow, err error) {
	var actions []types.TransactWriteItem
	for _, w := range together {
		actions = append(actions, w.actions...)
	}
	err = u.store.transact(ctx, actions, "upsert %d clients", len(together))
	if in, ok := refused(err); ok {
		for _, w := range together {
			blamed := slices.ContainsFunc(in, func(n int) bool { return n < len(w.actions) && n >= 0 })
			left = append(left, openRow{w.row, w.alone || blamed})
			// From here on, the indexes are relative to the actions of the next row.
			for i := range in {
				in[i] -= len(w.actions)
			}
		}
		return left, nil
	}
	if err != nil {
		return nil, err
	}
	for _, w := range together {
		u.results[w.row] = mailing.RowResult{Outcome: w.outcome}
	}
	return nil, nil
}
