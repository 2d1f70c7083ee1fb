package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/assets"
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

// ownTag matches the entity tags of this API, see [etag].
var ownTag = regexp.MustCompile(`^"[0-9]+"$`)

// check returns nil if the header allows the version of the mailing. Without a header all
// versions are allowed. A weak tag never matches, since If-Match asks for the strong
// comparison (RFC 9110, 13.1.1). The error says whether the mailing has changed, or the
// header has no tag that could match.
func (c *Conditional) check(m mailing.Mailing) error {
	if c.IfMatch == "" {
		return nil
	}
	weak, own := false, false
	for tag := range strings.SplitSeq(c.IfMatch, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || tag == etag(m) {
			return nil
		}
		weak, own = weak || strings.HasPrefix(tag, "W/"), own || ownTag.MatchString(tag)
	}
	switch {
	case own:
		return mailing.Stale()
	case weak:
		return &mailing.Error{Kind: mailing.KindStale, Message: weakTag}
	default:
		return &mailing.Error{Kind: mailing.KindStale, Message: foreignTag}
	}
}

// The details of answers to tags that cannot match. Proxies that compress answers make
// tags weak, or append to them.
const (
	weakTag = `the tag in If-Match is weak (W/), and a weak tag never matches: send the tag that the API gave, such as "3"`

	foreignTag = `the tag in If-Match is none of this API, whose tags are numbers in quotes, such as "3": ` +
		"a proxy may have changed it"
)

// Polled is the input of operations that are read again and again: the answer that the
// caller has.
type Polled struct {
	IfNoneMatch string `header:"If-None-Match" pattern:"^(\\*|(W/)?\"[^\"]*\"([ \\t]*,[ \\t]*(W/)?\"[^\"]*\")*)$" patternDescription:"an ETag with its quotes, such as \"2\", or several, or *" doc:"The ETag of the answer that you have, in quotes. If the answer would be the same, the status is 304, and there is no body."`
}

// Resolve refuses an empty header and several headers, as for If-Match.
func (p *Polled) Resolve(ctx huma.Context) []error {
	return singleHeader(ctx, "If-None-Match", p.IfNoneMatch)
}

// has reports whether the header names a tag. It compares weakly (RFC 9110, 13.1.2).
func (p *Polled) has(tag string) bool {
	return assets.Matches([]string{p.IfNoneMatch}, tag)
}

// tags yields the tags of the header without the mark of weak ones.
func (p *Polled) tags() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for tag := range strings.SplitSeq(p.IfNoneMatch, ",") {
			if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag != "" && !yield(tag) {
				return
			}
		}
	}
}

// polledAnswer is an answer with an ETag, or a 304 without a body.
type polledAnswer[T any] struct {
	Status int
	ETag   string `header:"ETag" doc:"Changes with the answer, for If-None-Match."`
	Body   T
}

// unchanged returns the 304 for a tag.
func unchanged[T any](tag string) *polledAnswer[T] {
	return &polledAnswer[T]{Status: http.StatusNotModified, ETag: tag}
}

// hashTag returns the entity tag of an answer that is made of parts: their hash. The
// version of the API is a part of each tag, because another version may write the same
// parts in another form.
func hashTag(parts ...any) (string, error) {
	written, err := json.Marshal(append([]any{Version}, parts...))
	if err != nil {
		return "", fmt.Errorf("make an entity tag: %w", err)
	}
	sum := sha256.Sum256(written)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, nil
}
