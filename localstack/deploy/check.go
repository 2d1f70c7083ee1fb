package deploy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// limits are the bounds that a template sets for a parameter's values. CloudFormation
// refuses other values before it changes anything. LocalStack accepts them, and fails
// half way.
type limits struct {
	number    bool
	low, high string // MinValue and MaxValue of a number, or MinLength and MaxLength of a text; "" if unset
	allowed   []string
	pattern   string
	about     string // ConstraintDescription, or Description if that is empty
}

// Check returns an error that names the parameter's variable and its valid values,
// unless value is one of them. Numbers are whole numbers: the functions need no others.
// The error does not show a text value: it may be a secret in the wrong place.
func (p Parameter) Check(value string) error {
	l := p.limits
	switch {
	case len(l.allowed) > 0 && !slices.Contains(l.allowed, value):
		return fmt.Errorf("%s=%s: it is one of %s", p.Variable(), value, strings.Join(l.allowed, ", "))
	case l.number && !l.hold(strconv.Atoi(value)):
		return fmt.Errorf("%s=%s: it is a whole number%s", p.Variable(), value, l.bounds())
	case !l.number && !l.hold(utf8.RuneCountInString(value), nil):
		return fmt.Errorf("%s: the number of its characters is %s", p.Variable(), strings.TrimPrefix(l.bounds(), ", "))
	case l.pattern == "":
		return nil
	}
	// As in CloudFormation, the pattern has to match the whole value.
	pattern, err := regexp.Compile(`^(?:` + l.pattern + `)$`)
	if err != nil {
		return fmt.Errorf("%s: the pattern of the template's %s cannot be read: %w", p.Variable(), p.Name, err)
	}
	if !pattern.MatchString(value) {
		return fmt.Errorf("%s: %s", p.Variable(), strings.TrimSpace(l.about+" It has to match "+l.pattern))
	}
	return nil
}

// hold reports whether n could be read and is within the bounds.
func (l limits) hold(n int, unread error) bool {
	if unread != nil {
		return false
	}
	low, noLow := strconv.Atoi(l.low)
	high, noHigh := strconv.Atoi(l.high)
	return (noLow != nil || n >= low) && (noHigh != nil || n <= high)
}

// bounds returns the bounds in words, for an error message, or "" if there are none.
func (l limits) bounds() string {
	switch {
	case l.low == "" && l.high == "":
		return ""
	case l.high == "":
		return ", " + grouped(l.low) + " at least"
	case l.low == "":
		return ", " + grouped(l.high) + " at most"
	default:
		return ", " + grouped(l.low) + " to " + grouped(l.high)
	}
}

// grouped returns digits with a comma before each group of three.
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
