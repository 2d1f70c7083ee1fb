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

type mailingAnswer struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body Mailing
}

type mailingCreated struct {
	Repeated
	Location string `header:"Location" doc:"Where the mailing is."`
	ETag     string `header:"ETag" doc:"The version, for If-Match."`
	Body     Mailing
}

type mailingsSearched struct {
	Paging
	Status statusParam `query:"status"`
}

type mailingNamed struct {
	ID idParam `path:"id"`
}

// mailingMatched names a mailing and, optionally, the version that is meant.
type mailingMatched struct {
	Conditional
	ID idParam `path:"id"`
}

func mailingOp(id, method, path, summary string, errs ...int) huma.Operation {
	o := operation(id, method, path, "mailings", summary, errs...)
	if path != mailingsPath {
		o.Parameters = []*huma.Param{idDoc("path", "id", "The mailing's id.")}
	}
	return o
}

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

func (s *server) listMailings(ctx context.Context, in *mailingsSearched) (*struct{ Body List[Mailing] }, error) {
	found, err := s.Mailings.ListMailings(ctx, mailing.MailingQuery{Status: mailing.Status(in.Status), Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	return &struct{ Body List[Mailing] }{listJSON(found, mailingJSON)}, nil
}

type mailingToCreate struct {
	Idempotent
	Body MailingBody
}

func (s *server) createMailing(ctx context.Context, in *mailingToCreate) (*mailingCreated, error) {
	m, repeated, err := once(ctx, s, in.Idempotent, "create-mailing", in.Body,
		func(c mailing.Creation) *mailing.Mailing { return c.Mailing },
		func(o mailing.Once) (mailing.Mailing, error) {
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
	// For a repeated request, too: the first may have ended before it came to it.
	s.queueTasks(ctx, m)
	return &mailingCreated{repeated, location(ctx, mailingsPath, m.ID), etag(m), mailingJSON(m)}, nil
}

func (s *server) getMailing(ctx context.Context, in *mailingNamed) (*mailingAnswer, error) {
	m, err := s.mailing(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &mailingAnswer{etag(m), mailingJSON(m)}, nil
}

// mailing reads one that is not deleted.
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

type mailingReplaced struct {
	Conditional
	ID   idParam `path:"id"`
	Body MailingBody
}

func (s *server) replaceMailing(ctx context.Context, in *mailingReplaced) (*mailingAnswer, error) {
	d, err := in.Body.draft()
	if err != nil {
		return nil, err
	}
	return s.updateMailing(ctx, in.ID, in.Conditional, func(m mailing.Mailing) (mailing.Mailing, error) {
		return m.Edit(d, s.Now())
	})
}

type mailingChanged struct {
	Conditional
	ID   idParam `path:"id"`
	Body Patch[MailingBody]
}

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

func (s *server) deleteMailing(ctx context.Context, in *mailingMatched) (*struct{}, error) {
	_, err := s.updateMailing(ctx, in.ID, in.Conditional, func(m mailing.Mailing) (mailing.Mailing, error) {
		return m.AsDeleted(s.Now()), nil
	})
	return nil, err
}

// updateMailing changes a mailing that is not deleted and whose version is the
// one that is meant, and queues the work that follows from the change.
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

// needsTasks reports whether a change makes work that should not wait for the
// next sweep. A pause makes none: tasks and senders read it themselves.
func needsTasks(before, after mailing.Mailing) bool {
	if after.Finished {
		return false
	}
	moved := after.Plan != before.Plan || !after.StartAt.Equal(before.StartAt)
	turned := after.Status != before.Status && after.Status != mailing.StatusPaused
	return moved || turned || after.Deleted || !after.RetriedAt.Equal(before.RetriedAt)
}

// queueTasks queues the mailing's work. Where that fails the change itself
// stands, and the sweep begins the work within the minute.
func (s *server) queueTasks(ctx context.Context, m mailing.Mailing) {
	if err := s.Tasks.QueueTasks(ctx, m); err != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, "tasks not queued, the sweep will do it", slog.Int64("mailing_id", int64(m.ID)),
			slog.String("request_id", requestID(ctx)), slog.String("error", err.Error()))
	}
}
