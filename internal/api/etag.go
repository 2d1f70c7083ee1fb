package api

import (
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// Conditional is the input of operations that change a mailing: the version that
// the caller means.
type Conditional struct {
	IfMatch string `header:"If-Match" pattern:"^(\\*|(W/)?\"[^\"]*\"([ \\t]*,[ \\t]*(W/)?\"[^\"]*\")*)$" patternDescription:"an ETag with its quotes, such as \"2\", or several, or *" doc:"The ETag of the version that is meant, with its quotes; another one is 412."`
}

// Resolve refuses an empty header and several headers. huma takes an empty header
// for none: the change would then apply to any version, although the caller meant
// the one that it had read. Of several headers huma takes the first.
func (c *Conditional) Resolve(ctx huma.Context) []error {
	return singleHeader(ctx, "If-Match", c.IfMatch)
}

// etag returns a mailing's version as an entity tag.
func etag(m mailing.Mailing) string { return `"` + strconv.FormatInt(m.Version, 10) + `"` }

// allows reports whether the header allows the mailing's version. Without a header
// all versions are allowed. A weak tag never matches, since If-Match asks for the
// strong comparison (RFC 9110, 13.1.1).
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
