package provider

import (
	"context"
	"maps"
	"net/http"
	"time"

	"postrider/internal/mailing"
)

// renewWithin is how long after the beginning of a hand-over its request may be made
// again with another token. After that, the decision to hand over is too old.
const renewWithin = time.Second

// A TokenSource returns the bearer token to use now. refused is the token that the API
// has just answered 401 to, or "". The source returns that token again only if there is
// no newer one. An error means that there is no token, and does not show one. A
// TokenSource is safe for concurrent use.
type TokenSource func(ctx context.Context, refused string) (string, error)

// tokenSource returns the token's source: TokenSource, or one that always returns Token.
func (c Config) tokenSource() TokenSource {
	if c.TokenSource != nil {
		return c.TokenSource
	}
	return func(context.Context, string) (string, error) { return c.Token, nil }
}

// Send hands one message over, once, and returns the outcome: see the package's table.
// It returns when ctx is done or the configured timeout has passed, whichever is first.
//
// Send does not begin the request at or after h.Before, and waits for a connection only
// until then. Without a connection it returns not tried, "too_late". net/http goes on
// making the connection, which serves a later call. So the caller decides again after
// "too_late", and calls again. The caller also bounds the total time of its calls.
//
// Send never makes a second request after a byte of the first may have been written,
// with one exception: the API answered 401, which is certain, and there is another
// token by now.
func (c *Client) Send(ctx context.Context, h mailing.Handover) mailing.Outcome {
	began, until := c.now(), time.Now().Add(c.timeout)
	token, out := c.authorize(ctx, "", until)
	if token == "" {
		return out
	}
	out = c.send(ctx, h, token, until)
	if out != misconfigured("http_401") {
		return out
	}
	renewed, _ := c.authorize(ctx, token, until)
	if renewed == "" || renewed == token {
		return out
	}
	if age := c.now().Sub(began); age < 0 || age >= renewWithin {
		return notTried("renewed")
	}
	return c.send(ctx, h, renewed, until)
}

// authorize returns the token, or "" and the outcome of a hand-over without a token.
func (c *Client) authorize(ctx context.Context, refused string, until time.Time) (string, mailing.Outcome) {
	reading, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	token, err := c.token(reading, refused)
	switch {
	case ctx.Err() != nil:
		return "", notTried("not_tried")
	case err != nil:
		return "", misconfigured("no_token")
	}
	return token, mailing.Outcome{}
}

// headerWith returns the headers of a request with this token.
func (c *Client) headerWith(token string) http.Header {
	header := maps.Clone(c.header) // all requests share the values, which are never changed
	header["Authorization"] = []string{"Bearer " + token}
	return header
}
