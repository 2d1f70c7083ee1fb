package mailing

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a mailing's fields.
const (
	// MaxText is the maximum length of a text, in characters.
	MaxText = 1600
	// MaxFilterValues is the maximum number of operator codes, and of tags, in one
	// filter.
	MaxFilterValues = 50
)

// Status is the stage of a mailing's life.
type Status string

// The statuses of a mailing. docs/architecture.md has a diagram of them.
const (
	StatusScheduled Status = "scheduled"
	StatusRunning   Status = "running"
	StatusPaused    Status = "paused"
	StatusCompleted Status = "completed"
	StatusCancelled Status = "cancelled"
)

// Statuses holds all statuses of a mailing, in the order of its life.
var Statuses = []Status{ //nolint:gochecknoglobals // a list that no code changes
	StatusScheduled, StatusRunning, StatusPaused, StatusCompleted, StatusCancelled,
}

// OnUncertain says what to do with a message whose outcome is unknown: the sending API
// may have accepted it.
type OnUncertain string

const (
	// Resend means that the message is handed over again, with the same id.
	Resend OnUncertain = "resend"
	// Stop means that the message is never handed over again.
	Stop OnUncertain = "stop"
)

// Filter chooses clients. An empty list matches every client. A client must match both
// lists.
type Filter struct {
	OperatorCodes []string
	Tags          []string
}

// Matches reports whether the filter chooses c.
func (f Filter) Matches(c Client) bool {
	return (len(f.OperatorCodes) == 0 || slices.Contains(f.OperatorCodes, c.OperatorCode)) &&
		(len(f.Tags) == 0 || slices.Contains(f.Tags, c.Tag))
}

// Check returns an error that lists all rules of filters that f breaks.
func (f Filter) Check() error {
	var p problems
	f.check(&p)
	return p.err("the filter")
}

func (f Filter) equal(g Filter) bool {
	return slices.Equal(f.OperatorCodes, g.OperatorCodes) && slices.Equal(f.Tags, g.Tags)
}

// Draft is the part of a mailing that its author decides.
type Draft struct {
	Text        string
	StartAt     time.Time
	EndAt       time.Time
	Filter      Filter
	Window      *Window
	OnUncertain OnUncertain
}

// Mailing is a text that goes to every client that a filter chooses, between its start
// (inclusive) and its end (exclusive).
type Mailing struct {
	ID ID
	Draft
	Status Status
	// Version goes up with every change that a reader can see.
	Version int64
	// Generation goes up with every edit that moves the instants at which waiting messages
	// may go out (window, end). A batch stores the generation under which it was deferred;
	// if that is older than the mailing's, its waiting times are out of date.
	// GenerationAt is when Generation last went up.
	Generation   int64
	GenerationAt time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
	// StartedAt is when the mailing began to run. Its audience is the clients
	// that existed at that instant. It is the zero time before the start, and
	// in mailings that began before this field was stored.
	StartedAt time.Time
	// RetriedAt is when a retry was last requested. FailedRetriedAt is when a retry of
	// failed messages was last requested: messages that failed up to then get fresh
	// attempts. UncertainRetriedAt is the same for uncertain messages.
	RetriedAt, FailedRetriedAt, UncertainRetriedAt time.Time
	// ResumedAt is when the mailing was last resumed. CancelledAt is when it was
	// cancelled, or deleted before its end.
	ResumedAt, CancelledAt time.Time
	// PausedBy is the reason for the pause, "" while the mailing is not paused.
	// RejectedShare is the share of rejections that caused the pause, 0 to 1.
	PausedBy      PausedBy
	RejectedShare float64
	// ExtendedAt is when the end was last moved to a later instant while the mailing was
	// running or paused. Batches that were settled before expire by the earlier end until
	// they get a longer time to live.
	ExtendedAt time.Time
	// Finished is true once every message is accounted for and Counts are final. A
	// cancelled mailing is finished some time after its cancellation.
	Finished bool
	Counts   Counts
	// Deleted is true once the API no longer shows the mailing. Its pending messages are
	// then cancelled.
	Deleted bool
}

// New returns a mailing for a valid draft, without an id. The start is rounded up to a
// millisecond, and the end is rounded down.
func New(d Draft, now time.Time) (Mailing, error) {
	d = d.normal()
	p := d.problems()
	if !d.EndAt.After(now) {
		p.add("body.end_at", "must be in the future")
	}
	if err := p.err("the mailing"); err != nil {
		return Mailing{}, err
	}
	now = now.Truncate(time.Millisecond)
	return Mailing{Draft: d, Status: StatusScheduled, Version: 1, CreatedAt: now, UpdatedAt: now}, nil
}

// Edit returns m as d describes it. While it is scheduled, every field can change; while
// it is running or paused, only text, end and window. The error is [KindConflict] if the
// value of a locked field differs.
func (m Mailing) Edit(d Draft, now time.Time) (Mailing, error) {
	d = d.normal()
	if m.Status == StatusCompleted || m.Status == StatusCancelled {
		return Mailing{}, Conflict("a %s mailing cannot be edited", m.Status)
	}
	p := d.problems()
	// An unchanged end may be in the past.
	if !d.EndAt.Equal(m.EndAt) && !d.EndAt.After(now) {
		p.add("body.end_at", "must be in the future")
	}
	if err := p.err("the mailing"); err != nil {
		return Mailing{}, err
	}
	if m.Status != StatusScheduled {
		if locked := m.lockedChanges(d); len(locked) > 0 {
			return Mailing{}, Conflict("%s cannot be changed once the mailing is %s", strings.Join(locked, ", "), m.Status)
		}
	}
	edited := m
	edited.Draft = d
	if !d.EndAt.Equal(m.EndAt) || !equalWindows(d.Window, m.Window) {
		edited.Generation++
		edited.GenerationAt = now.Truncate(time.Millisecond)
	}
	return edited.extended(m.EndAt, now).changed(now), nil
}

func (m Mailing) lockedChanges(d Draft) []string {
	var locked []string
	if !d.StartAt.Equal(m.StartAt) {
		locked = append(locked, "start_at")
	}
	if !d.Filter.equal(m.Filter) {
		locked = append(locked, "filter")
	}
	if d.OnUncertain != m.OnUncertain {
		locked = append(locked, "on_uncertain")
	}
	return locked
}

func equalWindows(a, b *Window) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func (d Draft) normal() Draft {
	if floor := d.StartAt.Truncate(time.Millisecond); floor.Before(d.StartAt) {
		d.StartAt = floor.Add(time.Millisecond)
	}
	d.StartAt, d.EndAt = d.StartAt.UTC(), d.EndAt.Truncate(time.Millisecond).UTC()
	if d.OnUncertain == "" {
		d.OnUncertain = Resend
	}
	return d
}

func (d Draft) problems() problems {
	var p problems
	if n := utf8.RuneCountInString(d.Text); n > MaxText || strings.TrimSpace(d.Text) == "" {
		p.add("body.text", "must be 1 to %d characters and not blank", MaxText)
	}
	if d.StartAt.IsZero() {
		p.add("body.start_at", "is required")
	}
	if d.EndAt.IsZero() {
		p.add("body.end_at", "is required")
	} else if !d.EndAt.After(d.StartAt) {
		p.add("body.end_at", "must be after start_at")
	}
	d.Filter.check(&p)
	if d.Window != nil && d.Window.From == d.Window.To {
		p.add("body.window", "from and to must differ")
	}
	if d.OnUncertain != Resend && d.OnUncertain != Stop {
		p.add("body.on_uncertain", "must be one of resend, stop")
	}
	return p
}

func (f Filter) check(p *problems) {
	if len(f.OperatorCodes) > MaxFilterValues {
		p.add("body.filter.operator_codes", "must be at most %d entries", MaxFilterValues)
	}
	for _, code := range f.OperatorCodes {
		if !operatorPattern.MatchString(code) {
			p.add("body.filter.operator_codes", "each must be 3 digits")
			break
		}
	}
	if len(f.Tags) > MaxFilterValues {
		p.add("body.filter.tags", "must be at most %d entries", MaxFilterValues)
	}
	for _, tag := range f.Tags {
		if tag == "" || tag != strings.TrimSpace(tag) || utf8.RuneCountInString(tag) > MaxTag {
			p.add("body.filter.tags", "each must be 1 to %d characters without blanks around them", MaxTag)
			break
		}
	}
}

func (m Mailing) changed(now time.Time) Mailing {
	m.Version++
	m.UpdatedAt = now.Truncate(time.Millisecond)
	return m
}
