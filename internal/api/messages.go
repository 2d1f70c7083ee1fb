package api

import (
	"context"
	"log/slog"
	"net/http"

	"postrider/internal/mailing"
)

const messagesPath = "/api/messages"

// Message is one message of a mailing to a client.
type Message struct {
	ID                MessageID     `json:"id" example:"4294967297" doc:"The sending API gets this id, too."`
	MailingID         MailingID     `json:"mailing_id" example:"1"`
	ClientID          ClientID      `json:"client_id" minimum:"0" example:"1" doc:"0 for a test message."`
	Test              bool          `json:"test,omitempty" doc:"Whether it is a test message, which is in no count."`
	Phone             Phone         `json:"phone" pattern:"^(7[0-9]{10})?$" patternDescription:"11 digits that start with 7, or empty" doc:"The current phone of the client. Empty if the client is deleted."`
	Status            MessageStatus `json:"status"`
	Attempts          int           `json:"attempts" minimum:"0" doc:"How often it was sent to the sending API."`
	UncertainAttempts int           `json:"uncertain_attempts" minimum:"0" doc:"The number of attempts with an unknown outcome."`
	LastError         string        `json:"last_error" example:"http_400" doc:"The code of the last attempt that did not succeed. Empty if there was none."`
	CreatedAt         Time          `json:"created_at"`
	SentAt            *Time         `json:"sent_at" nullable:"true" doc:"The instant at which the sending API accepted it. Null if the status is not sent."`
}

// messageJSON returns a message as answers have it. A test message is stored under
// mailing 0, with a number of its own in the place of the client id. The answer has
// the mailing that is tested instead, and client 0.
func messageJSON(m mailing.Message) Message {
	j := Message{
		ID:                MessageID(m.ID),
		MailingID:         MailingID(m.ID.Mailing()),
		ClientID:          ClientID(m.ID.Client()),
		Phone:             Phone(m.Phone),
		Status:            MessageStatus(m.Member.Status),
		Attempts:          m.Member.Attempts,
		UncertainAttempts: m.Member.Uncertain,
		LastError:         m.Member.Error,
		CreatedAt:         Time(m.CreatedAt),
	}
	if m.Test != nil {
		j.Test, j.MailingID, j.ClientID = true, MailingID(m.Test.Mailing), 0
	}
	if at := m.Member.SentAt(); !at.IsZero() {
		sent := Time(at)
		j.SentAt = &sent
	}
	return j
}

// exampleMessage returns the message of the example mailing to the example client.
func exampleMessage() Message {
	sent := exampleAt(31)
	return Message{
		ID: MessageID(mailing.NewMessageID(1, 1)), MailingID: 1, ClientID: 1, Phone: exampleClient().Phone,
		Status: MessageStatus(mailing.Sent), Attempts: 1, CreatedAt: exampleAt(30), SentAt: &sent,
	}
}

// routeMessages registers the operations on messages.
func (s *server) routeMessages() {
	register(s, operation{
		id: "list-messages", method: http.MethodGet, path: messagesPath, tag: messagesTag,
		summary: "List and search messages",
		about: "Returns the messages of one mailing or of all (newest mailing first), to one client or to all, " +
			"without test messages. By default the service keeps messages for 90 days after the end of their " +
			"mailing. It keeps counts for ever.\n\nA search by `status` or `client_id` alone reads all " +
			"messages. Its pages may be short or empty while there is a `next_cursor`, so give `mailing_id` " +
			"where possible.",
		success: "A page of messages.", answer: List[Message]{Items: []Message{exampleMessage()}},
		errors: map[int]errorText{http.StatusNotFound: {
			when:   "There is no mailing with the id in `mailing_id`: it never existed or is deleted.",
			detail: "there is no mailing with this id",
		}},
	}, s.listMessages)
	register(s, operation{
		id: "get-message", method: http.MethodGet, path: messagesPath + "/{id}", tag: messagesTag,
		summary: "Read a message",
		about:   "Returns one message or test message. While a sender works on it, its status is `sending`.",
		success: "The message.", answer: exampleMessage(),
		errors: map[int]errorText{http.StatusNotFound: {
			when: "There is no message with this id: it never existed, its mailing is deleted, or it is no " +
				"longer kept.",
			detail: "there is no message with this id",
		}},
	}, s.getMessage)
	register(s, operation{
		id: "test-mailing", method: http.MethodPost, path: mailingPath + "/test", tag: mailingsTag,
		summary: "Send a test message",
		about: "Sends the text of the mailing to one phone, which need not be that of a client. The status, " +
			"times and window of the mailing do not matter. The message is marked as a test, is in no count, " +
			"is sent at most once, and expires after ten minutes. The answer does not wait for it: read its " +
			"status at `Location`.",
		request: TestBody{Phone: exampleClient().Phone}, status: http.StatusAccepted, success: "The queued " +
			"message.",
		answer: Message{
			ID: 1, MailingID: 1, Test: true, Phone: exampleClient().Phone, Status: MessageStatus(mailing.Queued),
			CreatedAt: exampleAt(5),
		},
		links: map[string]string{"get-message": "id", "redrive-dead-letters": "message_id"},
	}, s.test)
}

// listMessages returns one page of messages. An unknown mailing is not found. The
// client need not exist, because messages to a deleted client are kept.
func (s *server) listMessages(ctx context.Context, in *struct {
	Mailing idParam `query:"mailing_id" doc:"Only messages of this mailing."`
	Client  idParam `query:"client_id" doc:"Only messages to this client, even if it is deleted."`
	Paging
	Status MessageStatus `query:"status" doc:"Only messages of this status."`
},
) (*struct{ Body List[Message] }, error) {
	q := mailing.MessageQuery{Status: mailing.MessageStatus(in.Status), Limit: in.Limit, Cursor: in.Cursor}
	if in.Mailing.given {
		m, err := s.mailing(ctx, in.Mailing)
		if err != nil {
			return nil, err
		}
		q.Mailing = m.ID
	}
	if in.Client.given {
		id, err := in.Client.client()
		if err != nil {
			// No client ever has such an id, so there are no messages to it.
			return &struct{ Body List[Message] }{List[Message]{Items: []Message{}}}, nil //nolint:nilerr // an empty list
		}
		q.Client = id
	}
	found, err := s.mailings.ListMessages(ctx, q)
	if err != nil {
		return nil, err
	}
	return &struct{ Body List[Message] }{listJSON(found, messageJSON)}, nil
}

// getMessage returns one message. The message of a deleted mailing is not found.
func (s *server) getMessage(ctx context.Context, in *struct {
	ID idParam `path:"id" doc:"The id of the message."`
},
) (*struct{ Body Message }, error) {
	id, err := in.ID.message()
	if err != nil {
		return nil, err
	}
	message, err := s.mailings.Message(ctx, id)
	if err != nil {
		return nil, err
	}
	// The id of a test message does not contain its mailing.
	of := id.Mailing()
	if message.Test != nil {
		of = message.Test.Mailing
	}
	m, err := s.mailings.Mailing(ctx, of)
	switch {
	case mailing.KindOf(err) == mailing.KindNotFound, err == nil && m.Deleted:
		return nil, mailing.NotFound("message")
	case err != nil:
		return nil, err
	}
	return &struct{ Body Message }{messageJSON(message)}, nil
}

// TestBody is the body of a request for a test message.
type TestBody struct {
	Phone Phone `json:"phone" doc:"The recipient of the test message. It need not be the phone of a client."`
}

// acceptedTest is the answer to a request for a test message.
type acceptedTest struct {
	Repeated
	Location string `header:"Location" doc:"The URL of the message."`
	Body     Message
}

// test sends the text of a mailing to one phone, once for each idempotency key. A
// repetition must have the same mailing and the same body.
func (s *server) test(ctx context.Context, in *struct {
	MailingInput
	Idempotent
	Body TestBody
},
) (*acceptedTest, error) {
	msg, repeated, err := idempotently(ctx, s, in.Idempotent, "test-mailing", []any{in.ID.n, in.Body},
		func(c mailing.Creation) *mailing.Message { return c.Test },
		func(key mailing.Idempotency) (mailing.Message, error) {
			m, err := s.mailing(ctx, in.ID)
			if err != nil {
				return mailing.Message{}, err
			}
			t, err := mailing.NewTest(m, string(in.Body.Phone))
			if err != nil {
				return mailing.Message{}, err
			}
			return s.sendTest(ctx, t, key)
		})
	if err != nil {
		return nil, err
	}
	logID(ctx, "message_id", msg.ID)
	return &acceptedTest{repeated, location(ctx, messagesPath, msg.ID), messageJSON(msg)}, nil
}

// sendTest stores a test message and queues its batch. An error of the queue is
// only logged, because the message is stored and the sweep finds it.
func (s *server) sendTest(ctx context.Context, t mailing.Test, key mailing.Idempotency) (mailing.Message, error) {
	msg, batch, err := s.mailings.CreateTest(ctx, t, s.now(), key)
	if err != nil {
		return msg, err
	}
	if err := s.queues.Deliver(ctx, []mailing.BatchKey{batch}); err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "test message not queued: the sweep will queue it", slog.Int64("mailing_id", int64(t.Mailing)),
			slog.Int64("message_id", int64(msg.ID)), failure(ctx, err))
	}
	return msg, nil
}
