package api

import (
	"context"
	"net/http"
	"slices"

	"postrider/internal/mailing"
)

// RetryBody says which messages a retry tries again.
type RetryBody struct {
	Statuses []string `json:"statuses,omitempty" nullable:"true" minItems:"1" maxItems:"2" enum:"failed,uncertain" doc:"Which messages get fresh attempts. Messages that are uncertain may have been delivered: trying them again may deliver them twice. By default, and with null, only failed."`
}

// RetriedMailing is a mailing with how many of its messages a retry tries again.
type RetriedMailing struct {
	Mailing

	Retrying Retrying `json:"retrying"`
}

// Retrying is how many messages get fresh attempts.
type Retrying struct {
	Failed    int64 `json:"failed" minimum:"0" doc:"How many failed messages are tried again."`
	Uncertain int64 `json:"uncertain" minimum:"0" doc:"How many uncertain messages are tried again: at most so many are delivered twice."`
}

type retryAsked struct {
	Conditional
	ID   idParam    `path:"id"`
	Body *RetryBody `required:"false"`
}

type retryAnswer struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body RetriedMailing
}

func (s *server) routeRetry() {
	op := mailingOp("retry-mailing", http.MethodPost, mailingPath+"/retry", "Try its failed messages again",
		http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	handle(s, op, s.retryMailing)
}

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
