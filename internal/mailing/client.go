package mailing

import (
	"regexp"
	"strings"
	"time"
	"unicode"
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
func NewClient(c Client) (Client, error) { return Client{}.Changed(c) }

// Changed checks and fills in next, which replaces c, as [NewClient] does. A tag that
// stays as it is may have control characters: it was stored before they were refused.
func (c Client) Changed(next Client) (Client, error) {
	var p problems
	checkPhone(&p, next.Phone)
	if next.OperatorCode == "" {
		next.OperatorCode = DerivedOperator(next.Phone)
	} else if !operatorPattern.MatchString(next.OperatorCode) {
		p.add("body.operator_code", "must be 3 digits")
	}
	next.Tag = strings.TrimSpace(next.Tag)
	if next.Tag != c.Tag {
		checkTag(&p, next.Tag)
	}
	if _, err := Zone(next.Timezone); err != nil {
		p.add("body.timezone", ZoneRule)
	}
	return next, p.err("the client")
}

func checkTag(p *problems, tag string) {
	if at := strings.IndexFunc(tag, unicode.IsControl); at >= 0 {
		r, _ := utf8.DecodeRuneInString(tag[at:])
		p.add("body.tag", "must have no control characters, such as line breaks; it contains U+%04X", r)
	}
	if utf8.RuneCountInString(tag) > MaxTag {
		p.add("body.tag", "must be at most %d characters", MaxTag)
	}
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
