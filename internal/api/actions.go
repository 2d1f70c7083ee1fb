package api

import (
	"context"
	"log/slog"
	"net/http"

	"postrider/internal/mailing"
)

// routeActions registers the operations that change a mailing's status, and the one
// that asks for a sweep. A pause, resume or cancellation that finds the wanted
// status already changes nothing and answers 200, so it can be repeated.
func (s *server) routeActions() {
	action := func(name, summary string, do func(mailing.Mailing) (mailing.Mailing, error)) {
		op := mailingOp(name+"-mailing", http.MethodPost, mailingPath+"/"+name, summary,
			http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed)
		handle(s, op, func(ctx context.Context, in *mailingMatched) (*mailingAnswer, error) {
			return s.updateMailing(ctx, in.ID, in.Conditional, do)
		})
	}
	action("pause", "Hold a running mailing still", func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(s.Now()) })
	action("resume", "Let a paused mailing run again", func(m mailing.Mailing) (mailing.Mailing, error) { return m.Resumed(s.Now()) })
	action("cancel", "Call a mailing off", func(m mailing.Mailing) (mailing.Mailing, error) { return m.Cancelled(s.Now()) })
	s.routeRetry()

	process := operation("process-mailings", http.MethodPost, mailingsPath+"/process", "mailings",
		"Process what is active now, not at the next minute", http.StatusServiceUnavailable)
	process.DefaultStatus = http.StatusAccepted
	handle(s, process, s.process)
}

// Accepted is the body of an answer that says that work was queued.
type Accepted struct {
	Status string `json:"status" enum:"accepted"`
}

// process queues a sweep. If that fails it answers 503, and not 500: the rule
// starts a sweep each minute in any case, so nothing is lost.
func (s *server) process(ctx context.Context, _ *struct{}) (*struct{ Body Accepted }, error) {
	if err := s.Tasks.QueueSweep(ctx); err != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, "sweep not queued",
			slog.String("request_id", requestID(ctx)), slog.String("error", err.Error()))
		return nil, problemOf(http.StatusServiceUnavailable, "it cannot be queued at the moment; it is done each minute anyway")
	}
	return &struct{ Body Accepted }{Accepted{"accepted"}}, nil
}
