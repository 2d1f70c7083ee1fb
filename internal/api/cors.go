package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"
)

// preflightSeconds is how long a browser may remember the answer to a preflight
// request, in seconds. Two hours are the most that Chrome keeps.
const preflightSeconds = 7200

// anyOrigin allows pages of all origins.
const anyOrigin = "*"

// Origins are the origins whose pages may use the API from a browser (CORS): none
// at all, some, or any ("*" alone).
type Origins []string

// UnmarshalText reads origins that are separated by commas. It reports all errors
// together.
func (o *Origins) UnmarshalText(text []byte) error {
	*o = nil
	if strings.TrimSpace(string(text)) == "" {
		return nil
	}
	var errs []error
	for origin := range strings.SplitSeq(string(text), ",") {
		origin = withoutDefaultPort(strings.TrimSpace(origin))
		if err := checkOrigin(origin); err != nil {
			errs = append(errs, fmt.Errorf("%q is not an origin: %w", origin, err))
		}
		*o = append(*o, origin)
	}
	if len(*o) > 1 && slices.Contains(*o, anyOrigin) {
		errs = append(errs, errors.New(`"*" allows any origin, so it must be the only one`))
	}
	return errors.Join(errs...)
}

// withoutDefaultPort removes the default port of the scheme, because browsers leave it
// out of the Origin header.
func withoutDefaultPort(origin string) string {
	for scheme, port := range map[string]string{"https://": ":443", "http://": ":80"} {
		if strings.HasPrefix(origin, scheme) {
			return strings.TrimSuffix(origin, port)
		}
	}
	return origin
}

// checkOrigin returns an error unless the origin has the exact form in which
// browsers send it (RFC 6454, 6.2). Origins are compared as texts, so any other
// form would never match.
func checkOrigin(origin string) error {
	if origin == anyOrigin {
		return nil
	}
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Scheme == "" || u.Hostname() == "":
		return errors.New("it must have a scheme and a host, such as https://app.example.com")
	case strings.ContainsFunc(origin, func(r rune) bool { return r > '~' || r >= 'A' && r <= 'Z' }):
		return errors.New("it must be in lower case, and a host outside ASCII must be in its xn-- form")
	case origin != u.Scheme+"://"+u.Host:
		return errors.New("it must consist of scheme, host and port only, without a path or a slash at the end")
	case strings.Contains(origin, "*"):
		return errors.New("it must be exact, without *")
	case strings.HasSuffix(u.Host, ":"):
		return errors.New("the port after the colon is missing")
	}
	return nil
}

// allow returns a handler that lets pages of the allowed origins use next. It
// answers preflight requests itself: they carry no key, so next would refuse them.
// With no origins it returns next unchanged.
func (o Origins) allow(next http.Handler) http.Handler {
	if len(o) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: o,
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		},
		// A browser adds cookies by itself, but no key. So a page can do no more than
		// the key that it has allows. It may send any header.
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{
			"Content-Disposition", "ETag", "Idempotency-Replayed", "Link", "Location", "Retry-After", "WWW-Authenticate",
		},
		MaxAge: preflightSeconds,
	}).Handler(next)
}
