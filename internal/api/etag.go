package api

import (
	"strconv"
	"strings"

	"postrider/internal/mailing"
)

// etag is a mailing's version as an entity tag.
func etag(m mailing.Mailing) string { return `"` + strconv.FormatInt(m.Version, 10) + `"` }

// matches tells whether the mailing is of a version that an If-Match header
// allows. No header allows all; a weak tag matches nothing (RFC 9110, 13.1.1).
func matches(ifMatch string, m mailing.Mailing) bool {
	if ifMatch == "" {
		return true
	}
	for tag := range strings.SplitSeq(ifMatch, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == etag(m) {
			return true
		}
	}
	return false
}
