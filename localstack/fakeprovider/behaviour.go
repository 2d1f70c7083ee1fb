package fakeprovider

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// The limits of a behaviour.
const (
	maxWait         = 10 * time.Minute
	maxRetryAfter   = 24 * 60 * 60 // seconds
	maxRejectPhones = 100_000
	defaultHang     = 30 * time.Second // longer than the sender's timeout for a request
)

// Behaviour is how the fake provider treats valid hand-overs. The zero value, apart
// from HangMS, accepts everything at once. Shares are parts of 1 and exclude each
// other: their sum is at most 1.
type Behaviour struct {
	LatencyMS     int      `json:"latency_ms"`     // before each answer: 0 to 600,000
	ErrorShare    float64  `json:"error_share"`    // 503, not accepted
	ThrottleShare float64  `json:"throttle_share"` // 429, not accepted
	RetryAfter    int      `json:"retry_after"`    // seconds, 0 to 86,400; 0: the 429 has no Retry-After
	HangShare     float64  `json:"hang_share"`     // accepted, but without an answer
	HangMS        int      `json:"hang_ms"`        // length of a hang: 0 to 600,000; 30,000 if not given
	ResetShare    float64  `json:"reset_share"`    // accepted, but the connection is reset
	GarbageShare  float64  `json:"garbage_share"`  // accepted, but the answer does not say so
	RejectPhones  []string `json:"reject_phones"`  // 400 for these, each 7XXXXXXXXXX
	Down          bool     `json:"down"`           // 503 for every hand-over, at once
}

// Default returns the behaviour of a new fake provider.
func Default() Behaviour {
	return Behaviour{HangMS: int(defaultHang.Milliseconds()), RejectPhones: []string{}}
}

// errUnreadable marks a body that is not one JSON object. All other errors are about a
// readable body with wrong content.
var errUnreadable = errors.New("the body is not one JSON object")

// readBehaviour reads a whole behaviour. Fields that are left out are as in [Default].
func readBehaviour(r io.Reader) (Behaviour, error) {
	b := Default()
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	err := dec.Decode(&b)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return Behaviour{}, fmt.Errorf("%s: it is of the kind %s, and has to be %s", cmp.Or(wrong.Field, "the body"), wrong.Value, wanted(wrong.Type))
	case err != nil && strings.HasPrefix(err.Error(), "json: unknown field"):
		return Behaviour{}, errors.New(strings.TrimPrefix(err.Error(), "json: ") + ": the known ones are " + known)
	case err != nil:
		return Behaviour{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Behaviour{}, fmt.Errorf("%w: something follows it", errUnreadable)
	}
	if b.RejectPhones == nil {
		b.RejectPhones = []string{}
	}
	return b, b.check()
}

const known = "latency_ms, error_share, throttle_share, retry_after, hang_share, hang_ms, reset_share, garbage_share, reject_phones, down"

// wanted returns JSON's name of the values that a Go type takes.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "an integer"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "an array of strings"
	default:
		return "an object"
	}
}

// check returns all errors together.
func (b Behaviour) check() error {
	var problems []error
	within := func(name string, value, most int) {
		if value < 0 || value > most {
			problems = append(problems, fmt.Errorf("%s is %d: it has to be 0 to %d", name, value, most))
		}
	}
	within("latency_ms", b.LatencyMS, int(maxWait.Milliseconds()))
	within("hang_ms", b.HangMS, int(maxWait.Milliseconds()))
	within("retry_after", b.RetryAfter, maxRetryAfter)
	within("the number of reject_phones", len(b.RejectPhones), maxRejectPhones)

	sum := 0.0
	for _, s := range []struct {
		name  string
		share float64
	}{
		{"error_share", b.ErrorShare},
		{"throttle_share", b.ThrottleShare},
		{"hang_share", b.HangShare},
		{"reset_share", b.ResetShare},
		{"garbage_share", b.GarbageShare},
	} {
		if !(s.share >= 0 && s.share <= 1) {
			problems = append(problems, fmt.Errorf("%s is %v: it has to be 0 to 1", s.name, s.share))
		}
		sum += s.share
	}
	if sum > 1+1e-9 { // 0.1 ten times is slightly more than 1
		problems = append(problems, fmt.Errorf("the shares sum up to %v: they exclude each other, so it has to be at most 1", sum))
	}
	for i, phone := range b.RejectPhones {
		n, err := strconv.ParseInt(phone, 10, 64)
		if err != nil || len(phone) != 11 || !validPhone(n) {
			problems = append(problems, fmt.Errorf("reject_phones[%d] has to be a phone such as 79001234567", i))
		}
	}
	return errors.Join(problems...)
}

// plan is a behaviour in the form that decide needs. It is never changed.
type plan struct {
	Behaviour
	reject map[int64]bool
}

func newPlan(b Behaviour) *plan {
	p := &plan{Behaviour: b, reject: make(map[int64]bool, len(b.RejectPhones))}
	for _, phone := range b.RejectPhones {
		n, _ := strconv.ParseInt(phone, 10, 64) // checked
		p.reject[n] = true
	}
	return p
}

// decide returns the answer to a valid hand-over. draw is a random number from [0, 1).
func (p *plan) decide(phone int64, draw float64) Answer {
	if p.reject[phone] {
		return Invalid
	}
	for _, s := range [...]struct {
		share  float64
		answer Answer
	}{
		{p.ErrorShare, Error},
		{p.ThrottleShare, Throttled},
		{p.HangShare, Hang},
		{p.ResetShare, Reset},
		{p.GarbageShare, Garbage},
	} {
		if draw < s.share {
			return s.answer
		}
		draw -= s.share
	}
	return Accepted
}

func (p *plan) latency() time.Duration { return time.Duration(p.LatencyMS) * time.Millisecond }
func (p *plan) hang() time.Duration    { return time.Duration(p.HangMS) * time.Millisecond }
