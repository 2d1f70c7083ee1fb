package api

import (
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// Conditional is the input of operations that change a mailing: the version that
// the caller has read.
type Conditional struct {
	IfMatch string `header:"If-Match" pattern:"^(\\*|(W/)?\"[^\"]*\"([ \\t]*,[ \\t]*(W/)?\"[^\"]*\")*)$" patternDescription:"an ETag with its quotes, such as \"2\", or several, or *" doc:"The ETag of the version to change, in quotes. If the mailing has another version, the answer is 412."`
}

// Resolve refuses an empty header and several headers. huma treats an empty header
// like no header: the change would then apply to any version, although the caller
// named a version. Of several headers huma takes the first.
func (c *Conditional) Resolve(ctx huma.Context) []error {
	return singleHeader(ctx, "If-Match", c.IfMatch)
}

// etag returns the version of a mailing as an entity tag.
func etag(m mailing.Mailing) string { return `"` + strconv.FormatInt(m.Version, 10) + `"` }

// allows reports whether the header allows the version of the mailing. Without a header
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
