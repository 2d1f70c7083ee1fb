package api

import (
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// Conditional is what operations take that change a mailing.
type Conditional struct {
	IfMatch string `header:"If-Match" pattern:"^(\\*|(W/)?\"[^\"]*\"([ \\t]*,[ \\t]*(W/)?\"[^\"]*\")*)$" patternDescription:"an ETag with its quotes, such as \"2\", or several, or *" doc:"The ETag of the version that is meant, with its quotes; another one is 412."`
}

// Resolve refuses an empty header, which to huma is none: the caller would take a
// change to any version for a change to the one that was read. It refuses several,
// too, of which huma takes the first.
func (c *Conditional) Resolve(ctx huma.Context) []error {
	return givenOnce(ctx, "If-Match", c.IfMatch)
}

// etag is a mailing's version as an entity tag.
func etag(m mailing.Mailing) string { return `"` + strconv.FormatInt(m.Version, 10) + `"` }

// allows reports whether the mailing is of a version that the header allows. No
// header allows all; a weak tag matches nothing (RFC 9110, 13.1.1).
func (c *Conditional) allows(m mailing.Mailing) bool {
	if c.IfMatch == "" {
		return true
	}
	for tag := range strings.SplitSeq(c.IfMatch, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == etag(m) {
			return true
		}
	}
	return false
}
