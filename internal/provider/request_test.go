package provider_test

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"postrider/internal/mailing"
	"postrider/internal/provider"
)

var quiet = log.New(io.Discard, "", 0)

func write200(w io.Writer) { write(w, accepted) }

func TestARequestMatchesTheDocumentation(t *testing.T) {
	text := "Привет <b>&\u2028 \"quoted\" 🙂\n"
	for base, path := range map[string]string{"": "/send/4294967297", "/": "/send/4294967297", "/v1": "/v1/send/4294967297", "/v1/": "/v1/send/4294967297"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.RequestURI != path {
				t.Errorf("%s %s, want POST %s", r.Method, r.RequestURI, path)
			}
			for key, value := range map[string]string{
				"Authorization": "Bearer secret-token", "Content-Type": "application/json",
				"Idempotency-Key": "", "X-Idempotency-Key": "", "Accept-Encoding": "", "Expect": "",
			} {
				if got := r.Header.Get(key); got != value {
					t.Errorf("%s: %q, want %q", key, got, value)
				}
			}
			if r.ContentLength <= 0 || len(r.TransferEncoding) > 0 {
				t.Errorf("a body of length %d, %v", r.ContentLength, r.TransferEncoding)
			}
			dec := json.NewDecoder(r.Body)
			dec.UseNumber()
			var got map[string]any
			if err := dec.Decode(&got); err != nil {
				t.Error(err)
			}
			if len(got) != 3 || got["id"] != json.Number("4294967297") || got["phone"] != json.Number("79001234567") || got["text"] != text {
				t.Errorf("body %v", got)
			}
			write200(w)
		}))
		defer s.Close()
		h := handover
		h.Text = text
		c := client(t, s.URL+base)
		want(t, c.Send(context.Background(), h), mailing.OutcomeSent, "")
		c.Close()
	}
}

func TestAMessageThatTheFormatDoesNotAllowIsRejected(t *testing.T) {
	s := serveAccepting(t)
	c := client(t, s.URL)
	for name, change := range map[string]func(*mailing.Handover){
		"no id":                 func(h *mailing.Handover) { h.ID = 0 },
		"no phone":              func(h *mailing.Handover) { h.Phone = "" },
		"a phone with a plus":   func(h *mailing.Handover) { h.Phone = "+7900123456" },
		"a phone of 10 digits":  func(h *mailing.Handover) { h.Phone = "7900123456" },
		"a foreign phone":       func(h *mailing.Handover) { h.Phone = "49001234567" },
		"a phone with a letter": func(h *mailing.Handover) { h.Phone = "7900123456x" },
		"no text":               func(h *mailing.Handover) { h.Text = "" },
	} {
		h := handover
		change(&h)
		if got := c.Send(t.Context(), h); got != rejected("bad_message") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if n := s.conns.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestALongTextIsSentInOneWrite(t *testing.T) {
	h := handover
	h.Text = strings.Repeat("\u0001", 1600) // six bytes each in JSON
	if !provider.FitsOneWrite(h) {
		t.Error("the text needs more than one write")
	}
}

func TestConcurrentCallsShareTheConnections(t *testing.T) {
	s := serveAccepting(t)
	c := client(t, s.URL)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() { want(t, send(c), mailing.OutcomeSent, "") })
	}
	wg.Wait()
	// Four calls run at the same time. On a busy machine a connection may be idle for
	// too long, and be replaced.
	if requests, conns := s.requests.Load(), s.conns.Load(); requests != 200 || conns > 20 {
		t.Errorf("%d requests on %d connections", requests, conns)
	}
}

func TestRetryAfterIsReadWithinLimits(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for header, wait := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		"7":                              7 * time.Second,
		" 7 ":                            7 * time.Second,
		"007":                            7 * time.Second,
		"900":                            15 * time.Minute,
		"901":                            15 * time.Minute,
		"99999999999999999999999999999":  15 * time.Minute,
		"-5":                             0,
		"1.5":                            0,
		"soon":                           0,
		"Sun, 01 Mar 2026 12:00:30 GMT":  30 * time.Second,
		"Sun, 01 Mar 2026 11:59:59 GMT":  0,
		"Fri, 31 Dec 9999 23:59:59 GMT":  15 * time.Minute,
		"Sunday, 01-Mar-26 12:01:00 GMT": time.Minute,
	} {
		t.Run("Retry-After: "+header, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if header != "" {
					w.Header().Set("Retry-After", header)
				}
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			defer s.Close()
			c := client(t, s.URL, func(cfg *provider.Config) { cfg.Now = func() time.Time { return now } })
			want := mailing.Outcome{Kind: mailing.OutcomeThrottled, Code: "http_429", RetryAfter: wait}
			if got := send(c); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			c.Close()
		})
	}
}
