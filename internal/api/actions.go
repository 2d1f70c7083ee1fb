package api

import (
	"context"
	"log/slog"
	"net/http"
	"slices"

	"postrider/internal/mailing"
)

// routeActions registers the operations that change the status of a mailing, and
// the one that requests a sweep. A pause, resume or cancellation that finds the
// wanted status already changes nothing and answers 200, so it can be repeated.
func (s *server) routeActions() {
	action := func(name string, op operation, change func(mailing.Mailing) (mailing.Mailing, error)) {
		op.id, op.method, op.path = name+"-mailing", http.MethodPost, mailingPath+"/"+name
		op.tag, op.success = mailingsTag, changedMailing
		register(s, op, func(ctx context.Context, in *MailingChange) (*mailingAnswer, error) {
			return s.updateMailing(ctx, *in, change)
		})
	}
	action("pause", operation{
		summary: "Pause a running mailing",
		about: "Pauses a running mailing. No message is sent later than two seconds after the answer, and no " +
			"more clients are read. `end_at` does not change. If the mailing is paused already, nothing " +
			"changes and the status is 200.",
		answer: exampleMailingIn(mailing.StatusPaused, 3),
		errors: actionConflict("The mailing is scheduled (cancel it, or move its `start_at`), completed or "+
			"cancelled",
			"a scheduled mailing cannot be paused: cancel it, or move its start_at"),
	}, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Paused(s.now()) })
	action("resume", operation{
		summary: "Resume a paused mailing",
		about: "Resumes a paused mailing. Messages that wait for a window continue to wait. If the mailing is " +
			"running already, nothing changes and the status is 200.",
		answer: exampleMailingIn(mailing.StatusRunning, 4),
		errors: actionConflict("The mailing is scheduled, completed or cancelled, or its end has passed",
			"a scheduled mailing cannot be resumed"),
	}, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Resumed(s.now()) })
	action("cancel", operation{
		summary: "Cancel a mailing",
		about: "Cancels a mailing. It cannot be resumed. No message is sent later than two seconds after the " +
			"answer, and all messages that were not sent end as `cancelled`. The counts follow within a " +
			"minute. If the mailing is cancelled already, nothing changes and the status is 200.",
		answer: exampleMailingIn(mailing.StatusCancelled, 3),
		errors: actionConflict("The mailing is completed", "a completed mailing cannot be cancelled"),
	}, func(m mailing.Mailing) (mailing.Mailing, error) { return m.Cancelled(s.now()) })
	register(s, operation{
		id: "process-mailings", method: http.MethodPost, path: mailingsPath + "/process", tag: mailingsTag,
		summary: "Process active mailings now",
		about: "Requests the work that otherwise begins each minute: starting mailings at their `start_at`, " +
			"and queueing overdue messages. The answer does not wait for that work. The request is never " +
			"necessary. It only saves time.",
		status: http.StatusAccepted, success: "The work is queued.", answer: Accepted{"accepted"},
		errors: map[int]errorText{http.StatusServiceUnavailable: {
			when: "The work cannot be queued at the moment, but it begins each minute in any case. Or keys " +
				"cannot be checked at the moment.",
			detail: notQueued,
		}},
	}, s.process)
}

// actionConflict returns the text for 409 of an action on a mailing.
func actionConflict(when, detail string) map[int]errorText {
	when += ", or " + busyMailing + ". Nothing was changed."
	return map[int]errorText{http.StatusConflict: {when: when, detail: detail}}
}

// Accepted is the body of an answer that says that work was queued.
type Accepted struct {
	Status string `json:"status" enum:"accepted"`
}

const notQueued = "the work cannot be queued at the moment, but it begins each minute in any case"

// process queues a sweep. If that fails it answers 503, and not 500: a rule of
// EventBridge starts a sweep each minute in any case, so nothing is lost.
func (s *server) process(ctx context.Context, _ *struct{}) (*struct{ Body Accepted }, error) {
	if err := s.tasks.QueueSweep(ctx); err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "sweep not queued", failure(ctx, err))
		return nil, problemOf(http.StatusServiceUnavailable, notQueued)
	}
	return &struct{ Body Accepted }{Accepted{"accepted"}}, nil
}

// routeRetry registers the retry.
func (s *server) routeRetry() {
	register(s, operation{
		id: "retry-mailing", method: http.MethodPost, path: mailingPath + "/retry", tag: mailingsTag,
		summary: "Retry failed messages of a mailing",
		about: "Gives the failed messages of a mailing new attempts, and reopens the mailing if it was " +
			"completed. With `uncertain` among the statuses, messages whose outcome is unknown are also " +
			"retried. They **may be delivered twice**: at most as many as `retrying.uncertain` in the answer. " +
			"A mailing with `on_uncertain: stop` never allows that (409). Messages that are `expired` or " +
			"`skipped` are not retried. If a completed mailing has no such messages, nothing changes and the " +
			"status is 200.",
		request: RetryBody{Statuses: []string{"failed", "uncertain"}}, success: changedMailing,
		answer: RetriedMailing{exampleMailingIn(mailing.StatusRunning, 5), Retrying{Failed: 12}},
		errors: actionConflict("The mailing is scheduled or cancelled, its end has passed, or uncertain messages are "+
			"requested and it has `on_uncertain: stop`", "a scheduled mailing has nothing to be tried again"),
	}, s.retryMailing)
}

// RetryBody chooses the messages that a retry tries again.
type RetryBody struct {
	Statuses []string `json:"statuses,omitempty" nullable:"true" minItems:"1" maxItems:"2" enum:"failed,uncertain" doc:"The messages that get new attempts. A message that is uncertain may have been delivered, so a retry may deliver it twice. By default, and with null, only failed."`
}

// RetriedMailing is a mailing with the numbers of messages that a retry tries
// again.
type RetriedMailing struct {
	Mailing

	Retrying Retrying `json:"retrying"`
}

// Retrying are the numbers of messages that get new attempts.
type Retrying struct {
	Failed    int64 `json:"failed" minimum:"0" doc:"The number of failed messages that are retried."`
	Uncertain int64 `json:"uncertain" minimum:"0" doc:"The number of uncertain messages that are retried. At most this many are delivered twice."`
}

// retryAnswer is the answer to a retry.
type retryAnswer struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body RetriedMailing
}

// retryMailing gives new attempts to the failed messages of a mailing, to its
// uncertain ones, or to both; without a body, to the failed ones. It only notes the
// retry on the mailing and queues a task. The task changes the messages.
func (s *server) retryMailing(ctx context.Context, in *struct {
	MailingChange
	Body *RetryBody `required:"false"`
},
) (*retryAnswer, error) {
	failed, uncertain := true, false
	if in.Body != nil && in.Body.Statuses != nil {
		failed = slices.Contains(in.Body.Statuses, string(mailing.Failed))
		uncertain = slices.Contains(in.Body.Statuses, string(mailing.Uncertain))
	}
	var before mailing.Mailing
	answer, err := s.updateMailing(ctx, in.MailingChange, func(m mailing.Mailing) (mailing.Mailing, error) {
		before = m
		return m.Retried(failed, uncertain, s.now())
	})
	if err != nil {
		return nil, err
	}
	body := RetriedMailing{Mailing: answer.Body}
	// The counts are those of the mailing before the retry: a completed mailing holds
	// its final counts itself, and the retry has cleared them.
	progress, err := s.mailings.Progress(ctx, []mailing.Mailing{before})
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
