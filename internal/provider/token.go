package provider

import (
	"context"
	"maps"
	"net/http"
	"time"

	"postrider/internal/mailing"
)

// renewWithin is how long after a hand-over has begun its request may be made
// again with another token. It was decided on by what was known then.
const renewWithin = time.Second

// A TokenSource returns the bearer token to use now. refused is the one that the
// API has just answered 401 to, or "": what is returned is that again only if there
// is none that is newer. An error means that there is no token, and does not show
// one. It is safe for concurrent use.
type TokenSource func(ctx context.Context, refused string) (string, error)

// source returns where the token comes from.
func (c Config) source() TokenSource {
	if c.TokenSource != nil {
		return c.TokenSource
	}
	return func(context.Context, string) (string, error) { return c.Token, nil }
}

// Send hands one message over, once, and tells what it came to: see the
// package's table. It takes until ctx is done or the configured timeout has passed,
// whichever is first.
//
// It does not begin at or after h.Before, and waits for a connection only until
// then: without one it returns not tried, "too_late". The connection goes on being
// made, and serves a later call. So the caller decides again after "too_late" and
// calls again; it is also the caller that bounds how long its calls take together.
//
// It never makes a second request after a byte of the first may have been written,
// but for one case: the API answered 401, which is certain, and there is another
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

// authorize returns the token, or "" and what the hand-over comes to without one.
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

// with returns the headers of a request that has this token.
func (c *Client) with(token string) http.Header {
	header := maps.Clone(c.header) // nobody changes the values, which all requests share
	header["Authorization"] = []string{"Bearer " + token}
	return header
}
