package mailing

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a mailing's fields.
const (
	// MaxText is the longest text, in characters.
	MaxText = 1600
	// MaxFilterValues is how many operator codes, and how many tags, one filter
	// may name.
	MaxFilterValues = 50
)

// Status is where a mailing is in its life.
type Status string

// The statuses of a mailing. See docs/architecture.md for the picture.
const (
	StatusScheduled Status = "scheduled"
	StatusRunning   Status = "running"
	StatusPaused    Status = "paused"
	StatusCompleted Status = "completed"
	StatusCancelled Status = "cancelled"
)

// Statuses are all statuses of a mailing, in the order of its life.
var Statuses = []Status{ //nolint:gochecknoglobals // a list that nobody changes
	StatusScheduled, StatusRunning, StatusPaused, StatusCompleted, StatusCancelled,
}

// OnUncertain says what to do with a message of which nobody knows whether the
// sending API took it.
type OnUncertain string

const (
	// Resend hands it over again, with the same id.
	Resend OnUncertain = "resend"
	// Stop never risks a second hand-over.
	Stop OnUncertain = "stop"
)

// Filter chooses clients. An empty list matches all; both must match.
type Filter struct {
	OperatorCodes []string
	Tags          []string
}

// Matches reports whether the filter chooses c.
func (f Filter) Matches(c Client) bool {
	return (len(f.OperatorCodes) == 0 || slices.Contains(f.OperatorCodes, c.OperatorCode)) &&
		(len(f.Tags) == 0 || slices.Contains(f.Tags, c.Tag))
}

// Check tells which of the rules of filters f breaks, all together.
func (f Filter) Check() error {
	var p problems
	f.check(&p)
	return p.err("the filter")
}

func (f Filter) equal(g Filter) bool {
	return slices.Equal(f.OperatorCodes, g.OperatorCodes) && slices.Equal(f.Tags, g.Tags)
}

// Draft is what a person decides about a mailing.
type Draft struct {
	Text        string
	StartAt     time.Time
	EndAt       time.Time
	Filter      Filter
	Window      *Window
	OnUncertain OnUncertain
}

// Mailing is a text that goes to every client that a filter chooses, between
// its start (inclusive) and its end (exclusive).
type Mailing struct {
	ID MailingID
	Draft
	Status Status
	// Version goes up with every change that a reader can see.
	Version int64
	// Plan goes up with every edit that moves the instants at which waiting
	// messages may go out (window, end). A batch remembers the plan that it was
	// deferred under: an older one than the mailing's is out of date. PlannedAt is
	// when it last went up.
	Plan      int64
	PlannedAt time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
	// StartedAt is when it began to run: the clients that there are then are its
	// audience. It is the zero time before, and in a mailing that began before it was
	// stored.
	StartedAt time.Time
	// RetriedAt is when a retry was last asked for. FailedRetriedAt is when one of
	// failures was: those that are older get fresh attempts. UncertainRetriedAt is
	// the same for messages whose outcome is uncertain.
	RetriedAt, FailedRetriedAt, UncertainRetriedAt time.Time
	// ResumedAt is when it was last resumed, CancelledAt when it was cancelled or
	// deleted before its end.
	ResumedAt, CancelledAt time.Time
	// PausedBy is why it is paused, "" while it is not. RejectedShare is the part
	// of rejections that it was paused for, 0 to 1.
	PausedBy      PausedBy
	RejectedShare float64
	// ExtendedAt is when the end was last put off while the mailing was under way:
	// batches that were settled before are kept by the earlier end until they are
	// moved.
	ExtendedAt time.Time
	// Finished: all is accounted for, and Counts are final. A cancelled
	// mailing is finished some time after it was cancelled.
	Finished bool
	Counts   Counts
	// Deleted: for the API it is gone; its messages are being cancelled.
	Deleted bool
}

// New is a mailing of a valid draft, still without an id. Times are kept to the
// millisecond, rounded into the interval.
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

// Edit is m as d describes it. While scheduled everything can change; while
// running or paused only text, end and window. A locked field is a
// [KindConflict] only if its value changes.
func (m Mailing) Edit(d Draft, now time.Time) (Mailing, error) {
	d = d.normal()
	if m.Status == StatusCompleted || m.Status == StatusCancelled {
		return Mailing{}, Conflict("a %s mailing cannot be edited", m.Status)
	}
	p := d.problems()
	// An end that stays as it is needs no excuse, even when it has passed.
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
		edited.Plan++
		edited.PlannedAt = now.Truncate(time.Millisecond)
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
