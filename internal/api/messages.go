package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

const messagesPath = "/api/messages"

// routeMessages registers the operations that read messages.
func (s *server) routeMessages() {
	list := operation("list-messages", http.MethodGet, messagesPath, "messages", "List and search messages",
		http.StatusBadRequest, http.StatusNotFound)
	list.Parameters = []*huma.Param{
		idDoc("query", "mailing_id", "Only messages of this mailing."),
		idDoc("query", "client_id", "Only messages to this client, even if it is deleted."),
	}
	handle(s, list, s.listMessages)
	get := operation("get-message", http.MethodGet, messagesPath+"/{id}", "messages", "Read a message", http.StatusNotFound)
	get.Parameters = []*huma.Param{idDoc("path", "id", "The message's id.")}
	handle(s, get, s.getMessage)
}

// messagesSearched is the input of a list of messages.
type messagesSearched struct {
	Paging
	Mailing idParam            `query:"mailing_id"`
	Client  idParam            `query:"client_id"`
	Status  messageStatusParam `query:"status"`
}

// listMessages returns one page of messages. An unknown mailing is not found. The
// client need not exist, because messages to a deleted client are kept.
func (s *server) listMessages(ctx context.Context, in *messagesSearched) (*struct{ Body List[Message] }, error) {
	q := mailing.MessageQuery{Status: mailing.MessageStatus(in.Status), Limit: in.Limit, Cursor: in.Cursor}
	if in.Mailing.given {
		m, err := s.mailing(ctx, in.Mailing)
		if err != nil {
			return nil, err
		}
		q.Mailing = m.ID
	}
	if in.Client.given {
		if !in.Client.isClient() {
			// No client ever has such an id, so there are no messages to it.
			return &struct{ Body List[Message] }{List[Message]{Items: []Message{}}}, nil
		}
		id, err := in.Client.client()
		if err != nil {
			return nil, err
		}
		q.Client = id
	}
	found, err := s.Mailings.ListMessages(ctx, q)
	if err != nil {
		return nil, err
	}
	return &struct{ Body List[Message] }{listJSON(found, messageJSON)}, nil
}

// getMessage returns one message. The message of a deleted mailing is not found.
func (s *server) getMessage(ctx context.Context, in *struct {
	ID idParam `path:"id"`
},
) (*struct{ Body Message }, error) {
	id, err := in.ID.message()
	if err != nil {
		return nil, err
	}
	message, err := s.Mailings.Message(ctx, id)
	if err != nil {
		return nil, err
	}
	// The id of a test message does not contain its mailing.
	of := id.Mailing()
	if message.Test != nil {
		of = message.Test.Mailing
	}
	m, err := s.Mailings.Mailing(ctx, of)
	switch {
	case mailing.KindOf(err) == mailing.KindNotFound, err == nil && m.Deleted:
		return nil, mailing.NotFound("message")
	case err != nil:
		return nil, err
	}
	return &struct{ Body Message }{messageJSON(message)}, nil
}
