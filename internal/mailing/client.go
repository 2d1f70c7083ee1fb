package mailing

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxTag is the longest tag, in characters.
	MaxTag = 64
	// ZoneRule is what a time zone must be.
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
	// ZoneSince is when Timezone was last changed, the zero time if it never was.
	// The store keeps it.
	ZoneSince time.Time
	// GoneAt is when the client was deleted, the zero time if it was not.
	GoneAt time.Time
}

var (
	phonePattern    = regexp.MustCompile(`^7[0-9]{10}$`)
	operatorPattern = regexp.MustCompile(`^[0-9]{3}$`)
)

// DerivedOperator is the operator code that a phone was first given out with:
// its digits 2 to 4. Numbers are portable, so it is only a default. A phone
// too short to hold one gives "".
func DerivedOperator(phone string) string {
	if len(phone) < 4 {
		return ""
	}
	return phone[1:4]
}

// NewClient checks c and fills in what may be left out: the tag is trimmed and
// an absent operator code is derived from the phone. All broken rules are told
// together.
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

// WithPhone is c with another phone. The operator code follows only where it
// was the one that the old phone implies: one that was set stays.
func (c Client) WithPhone(phone string) Client {
	if c.OperatorCode == DerivedOperator(c.Phone) {
		c.OperatorCode = DerivedOperator(phone)
	}
	c.Phone = phone
	return c
}

// Zone loads a time zone by its IANA name. "", "Local" and anything that is
// not such a name are [KindInvalid].
func Zone(name string) (*time.Location, error) {
	// LoadLocation takes these two for UTC and for the machine's own zone.
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
