package mailing

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxTag is the maximum length of a tag, in characters.
	MaxTag = 64
	// ZoneRule is the rule that an error states for a time zone.
	ZoneRule = "must be the name of a zone of the IANA database, such as Europe/Moscow"
)

// Client is one person in the directory.
type Client struct {
	ID           ClientID
	Phone        string
	OperatorCode string
	Tag          string
	// Timezone is a name of the IANA database.
	Timezone string
	// ZoneSince is when Timezone was last changed, the zero time if it never was. The
	// store sets it.
	ZoneSince time.Time
	// GoneAt is when the client was deleted, the zero time if it was not.
	GoneAt time.Time
}

var (
	phonePattern    = regexp.MustCompile(`^7[0-9]{10}$`)
	operatorPattern = regexp.MustCompile(`^[0-9]{3}$`)
)

// DerivedOperator returns the code of the operator to which a phone number was first
// assigned: digits 2 to 4 of the number. Numbers are portable, so the code is only a
// default. It is "" if the phone is too short.
func DerivedOperator(phone string) string {
	if len(phone) < 4 {
		return ""
	}
	return phone[1:4]
}

// NewClient checks c and fills in its optional fields: it trims the tag, and derives an
// absent operator code from the phone. The error lists all rules that c breaks.
func NewClient(c Client) (Client, error) {
	var p problems
	checkPhone(&p, c.Phone)
	if c.OperatorCode == "" {
		c.OperatorCode = DerivedOperator(c.Phone)
	} else if !operatorPattern.MatchString(c.OperatorCode) {
		p.add("body.operator_code", "must be 3 digits")
	}
	c.Tag = strings.TrimSpace(c.Tag)
	if utf8.RuneCountInString(c.Tag) > MaxTag {
		p.add("body.tag", "must be at most %d characters", MaxTag)
	}
	if _, err := Zone(c.Timezone); err != nil {
		p.add("body.timezone", ZoneRule)
	}
	return c, p.err("the client")
}

func checkPhone(p *problems, phone string) {
	if !phonePattern.MatchString(phone) {
		p.add("body.phone", "must be 11 digits that start with 7")
	}
}

// WithPhone returns c with another phone. The operator code changes with the phone only
// if it was the code that the old phone implies. Any other code stays as it was set.
func (c Client) WithPhone(phone string) Client {
	if c.OperatorCode == DerivedOperator(c.Phone) {
		c.OperatorCode = DerivedOperator(phone)
	}
	c.Phone = phone
	return c
}

// Zone loads a time zone by its IANA name. The error is [KindInvalid] for "", for "Local",
// and for any other string that is not such a name.
func Zone(name string) (*time.Location, error) {
	// LoadLocation returns UTC for "", and the machine's own zone for "Local".
	if name == "" || name == "Local" {
		return nil, &Error{Kind: KindInvalid, Message: "unknown time zone"}
	}
	if loc, ok := zones.get(name); ok {
		return loc, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, &Error{Kind: KindInvalid, Message: "unknown time zone", Err: err}
	}
	zones.put(name, loc)
	return loc, nil
}
