package api

import (
	"context"
	"net/http"
	"slices"

	"postrider/internal/mailing"
)

// RetryBody chooses the messages that a retry tries again.
type RetryBody struct {
	Statuses []string `json:"statuses,omitempty" nullable:"true" minItems:"1" maxItems:"2" enum:"failed,uncertain" doc:"Which messages get fresh attempts. Messages that are uncertain may have been delivered: trying them again may deliver them twice. By default, and with null, only failed."`
}

// RetriedMailing is a mailing with the numbers of messages that a retry tries
// again.
type RetriedMailing struct {
	Mailing

	Retrying Retrying `json:"retrying"`
}

// Retrying are the numbers of messages that get fresh attempts.
type Retrying struct {
	Failed    int64 `json:"failed" minimum:"0" doc:"How many failed messages are tried again."`
	Uncertain int64 `json:"uncertain" minimum:"0" doc:"How many uncertain messages are tried again: at most so many are delivered twice."`
}

// retryAsked is the input of a retry. Without a body only failed messages are tried
// again.
type retryAsked struct {
	Conditional
	ID   idParam    `path:"id"`
	Body *RetryBody `required:"false"`
}

// retryAnswer is the answer to a retry.
type retryAnswer struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body RetriedMailing
}

// routeRetry registers the retry.
func (s *server) routeRetry() {
	op := mailingOp("retry-mailing", http.MethodPost, mailingPath+"/retry", "Try its failed messages again",
		http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	handle(s, op, s.retryMailing)
}

// retryMailing gives a mailing's failed messages fresh attempts, its uncertain
// ones, or both. It only notes the retry on the mailing and queues a task, which
// changes the messages.
func (s *server) retryMailing(ctx context.Context, in *retryAsked) (*retryAnswer, error) {
	failed, uncertain := true, false
	if in.Body != nil && in.Body.Statuses != nil {
		failed = slices.Contains(in.Body.Statuses, string(mailing.Failed))
		uncertain = slices.Contains(in.Body.Statuses, string(mailing.Uncertain))
	}
	var before mailing.Mailing
	answer, err := s.updateMailing(ctx, in.ID, in.Conditional, func(m mailing.Mailing) (mailing.Mailing, error) {
		before = m
		return m.Retried(failed, uncertain, s.Now())
	})
	if err != nil {
		return nil, err
	}
	body := RetriedMailing{Mailing: answer.Body}
	// The mailing before the retry is needed here: a completed one holds its final
	// counts itself, and the retry has cleared them.
	progress, err := s.Mailings.Progress(ctx, []mailing.Mailing{before})
	if err != nil {
		return nil, err
	}
	if failed {
		body.Retrying.Failed = progress[0].Counts.Failed
	}
	if uncertain {
		body.Retrying.Uncertain = progress[0].Counts.Uncertain
	}
	return &retryAnswer{answer.ETag, body}, nil
}
