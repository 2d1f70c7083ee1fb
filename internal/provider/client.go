package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"

	"postrider/internal/mailing"
)

// Client hands messages over. It is safe for concurrent use. It keeps its connections, so
// an execution environment makes one client and uses it for all invocations.
type Client struct {
	base      *url.URL    // up to and including /send
	header    http.Header // of all requests, without the token
	token     TokenSource
	timeout   time.Duration
	now       func() time.Time
	transport *http.Transport
}

// New returns a client. Its error lists everything that is wrong with the
// configuration, and never shows the token.
func New(cfg Config) (*Client, error) {
	base, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	if base.Path == "" {
		base.Path = "/" // without it, JoinPath would make "send/1", without a slash
	}
	return &Client{
		base: base.JoinPath("send"),
		header: http.Header{
			"Content-Type": {"application/json"},
			"Accept":       {"application/json"},
			"User-Agent":   {"postrider"},
		},
		token:     cfg.tokenSource(),
		timeout:   cfg.Timeout,
		now:       cfg.Now,
		transport: newTransport(cfg.Timeout, cfg.MaxConns),
	}, nil
}

// String returns a description of the client without its token.
func (c *Client) String() string { return "provider: client, token withheld" }

// GoString returns the same as String.
func (c *Client) GoString() string { return c.String() }

// LogValue returns the same as String.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Close closes the idle connections. It does not disturb calls under way.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// send makes one request with this token. The request ends by until. See [Client.Send].
func (c *Client) send(ctx context.Context, h mailing.Handover, token string, until time.Time) mailing.Outcome {
	body, ok := encode(h)
	if !ok {
		return rejected("bad_message")
	}
	if ctx.Err() != nil {
		return notTried("not_tried")
	}
	call, cancel := context.WithDeadline(ctx, until)
	defer cancel()

	try := &attempt{before: h.Before, now: c.now}
	waiting, stop := try.connectContext(call)
	defer stop()
	req := c.request(httptrace.WithClientTrace(waiting, try.trace()), h.ID, body, try)
	req.Header = c.headerWith(token)
	// The transport is used without an http.Client, whose redirects, cookies and
	// referrers are not wanted here.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return try.outcome(ctx, call, err)
	}
	defer resp.Body.Close() //nolint:errcheck // the outcome is known; a connection that does not close is dropped
	if try.unsolicited.Load() && resp.StatusCode != http.StatusRequestTimeout {
		// Except a 408: servers send it on an idle connection when they close it.
		return ambiguous("unsolicited")
	}
	return c.outcome(ctx, call, resp)
}

func (c *Client) request(ctx context.Context, id mailing.MessageID, body []byte, try *attempt) *http.Request {
	req := &http.Request{
		Method: http.MethodPost,
		URL:    c.base.JoinPath(strconv.FormatInt(int64(id), 10)),
		// There is no Idempotency-Key: with one, net/http repeats a POST after a reset.
		Header:        c.header,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		// net/http asks for the body again to repeat a request on another connection.
		// For a POST it does so only if nothing was written. If that ever changes, this
		// error prevents the repetition.
		GetBody: func() (io.ReadCloser, error) {
			if try.wrote.Load() {
				return nil, errWritten
			}
			return io.NopCloser(bytes.NewReader(body)), nil
		},
	}
	return req.WithContext(ctx)
}

// encode returns the request's body, in which the phone is a JSON number. It reports
// false for a phone, id or text that the API's format does not allow: such a message is
// not handed over.
func encode(h mailing.Handover) ([]byte, bool) {
	phone, err := strconv.ParseInt(h.Phone, 10, 64)
	if err != nil || phone < 70000000000 || phone > 79999999999 || len(h.Phone) != 11 || h.ID <= 0 || h.Text == "" {
		return nil, false
	}
	body, err := json.Marshal(struct {
		ID    int64  `json:"id"`
		Phone int64  `json:"phone"`
		Text  string `json:"text"`
	}{int64(h.ID), phone, h.Text})
	return body, err == nil
}
