package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

const (
	mailingsPath = "/api/mailings"
	mailingPath  = mailingsPath + "/{id}"
)

// Filter chooses clients, in answers. An empty list matches all clients. A client
// must match both lists.
type Filter struct {
	OperatorCodes OperatorCodes `json:"operator_codes" doc:"The operator code of the client is one of these. If the list is empty, any code matches."`
	Tags          []string      `json:"tags" nullable:"false" maxItems:"50" minLength:"1" maxLength:"64" example:"[\"vip\"]" doc:"The tag of the client is one of these. If the list is empty, any tag matches."`
}

// FilterBody chooses clients, in requests.
type FilterBody struct {
	OperatorCodes OperatorCodes `json:"operator_codes,omitempty" doc:"The operator code of the client must be one of these. By default, and if the list is empty or null, any code matches."`
	Tags          Tags          `json:"tags,omitempty" doc:"The tag of the client must be one of these. By default, and if the list is empty or null, any tag matches."`
}

// blanks are the blanks of the domain (those of Unicode), for a class of characters
// in a pattern of Go. The meaning of \s depends on the reader of the pattern. The
// description has the escapes of JSON Schema, see [published].
const blanks = `\x{0009}-\x{000d} \x{0085}\x{00a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`

// Tags are the tags of a filter, in requests.
type Tags []string

// Schema describes the list.
func (Tags) Schema(huma.Registry) *huma.Schema {
	shortest, longest, most := 1, mailing.MaxTag, mailing.MaxFilterValues
	return &huma.Schema{Type: huma.TypeArray, MaxItems: &most, Examples: []any{[]string{"vip"}}, Items: &huma.Schema{
		Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest,
		Pattern:            "^[^" + blanks + "]([\\s\\S]*[^" + blanks + "])?$",
		PatternDescription: "without blanks around it",
	}}
}

// Text is the text of a mailing, in requests.
type Text string

// Schema describes the text.
func (Text) Schema(huma.Registry) *huma.Schema {
	shortest, longest := 1, mailing.MaxText
	return &huma.Schema{
		Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest,
		Pattern: "[^" + blanks + "]", PatternDescription: "more than blanks",
		Examples: []any{"Your order is ready"},
	}
}

// Window is the part of the day of a client in which messages may be sent, in answers.
// If from is after to, the window crosses midnight. A window may be null.
type Window struct {
	From ClockTime `json:"from" example:"09:00"`
	To   ClockTime `json:"to" example:"21:00"`
}

// WindowBody is a window, in requests.
type WindowBody Window

// Schema describes the window.
func (Window) Schema(r huma.Registry) *huma.Schema { return windowSchema(r, "Window") }

// Schema describes the window.
func (WindowBody) Schema(r huma.Registry) *huma.Schema { return windowSchema(r, "WindowBody") }

// windowSchema describes a window in place, because huma's reference to a schema cannot
// be null. The description has it under the name.
func windowSchema(r huma.Registry, name string) *huma.Schema {
	// plain has no Schema method: SchemaFromType would call that of Window again,
	// without end.
	type plain Window
	s := huma.SchemaFromType(r, typeOf[plain]())
	s.Nullable, s.Extensions = true, map[string]any{nameKey: name}
	return s
}

// PausedBy is the reason for a pause, null while the mailing is not paused.
type PausedBy string

// MarshalJSON writes null for "".
func (p PausedBy) MarshalJSON() ([]byte, error) {
	if p == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(p))
}

// Schema describes the reasons and null.
func (PausedBy) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Nullable: true, Enum: []any{string(mailing.ByPerson), string(mailing.ByRejections), nil},
	}
}

// SMS is the size of a text that is sent as SMS.
type SMS struct {
	Encoding string `json:"encoding" enum:"GSM-7,UCS-2"`
	Units    int    `json:"units" minimum:"0" example:"19" doc:"Septets for GSM-7, UTF-16 code units for UCS-2."`
	Segments int    `json:"segments" minimum:"1" example:"1" doc:"The number of short messages."`
}

// Mailing is a mailing, in answers.
type Mailing struct {
	ID          MailingID `json:"id" example:"1" doc:"Set by the service, never used again."`
	Text        string    `json:"text" minLength:"1" maxLength:"1600" example:"Your order is ready"`
	StartAt     Time      `json:"start_at" doc:"No message is sent before this instant."`
	EndAt       Time      `json:"end_at" doc:"No message is sent at or after this instant."`
	Filter      Filter    `json:"filter"`
	Window      *Window   `json:"window" doc:"Local hours of each client. Null means any time."`
	OnUncertain string    `json:"on_uncertain" enum:"resend,stop" doc:"The action for a message whose delivery is unknown."`
	SMS         SMS       `json:"sms" doc:"The size of the text as SMS."`
	Status      Status    `json:"status"`
	PausedBy    PausedBy  `json:"paused_by" doc:"The reason for the pause: a person requested it, or the sending API rejected at least half of 200 or more consecutive messages. Null if the mailing is not paused."`
	Version     int64     `json:"version" minimum:"1" example:"1" doc:"Increases with each change. The ETag has the same number."`
	CreatedAt   Time      `json:"created_at"`
	UpdatedAt   Time      `json:"updated_at"`
}

// MailingBody is a mailing, in requests.
type MailingBody struct {
	Text        Text        `json:"text" doc:"Up to 1,600 characters, not only blanks."`
	StartAt     Time        `json:"start_at" doc:"May be in the past. The mailing then starts at once."`
	EndAt       Time        `json:"end_at" doc:"Must be in the future and after start_at." example:"2030-01-31T18:00:00.000Z"`
	Filter      FilterBody  `json:"filter"`
	Window      *WindowBody `json:"window,omitempty" nullable:"true" doc:"Local hours of each client. By default, and with null, any time."`
	OnUncertain string      `json:"on_uncertain,omitempty" enum:"resend,stop" doc:"The action for a message whose delivery is unknown: resend sends it again, stop never sends it a second time. By default, and with null, resend."`

	ID        ignored `json:"id,omitzero"`
	SMS       ignored `json:"sms,omitzero"`
	Status    ignored `json:"status,omitzero"`
	PausedBy  ignored `json:"paused_by,omitzero"`
	Version   ignored `json:"version,omitzero"`
	CreatedAt ignored `json:"created_at,omitzero"`
	UpdatedAt ignored `json:"updated_at,omitzero"`
}

// mailingJSON returns a mailing as answers have it.
func mailingJSON(m mailing.Mailing) Mailing {
	j := Mailing{
		ID:          MailingID(m.ID),
		Text:        m.Text,
		StartAt:     Time(m.StartAt),
		EndAt:       Time(m.EndAt),
		Filter:      Filter{OperatorCodes: notNil(m.Filter.OperatorCodes), Tags: notNil(m.Filter.Tags)},
		OnUncertain: string(m.OnUncertain),
		SMS:         smsJSON(m.Text),
		Status:      Status(m.Status),
		Version:     m.Version,
		CreatedAt:   Time(m.CreatedAt),
		UpdatedAt:   Time(m.UpdatedAt),
	}
	if m.Window != nil {
		j.Window = &Window{From: ClockTime(m.Window.From.String()), To: ClockTime(m.Window.To.String())}
	}
	if m.Status == mailing.StatusPaused {
		// A paused mailing without a stored reason was paused by a person.
		j.PausedBy = PausedBy(cmp.Or(m.PausedBy, mailing.ByPerson))
	}
	return j
}

// smsJSON returns the size of a text as SMS.
func smsJSON(text string) SMS {
	sms := mailing.NewSMS(text)
	return SMS{Encoding: string(sms.Encoding), Units: sms.Units, Segments: sms.Segments}
}

// notNil returns s, or an empty slice for nil: JSON writes it as [].
func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// mailingBody returns the part of a mailing that a request can set, as the base of
// a patch.
func mailingBody(m mailing.Mailing) MailingBody {
	j := mailingJSON(m)
	return MailingBody{
		Text: Text(j.Text), StartAt: j.StartAt, EndAt: j.EndAt,
		Filter: FilterBody{OperatorCodes: j.Filter.OperatorCodes, Tags: j.Filter.Tags}, Window: (*WindowBody)(j.Window),
		OnUncertain: j.OnUncertain,
	}
}

// draft returns the draft that a request describes. The body must have passed its
// schema. All further errors are reported together.
func (b MailingBody) draft() (mailing.Draft, error) {
	d := mailing.Draft{
		Text:        string(b.Text),
		StartAt:     time.Time(b.StartAt),
		EndAt:       time.Time(b.EndAt),
		Filter:      b.Filter.filter(),
		OnUncertain: mailing.OnUncertain(b.OnUncertain),
	}
	var fields []mailing.Field
	for _, t := range []struct {
		location string
		at       time.Time
	}{{"body.start_at", d.StartAt}, {"body.end_at", d.EndAt}} {
		// RFC 3339 has years of four digits. An offset can move a time out of them.
		if y := t.at.UTC().Year(); y < 1 || y > 9999 {
			fields = append(fields, mailing.Field{Location: t.location, Message: "must be in the years 1 to 9999 of UTC"})
		}
	}
	if b.Window != nil {
		from, fromErr := mailing.ParseClockTime(string(b.Window.From))
		to, toErr := mailing.ParseClockTime(string(b.Window.To))
		if errors.Join(fromErr, toErr) != nil {
			fields = append(fields, mailing.Field{Location: "body.window", Message: "from and to must be times as HH:MM"})
		}
		d.Window = &mailing.Window{From: from, To: to}
	}
	if len(fields) > 0 {
		return mailing.Draft{}, &mailing.Error{Kind: mailing.KindInvalid, Message: invalidMailing, Fields: fields}
	}
	return d, nil
}

const invalidMailing = "the mailing is not valid"

// filter returns the filter that a request describes.
func (f FilterBody) filter() mailing.Filter {
	return mailing.Filter{OperatorCodes: f.OperatorCodes, Tags: f.Tags}
}

// exampleMailing returns the mailing of the examples before its start.
func exampleMailing() Mailing {
	return Mailing{
		ID: 1, Text: "Your order is ready", StartAt: exampleAt(30), EndAt: exampleAt(12 * 60),
		Filter:      Filter{OperatorCodes: OperatorCodes{}, Tags: []string{"vip"}},
		Window:      &Window{From: "09:00", To: "21:00"},
		OnUncertain: string(mailing.Resend), SMS: smsJSON("Your order is ready"),
		Status:  Status(mailing.StatusScheduled),
		Version: 1, CreatedAt: exampleAt(0), UpdatedAt: exampleAt(0),
	}
}

// exampleMailingBody returns the request that creates the mailing.
func exampleMailingBody() MailingBody {
	m := exampleMailing()
	return MailingBody{
		Text: Text(m.Text), StartAt: m.StartAt, EndAt: m.EndAt, Filter: FilterBody{Tags: m.Filter.Tags},
		Window: (*WindowBody)(m.Window),
	}
}

// exampleMailingIn returns the mailing in a later status and version.
func exampleMailingIn(status mailing.Status, version int64) Mailing {
	m := exampleMailing()
	m.Status, m.Version, m.UpdatedAt = Status(status), version, exampleAt(40)
	if status == mailing.StatusPaused {
		m.PausedBy = PausedBy(mailing.ByPerson)
	}
	return m
}

const (
	changedMailing = "The changed mailing."
	// busyMailing and busyDetail are texts of the error if other writers are
	// first each time.
	busyMailing = "other requests keep changing it (then repeat the request)"
	busyDetail  = "others keep changing this mailing: try again"
)

// invalidMailingText returns the text for 422 of operations that create or change a
// mailing.
func invalidMailingText() errorText {
	return errorText{
		when: "The id is not an integer, a field of the body is missing, unknown or invalid, or fields " +
			"contradict each other: `end_at` must be in the future and after `start_at`, and `from` and `to` " +
			"of a window must differ. `errors` lists the invalid fields.",
		detail: invalidMailing, fields: []FieldError{{"body.end_at", "must be after start_at"}},
	}
}

// routeMailings registers the operations that list, create, read and delete
// mailings.
func (s *server) routeMailings() {
	register(s, operation{
		id: "list-mailings", method: http.MethodGet, path: mailingsPath, tag: mailingsTag,
		summary: "List and search mailings",
		about:   "Returns mailings, newest first, without deleted ones.", success: "A page of mailings.",
		answer: List[Mailing]{Items: []Mailing{exampleMailing()}},
	}, s.listMailings)
	register(s, operation{
		id: "create-mailing", method: http.MethodPost, path: mailingsPath, tag: mailingsTag,
		summary: "Create a mailing",
		about: "Creates a mailing. It starts within seconds after `start_at`, or at once if that is in the " +
			"past. Each client that matches the filter at that time gets one message. The filter `{}` matches " +
			"all clients. With a `window`, each message is sent in that part of the day of its client. A " +
			"message that is not sent before `end_at` ends as `expired`.",
		request: exampleMailingBody(), status: http.StatusCreated, success: "The mailing, with its id.",
		answer: exampleMailing(),
		errors: map[int]errorText{
			http.StatusUnprocessableEntity: invalidMailingText(),
			http.StatusConflict: {
				when: "Other requests keep creating mailings at this moment. Nothing was created. Repeat the " +
					"request.",
				detail: "others keep creating mailings at the same time: try again",
			},
		},
		links: map[string]string{
			"get-mailing": "id", "replace-mailing": "id", "change-mailing": "id", "delete-mailing": "id",
			"get-mailing-statistics": "id",
			"pause-mailing":          "id", "resume-mailing": "id", "cancel-mailing": "id", "retry-mailing": "id",
			"test-mailing":    "id",
			"export-messages": "id", "list-messages": "mailing_id", "redrive-dead-letters": "mailing_id",
		},
	}, s.createMailing)
	register(s, operation{
		id: "get-mailing", method: http.MethodGet, path: mailingPath, tag: mailingsTag, summary: "Read a mailing",
		about:   "Returns one mailing. Its counts are in `GET /api/mailings/{id}/info`.",
		success: "The mailing.", answer: exampleMailing(),
	}, s.getMailing)
	register(s, operation{
		id: "delete-mailing", method: http.MethodDelete, path: mailingPath, tag: mailingsTag,
		summary: "Cancel and delete a mailing",
		about: "Deletes a mailing in any status. A mailing that has not ended is cancelled first. After that, " +
			"the mailing, its statistics and its messages are 404, and no list and no sum includes it.",
		success: "The mailing is deleted.",
		errors: map[int]errorText{http.StatusConflict: {
			when: "Other requests keep changing this mailing. Repeat the request.", detail: busyDetail,
		}},
	}, s.deleteMailing)
}

// routeEdits registers the operations that edit a mailing.
func (s *server) routeEdits() {
	const editing = "A scheduled mailing can be changed in all fields. A running or paused mailing can be " +
		"changed in `text`, `end_at` and `window`, which apply to the messages that are not yet sent. A locked " +
		"field may be sent if its value stays the same."
	errs := map[int]errorText{
		http.StatusUnprocessableEntity: invalidMailingText(),
		http.StatusConflict: {
			when: "The mailing is completed or cancelled, it has started and a locked field would change (`start_at`, " +
				"`filter`, `on_uncertain`), or " + busyMailing + ". Nothing was changed.",
			detail: "filter cannot be changed once the mailing is running",
		},
	}
	register(s, operation{
		id: "replace-mailing", method: http.MethodPut, path: mailingPath, tag: mailingsTag,
		summary: "Replace a mailing",
		about: "Replaces all fields of a mailing. Fields that are left out are reset: no window, and `on_uncertain` is " +
			"resend. " + editing,
		request: exampleMailingBody(), success: changedMailing,
		answer: exampleMailingIn(mailing.StatusScheduled, 2), errors: errs,
	}, s.replaceMailing)
	register(s, operation{
		id: "change-mailing", method: http.MethodPatch, path: mailingPath, tag: mailingsTag,
		summary: "Change a mailing",
		about: "Changes the fields that the body names (JSON merge patch). A window of null is removed, and an " +
			"`on_uncertain` of null becomes resend. " + editing,
		body:    patchBody[MailingBody](s),
		request: map[string]any{"text": "Your order is ready", "window": map[string]any{"to": "20:00"}},
		success: changedMailing, answer: exampleMailingIn(mailing.StatusScheduled, 2), errors: errs,
	}, s.changeMailing)
}

// MailingFilters is the input of a list of mailings.
type MailingFilters struct {
	Paging
	Status Status `query:"status" doc:"Only mailings with this status."`
}

// query returns the query for one page of mailings.
func (f MailingFilters) query() mailing.MailingQuery {
	return mailing.MailingQuery{Status: mailing.Status(f.Status), Limit: f.Limit, Cursor: f.Cursor}
}

// listMailings returns one page of mailings, newest first.
func (s *server) listMailings(ctx context.Context, in *MailingFilters) (*struct{ Body List[Mailing] }, error) {
	found, err := s.mailings.ListMailings(ctx, in.query())
	if err != nil {
		return nil, err
	}
	return &struct{ Body List[Mailing] }{listJSON(found, mailingJSON)}, nil
}

// createdMailing is the answer to a creation.
type createdMailing struct {
	Repeated
	Location string `header:"Location" doc:"The URL of the mailing."`
	ETag     string `header:"ETag" doc:"The version, for If-Match."`
	Body     Mailing
}

// createMailing creates a mailing, once for each idempotency key, and queues its
// first task unless the start is too far ahead for the queue.
func (s *server) createMailing(ctx context.Context, in *struct {
	Idempotent
	Body MailingBody
},
) (*createdMailing, error) {
	m, repeated, err := idempotently(ctx, s, in.Idempotent, "create-mailing", in.Body,
		func(c mailing.Creation) *mailing.Mailing { return c.Mailing },
		func(key mailing.Idempotency) (mailing.Mailing, error) {
			d, err := in.Body.draft()
			if err != nil {
				return mailing.Mailing{}, err
			}
			m, err := mailing.New(d, s.now())
			if err != nil {
				return m, err
			}
			return s.mailings.CreateMailing(ctx, m, key)
		})
	if err != nil {
		return nil, err
	}
	logID(ctx, "mailing_id", m.ID)
	// This is done for a repeated request too: the first one may have ended after
	// it stored the mailing and before it queued the task. A second task does no
	// harm.
	s.queueTasks(ctx, m)
	return &createdMailing{repeated, location(ctx, mailingsPath, m.ID), etag(m), mailingJSON(m)}, nil
}

// mailingAnswer is an answer that holds one mailing.
type mailingAnswer struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body Mailing
}

// MailingInput is the input of an operation that reads one mailing.
type MailingInput struct {
	ID idParam `path:"id" doc:"The id of the mailing."`
}

// MailingChange is the input of an operation that changes a mailing: its id and,
// optionally, the version that the caller has read.
type MailingChange struct {
	MailingInput
	Conditional
}

// getMailing returns one mailing.
func (s *server) getMailing(ctx context.Context, in *MailingInput) (*mailingAnswer, error) {
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
	m, err := s.mailings.Mailing(ctx, id)
	if err == nil && m.Deleted {
		err = mailing.NotFound("mailing")
	}
	return m, err
}

// replaceMailing replaces all fields of a mailing. Fields that the body leaves out
// get their defaults.
func (s *server) replaceMailing(ctx context.Context, in *struct {
	MailingChange
	Body MailingBody
},
) (*mailingAnswer, error) {
	d, err := in.Body.draft()
	if err != nil {
		return nil, err
	}
	return s.updateMailing(ctx, in.MailingChange, func(m mailing.Mailing) (mailing.Mailing, error) {
		return m.Edit(d, s.now())
	})
}

// changeMailing applies a merge patch to a mailing. The patch is applied within the
// update, so that it always changes the version that is then replaced.
func (s *server) changeMailing(ctx context.Context, in *struct {
	MailingChange
	Body Patch[MailingBody]
},
) (*mailingAnswer, error) {
	return s.updateMailing(ctx, in.MailingChange, func(m mailing.Mailing) (mailing.Mailing, error) {
		body, err := in.Body.applied(s.schemas(), mailingBody(m))
		if err != nil {
			return m, err
		}
		d, err := body.draft()
		if err != nil {
			return m, err
		}
		return m.Edit(d, s.now())
	})
}

// deleteMailing marks a mailing as deleted. A mailing that has not ended is
// cancelled by that, and its messages are accounted for later.
func (s *server) deleteMailing(ctx context.Context, in *MailingChange) (*struct{}, error) {
	_, err := s.updateMailing(ctx, *in, func(m mailing.Mailing) (mailing.Mailing, error) {
		return m.AsDeleted(s.now()), nil
	})
	return nil, err
}

// updateMailing changes a mailing and queues the work that follows from the change.
// A deleted mailing is not found, and a version that If-Match does not allow is
// stale.
//
// The store writes only if no other writer was first. Otherwise it starts again
// with the mailing as it is then. So the condition is checked against the very
// version that is replaced, and change may run several times.
func (s *server) updateMailing(ctx context.Context, in MailingChange,
	change func(mailing.Mailing) (mailing.Mailing, error),
) (*mailingAnswer, error) {
	id, err := in.ID.mailing()
	if err != nil {
		return nil, err
	}
	var before mailing.Mailing
	after, err := s.mailings.UpdateMailing(ctx, id, func(m mailing.Mailing) (mailing.Mailing, error) {
		if m.Deleted {
			return m, mailing.NotFound("mailing")
		}
		if err := in.check(m); err != nil {
			return m, err
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
// sweep: a moved start, a new generation, a new status other than paused, a
// deletion, or a retry. A pause makes no work, because tasks and senders read the
// status themselves.
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
	if err := s.tasks.QueueTasks(ctx, m); err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "tasks not queued: the sweep will queue them", slog.Int64("mailing_id", int64(m.ID)), failure(ctx, err))
	}
}
