package api

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

const (
	mailingsPath = "/api/mailings"
	mailingPath  = mailingsPath + "/{id}"
)

// mailingAnswer is an answer that holds one mailing.
type mailingAnswer struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body Mailing
}

// mailingCreated is the answer to a creation.
type mailingCreated struct {
	Repeated
	Location string `header:"Location" doc:"Where the mailing is."`
	ETag     string `header:"ETag" doc:"The version, for If-Match."`
	Body     Mailing
}

// mailingsSearched is the input of a list of mailings.
type mailingsSearched struct {
	Paging
	Status statusParam `query:"status"`
}

// mailingNamed is the input of an operation that reads one mailing.
type mailingNamed struct {
	ID idParam `path:"id"`
}

// mailingMatched is the input of an operation that changes a mailing without a
// body: its id and, optionally, the version that the caller means.
type mailingMatched struct {
	Conditional
	ID idParam `path:"id"`
}

// mailingOp returns an operation on mailings. It describes the id in the path.
func mailingOp(id, method, path, summary string, errs ...int) huma.Operation {
	o := operation(id, method, path, "mailings", summary, errs...)
	if path != mailingsPath {
		o.Parameters = []*huma.Param{idDoc("path", "id", "The mailing's id.")}
	}
	return o
}

// routeMailings registers the operations that create, read, change and delete
// mailings.
func (s *server) routeMailings() {
	handle(s, mailingOp("list-mailings", http.MethodGet, mailingsPath, "List and search mailings", http.StatusBadRequest), s.listMailings)
	create := mailingOp("create-mailing", http.MethodPost, mailingsPath, "Create a mailing",
		http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	create.DefaultStatus = http.StatusCreated
	handle(s, create, s.createMailing)
	handle(s, mailingOp("get-mailing", http.MethodGet, mailingPath, "Read a mailing", http.StatusNotFound), s.getMailing)
	changeErrs := []int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
	}
	handle(s, mailingOp("replace-mailing", http.MethodPut, mailingPath, "Replace a mailing", changeErrs...), s.replaceMailing)
	patch := mailingOp("change-mailing", http.MethodPatch, mailingPath, "Change a mailing", changeErrs...)
	patch.RequestBody = patchBody[MailingBody](s)
	handle(s, patch, s.changeMailing)
	handle(s, mailingOp("delete-mailing", http.MethodDelete, mailingPath, "Delete a mailing, cancelling it first",
		http.StatusNotFound, http.StatusPreconditionFailed), s.deleteMailing)
}

// listMailings returns one page of mailings, newest first.
func (s *server) listMailings(ctx context.Context, in *mailingsSearched) (*struct{ Body List[Mailing] }, error) {
	found, err := s.Mailings.ListMailings(ctx, mailing.MailingQuery{Status: mailing.Status(in.Status), Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return &struct{ Body List[Mailing] }{listJSON(found, mailingJSON)}, nil
}

// mailingToCreate is the input of a creation.
type mailingToCreate struct {
	Idempotent
	Body MailingBody
}

// createMailing creates a mailing, once for each idempotency key, and queues its
// first task unless the start is too far ahead for the queue.
func (s *server) createMailing(ctx context.Context, in *mailingToCreate) (*mailingCreated, error) {
	m, repeated, err := idempotently(ctx, s, in.Idempotent, "create-mailing", in.Body,
		func(c mailing.Creation) *mailing.Mailing { return c.Mailing },
		func(o mailing.Idempotency) (mailing.Mailing, error) {
			d, err := in.Body.draft()
			if err != nil {
				return mailing.Mailing{}, err
			}
			m, err := mailing.New(d, s.Now())
			if err != nil {
				return m, err
			}
			return s.Mailings.CreateMailing(ctx, m, o)
		})
	if err != nil {
		return nil, err
	}
	made(ctx, "mailing_id", m.ID)
	// This is done for a repeated request too: the first one may have ended after
	// it stored the mailing and before it queued the task. A second task does no
	// harm.
	s.queueTasks(ctx, m)
	return &mailingCreated{repeated, location(ctx, mailingsPath, m.ID), etag(m), mailingJSON(m)}, nil
}

// getMailing returns one mailing.
func (s *server) getMailing(ctx context.Context, in *mailingNamed) (*mailingAnswer, error) {
	m, err := s.mailing(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &mailingAnswer{etag(m), mailingJSON(m)}, nil
}

// mailing reads a mailing. The store keeps deleted mailings; to a caller they do
// not exist.
func (s *server) mailing(ctx context.Context, param idParam) (mailing.Mailing, error) {
	id, err := param.mailing()
	if err != nil {
		return mailing.Mailing{}, err
	}
	m, err := s.Mailings.Mailing(ctx, id)
	if err == nil && m.Deleted {
		err = mailing.NotFound("mailing")
	}
	return m, err
}

// mailingReplaced is the input of a PUT.
type mailingReplaced struct {
	Conditional
	ID   idParam `path:"id"`
	Body MailingBody
}

// replaceMailing replaces all fields of a mailing. Fields that the body leaves out
// get their defaults.
func (s *server) replaceMailing(ctx context.Context, in *mailingReplaced) (*mailingAnswer, error) {
	d, err := in.Body.draft()
	if err != nil {
		return nil, err
	}
	return s.updateMailing(ctx, in.ID, in.Conditional, func(m mailing.Mailing) (mailing.Mailing, error) {
		return m.Edit(d, s.Now())
	})
}

// mailingChanged is the input of a PATCH.
type mailingChanged struct {
	Conditional
	ID   idParam `path:"id"`
	Body Patch[MailingBody]
}

// changeMailing applies a merge patch to a mailing. The patch is applied within the
// update, so that it always changes the version that is then replaced.
func (s *server) changeMailing(ctx context.Context, in *mailingChanged) (*mailingAnswer, error) {
	return s.updateMailing(ctx, in.ID, in.Conditional, func(m mailing.Mailing) (mailing.Mailing, error) {
		body, err := in.Body.applied(s.schemas(), mailingBody(m))
		if err != nil {
			return m, err
		}
		d, err := body.draft()
		if err != nil {
			return m, err
		}
		return m.Edit(d, s.Now())
	})
}

// deleteMailing marks a mailing as deleted. A mailing that has not ended is
// cancelled by that, and its messages are accounted for later.
func (s *server) deleteMailing(ctx context.Context, in *mailingMatched) (*struct{}, error) {
	_, err := s.updateMailing(ctx, in.ID, in.Conditional, func(m mailing.Mailing) (mailing.Mailing, error) {
		return m.AsDeleted(s.Now()), nil
	})
	return nil, err
}

// updateMailing changes a mailing and queues the work that follows from the change.
// A deleted mailing is not found, and a version that the condition does not allow
// is stale.
//
// The store writes only if no other writer was first. Otherwise it starts again
// with the mailing as it is then. So the condition is checked against the very
// version that is replaced, and change may run several times.
func (s *server) updateMailing(ctx context.Context, param idParam, condition Conditional, change func(mailing.Mailing) (mailing.Mailing, error)) (*mailingAnswer, error) {
	id, err := param.mailing()
	if err != nil {
		return nil, err
	}
	var before mailing.Mailing
	after, err := s.Mailings.UpdateMailing(ctx, id, func(m mailing.Mailing) (mailing.Mailing, error) {
		if m.Deleted {
			return m, mailing.NotFound("mailing")
		}
		if !condition.allows(m) {
			return m, mailing.Stale()
		}
		// The last call decides: its mailing is the one that was replaced.
		before = m
		return change(m)
	})
	if err != nil {
		return nil, err
	}
	if needsTasks(before, after) {
		s.queueTasks(ctx, after)
	}
	return &mailingAnswer{etag(after), mailingJSON(after)}, nil
}

// needsTasks reports whether a change makes work that should not wait for the next
// sweep: a moved start, a new generation, a new status other than paused, a deletion, or a
// retry. A pause makes no work, because tasks and senders read the status
// themselves.
func needsTasks(before, after mailing.Mailing) bool {
	if after.Finished {
		return false
	}
	moved := after.Generation != before.Generation || !after.StartAt.Equal(before.StartAt)
	turned := after.Status != before.Status && after.Status != mailing.StatusPaused
	return moved || turned || after.Deleted || !after.RetriedAt.Equal(before.RetriedAt)
}

// queueTasks queues a task for the mailing. An error is only logged: the change is
// stored, and the sweep begins the work within a minute.
func (s *server) queueTasks(ctx context.Context, m mailing.Mailing) {
	if err := s.Tasks.QueueTasks(ctx, m); err != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, "tasks not queued, the sweep will do it", slog.Int64("mailing_id", int64(m.ID)),
			slog.String("request_id", requestID(ctx)), slog.String("error", err.Error()))
	}
}
