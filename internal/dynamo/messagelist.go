package dynamo

import (
	"context"

	"golang.org/x/sync/errgroup"

	"postrider/internal/mailing"
)

// These constants limit one page of a list over all mailings: the number of mailings,
// and of DynamoDB pages. A page that reaches a limit is short; its cursor continues
// from there.
const (
	messageMailings = 100
	messagePages    = 20
)

// ListMessages returns a page of messages in storage order, of one mailing or of all,
// strongly consistent. An unknown or deleted mailing is a [mailing.KindNotFound].
func (s *Store) ListMessages(ctx context.Context, q mailing.MessageQuery) (mailing.List[mailing.Message], error) {
	list := listKey("messages", q.Mailing, q.Client, q.Status)
	// Without a cursor a list begins at the newest mailing.
	at := messagePosition{Mailing: mailing.MaxID}
	if err := decodeCursor(list, q.Cursor, &at); err != nil {
		return mailing.List[mailing.Message]{}, err
	}
	read := s.allMessages
	switch {
	case q.Mailing != 0:
		read = s.mailingMessages
	case q.Client != 0:
		read = s.clientMessages
	}
	found, next, err := read(ctx, q, at)
	if err != nil {
		return mailing.List[mailing.Message]{}, err
	}
	return s.messagePage(ctx, list, found, next)
}

// MessagesOf returns a page of the messages of the mailing of st, as [Store.ListMessages]
// does, without reading again what st holds. The client of q must be 0.
func (s *Store) MessagesOf(ctx context.Context, st mailing.Statistics, q mailing.MessageQuery) (mailing.List[mailing.Message], error) {
	q.Mailing = st.Mailing.ID
	list := listKey("messages", q.Mailing, q.Client, q.Status)
	at := messagePosition{Mailing: q.Mailing}
	if err := decodeCursor(list, q.Cursor, &at); err != nil {
		return mailing.List[mailing.Message]{}, err
	}
	found, next, err := s.messagesFrom(ctx, messageReader{m: st.Mailing, states: &st.Slices}, q, at)
	if err != nil {
		return mailing.List[mailing.Message]{}, err
	}
	return s.messagePage(ctx, list, found, next)
}

// messagePage returns a page of messages with their phones.
func (s *Store) messagePage(ctx context.Context, list string, found []mailing.Message, next *messagePosition) (mailing.List[mailing.Message], error) {
	if err := s.addPhones(ctx, found); err != nil {
		return mailing.List[mailing.Message]{}, err
	}
	page := mailing.List[mailing.Message]{Items: found}
	var err error
	if next != nil {
		page.Next, err = encodeCursor(list, next)
	}
	return page, err
}

// mailingMessages reads the messages of one mailing; with a client in the query, only
// the message to this client.
func (s *Store) mailingMessages(ctx context.Context, q mailing.MessageQuery, at messagePosition) ([]mailing.Message, *messagePosition, error) {
	m, err := s.Mailing(ctx, q.Mailing)
	if err != nil {
		return nil, nil, err
	}
	if m.Deleted {
		return nil, nil, mailing.NotFound("mailing")
	}
	if q.Client != 0 {
		found, err := s.messagesTo(ctx, m, q.Client)
		return ofStatus(found, q.Status), nil, err
	}
	return s.messagesFrom(ctx, messageReader{m: m}, q, at)
}

// messagesFrom reads a page of the messages of the mailing of r, from at on.
func (s *Store) messagesFrom(ctx context.Context, r messageReader, q mailing.MessageQuery, at messagePosition) ([]mailing.Message, *messagePosition, error) {
	// One message more than the limit shows where the next page begins.
	r.store, r.status, r.want = s, q.Status, q.Limit+1
	// Without a cursor the position is not in this mailing.
	if at.Mailing != r.m.ID {
		at = messagePosition{Mailing: r.m.ID}
	}
	if err := r.read(ctx, at); err != nil {
		return nil, nil, err
	}
	found, next := cut(r.found, q.Limit, r.next)
	return found, next, nil
}

// allMessages reads the messages of all mailings, one mailing after the other, newest
// first.
func (s *Store) allMessages(ctx context.Context, q mailing.MessageQuery, at messagePosition) ([]mailing.Message, *messagePosition, error) {
	mailings, below, err := s.newestDown(ctx, at.Mailing, messageMailings)
	if err != nil {
		return nil, nil, err
	}
	var (
		found []placed
		pages int
	)
	for _, m := range mailings {
		start := messagePosition{Mailing: m.ID}
		if m.ID == at.Mailing {
			start = at
		}
		// The page ends short of its limit here, so that one call reads a bounded
		// number of DynamoDB pages. Each mailing before this one was read to its end.
		if pages >= messagePages {
			messages, next := cut(found, q.Limit, &start)
			return messages, next, nil
		}
		r := messageReader{store: s, m: m, status: q.Status, want: q.Limit + 1 - len(found)}
		if err := r.read(ctx, start); err != nil {
			return nil, nil, err
		}
		found, pages = append(found, r.found...), pages+r.pages
		// The list continues within this mailing: at the first message above the limit,
		// or where the reader stopped.
		if len(found) > q.Limit || r.next != nil {
			messages, next := cut(found, q.Limit, r.next)
			return messages, next, nil
		}
	}
	messages, next := cut(found, q.Limit, startOf(below))
	return messages, next, nil
}

// clientMessages reads the messages to one client, newest mailing first. The ids of
// mailing and client show where the message must be, so no list of messages is read.
func (s *Store) clientMessages(ctx context.Context, q mailing.MessageQuery, at messagePosition) ([]mailing.Message, *messagePosition, error) {
	mailings, below, err := s.newestDown(ctx, at.Mailing, messageMailings)
	if err != nil {
		return nil, nil, err
	}
	var found []mailing.Message
	for len(mailings) > 0 {
		some := mailings[:min(readConcurrency, len(mailings))]
		mailings = mailings[len(some):]
		messages, err := s.messagesOf(ctx, some, q.Client)
		if err != nil {
			return nil, nil, err
		}
		for i, each := range messages {
			each = ofStatus(each, q.Status)
			// The next page begins at a mailing that has a message, so that it is not
			// empty.
			if len(each) > 0 && len(found) == q.Limit {
				return found, startOf(some[i].ID), nil
			}
			found = append(found, each...)
		}
	}
	return found, startOf(below), nil
}

// messagesOf reads the message of each of mailings to a client, all at the same time.
// The result has the order of mailings.
func (s *Store) messagesOf(ctx context.Context, mailings []mailing.Mailing, client mailing.ClientID) ([][]mailing.Message, error) {
	found := make([][]mailing.Message, len(mailings))
	group, ctx := errgroup.WithContext(ctx)
	for i, m := range mailings {
		group.Go(func() (err error) {
			found[i], err = s.messagesTo(ctx, m, client)
			return err
		})
	}
	return found, group.Wait()
}

// ofStatus returns messages if they have the status, and otherwise none. messages holds
// at most one. An empty status matches every message.
func ofStatus(messages []mailing.Message, status mailing.MessageStatus) []mailing.Message {
	if len(messages) > 0 && status != "" && messages[0].Member.Status != status {
		return nil
	}
	return messages
}

// startOf returns the beginning of a mailing as a position; nil for no mailing.
func startOf(id mailing.ID) *messagePosition {
	if id == 0 {
		return nil
	}
	return &messagePosition{Mailing: id}
}

// cut returns the messages of a page and where the next page begins: at the first
// message above limit, or else at next.
func cut(found []placed, limit int, next *messagePosition) ([]mailing.Message, *messagePosition) {
	if len(found) > limit {
		next = &found[limit].at
		found = found[:limit]
	}
	messages := make([]mailing.Message, len(found))
	for i, f := range found {
		messages[i] = f.Message
	}
	return messages, next
}
