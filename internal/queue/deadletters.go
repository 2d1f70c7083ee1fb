package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"postrider/internal/mailing"
)

// DeadLetters is the queue of dead letters.
type DeadLetters struct {
	api API
	url string
}

// NewDeadLetters returns the queue of dead letters at url.
func NewDeadLetters(api API, url string) *DeadLetters { return &DeadLetters{api: api, url: url} }

type deadLetterBody struct {
	Message  mailing.MessageID `json:"message_id"`
	Mailing  mailing.ID        `json:"mailing_id"`
	Client   mailing.ClientID  `json:"client_id"`
	Reason   string            `json:"reason"`
	Attempts int               `json:"attempts"`
	At       time.Time         `json:"at"`
}

// unreadableBody is the dead letter for a body that could not be decoded.
type unreadableBody struct {
	Reason string `json:"reason"`
	Body   string `json:"body"`
}

// Queue adds an entry for each letter. An entry may be added twice.
func (d *DeadLetters) Queue(ctx context.Context, letters []mailing.DeadLetter) error {
	messages := make([]message, len(letters))
	for i, l := range letters {
		m := l.Message.Mailing()
		messages[i] = message{group: strconv.FormatUint(uint64(m), 10), body: deadLetterBody{
			Message: l.Message, Mailing: m, Client: l.Message.Client(),
			Reason: l.Reason, Attempts: l.Attempts, At: l.At.UTC(),
		}}
	}
	if err := send(ctx, d.api, d.url, messages); err != nil {
		return fmt.Errorf("add %d dead letters: %w", len(letters), err)
	}
	return nil
}

// queueUnreadable keeps a body that could not be decoded, so that an operator sees it.
func (d *DeadLetters) queueUnreadable(ctx context.Context, body string) error {
	err := send(ctx, d.api, d.url, []message{{body: unreadableBody{Reason: "unreadable", Body: body}, group: "unreadable"}})
	if err != nil {
		return fmt.Errorf("add an unreadable delivery to the dead letters: %w", err)
	}
	return nil
}
