package provider

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

// Limits of a configuration. They catch mistakes (a timeout in the wrong unit, a file's
// content as token); they are no recommendations.
const (
	maxTimeout  = 15 * time.Minute // no Lambda invocation lasts longer
	maxConns    = 10_000
	maxURLLen   = 2 << 10 // so that the request line fits into the write buffer
	maxTokenLen = 8 << 10 // servers commonly accept this much in one header line
)

// Config is the configuration of a client. It formats without its token.
type Config struct {
	// BaseURL is the URL to which "send/{id}" is appended: http or https, with or
	// without a slash at the end, such as "https://host/v1".
	BaseURL string
	// Token is the bearer token (a JWT), without the word "Bearer".
	Token string
	// TokenSource returns the token, if the token may change. Exactly one of Token and
	// TokenSource is set.
	TokenSource TokenSource
	// Timeout bounds one hand-over, from the wait for a connection to the last byte of
	// the answer: above 0, up to 15 min.
	Timeout time.Duration
	// MaxConns is how many connections, and so hand-overs, there are at the same time:
	// 1 to 10,000. Further calls wait for a free connection.
	MaxConns int
	// Now returns the time by the wall clock. A Retry-After date and the instants of a
	// hand-over are compared with it.
	Now func() time.Time
}

// String returns the configuration without the token.
func (c Config) String() string {
	return fmt.Sprintf("provider: timeout %v, %d connections, token withheld", c.Timeout, c.MaxConns)
}

// GoString returns the same as String, so that %#v shows no token.
func (c Config) GoString() string { return c.String() }

// LogValue returns the same as String, so that slog shows no token.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// parse returns the base URL, or an error with all problems together. The error quotes no
// value: if a person sets the URL to the token by mistake, the log must not show the token.
func (c Config) parse() (*url.URL, error) {
	var all []error
	problem := func(text string) { all = append(all, errors.New("provider: "+text)) }

	u, err := parseURL(c.BaseURL)
	if err != nil {
		problem(err.Error())
	}
	switch err := CheckToken(c.Token); {
	case c.TokenSource != nil && c.Token != "":
		problem("there are two tokens: set PROVIDER_TOKEN or PROVIDER_TOKEN_PARAMETER, not both")
	case c.TokenSource == nil && c.Token == "":
		problem("the token is missing: set PROVIDER_TOKEN, or PROVIDER_TOKEN_PARAMETER to the SSM parameter that holds it")
	case c.TokenSource == nil && err != nil:
		problem(err.Error())
	}
	if c.Timeout <= 0 || c.Timeout > maxTimeout {
		problem(fmt.Sprintf("the timeout is %v: it must be above 0 and at most %v", c.Timeout, maxTimeout))
	}
	if c.MaxConns < 1 || c.MaxConns > maxConns {
		problem(fmt.Sprintf("the number of connections is %d: it must be 1 to %d", c.MaxConns, maxConns))
	}
	return u, errors.Join(all...)
}

// CheckURL returns an error that says why a base URL is not valid, or nil.
func CheckURL(base string) error {
	_, err := parseURL(base)
	return err
}

func parseURL(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	switch {
	case base == "":
		return nil, errors.New("the base URL is missing: set it to the sending API's address, such as https://host/v1")
	case len(base) > maxURLLen:
		return nil, fmt.Errorf("the base URL has %d bytes, more than %d: check that it is the URL", len(base), maxURLLen)
	case err != nil:
		return nil, errors.New("the base URL cannot be parsed: set it to an address such as https://host/v1")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return nil, errors.New("the base URL needs a scheme (http or https) and a host, such as https://host/v1")
	case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, errors.New("the base URL has a user, a query or a fragment: leave them out")
	}
	return u, nil
}

// CheckToken returns an error that says why a bearer token is not valid, or nil.
func CheckToken(token string) error {
	switch {
	case token == "":
		return errors.New("the token is missing: set it to the JWT that the sending API issued")
	case len(token) > maxTokenLen:
		return fmt.Errorf("the token has %d bytes, more than %d: check that it is the token", len(token), maxTokenLen)
	case strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0:
		return errors.New("the token has a character that a header does not allow, such as a space or a line break at its end")
	}
	return nil
}
