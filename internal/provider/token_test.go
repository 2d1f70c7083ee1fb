package provider_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postrider/internal/mailing"
	"postrider/internal/provider"
)

// tokenServer is a sending API that accepts some tokens, and records the tokens of its
// requests.
type tokenServer struct {
	*httptest.Server

	mu      sync.Mutex
	accepts []string
	status  int // the answer to tokens that it does not accept
	got     []string
	before  func() // called for each request, if given
}

func newTokenServer(t *testing.T, accepts ...string) *tokenServer {
	t.Helper()
	s := &tokenServer{accepts: accepts, status: http.StatusUnauthorized}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.before != nil {
			s.before()
		}
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		s.got = append(s.got, token)
		if !slices.Contains(s.accepts, token) {
			w.WriteHeader(s.status)
			return
		}
		write200(w)
	}))
	t.Cleanup(s.Close)
	return s
}

// from makes the client take its token from a source.
func from(source provider.TokenSource) func(*provider.Config) {
	return func(c *provider.Config) { c.Token, c.TokenSource = "", source }
}

// changed is a source whose token changes when the old one is refused.
func changed(_ context.Context, refused string) (string, error) {
	if refused == "" {
		return "secret-old", nil
	}
	return "secret-new", nil
}

func TestAChangedTokenIsUsedAtOnce(t *testing.T) {
	s := newTokenServer(t, "secret-new")
	c := client(t, s.URL, from(changed))
	want(t, send(c), mailing.OutcomeSent, "")
	if !slices.Equal(s.got, []string{"secret-old", "secret-new"}) {
		t.Errorf("requests with %v", s.got)
	}
	c.Close()
}

func TestAHandOverIsRepeatedOnceAtMost(t *testing.T) {
	s := newTokenServer(t)
	c := client(t, s.URL, from(changed))
	want(t, send(c), mailing.OutcomeMisconfigured, "http_401")
	if len(s.got) != 2 {
		t.Errorf("requests with %v", s.got)
	}
	c.Close()
}

func TestOnlyA401RequestsAnotherToken(t *testing.T) {
	for status, kind := range map[int]mailing.OutcomeKind{
		http.StatusForbidden: mailing.OutcomeMisconfigured, http.StatusFound: mailing.OutcomeMisconfigured,
		http.StatusServiceUnavailable: mailing.OutcomeRetry, http.StatusGatewayTimeout: mailing.OutcomeAmbiguous,
	} {
		s := newTokenServer(t)
		s.status = status
		c := client(t, s.URL, from(changed))
		if got := send(c); got.Kind != kind || len(s.got) != 1 {
			t.Errorf("%d: %+v after requests with %v", status, got, s.got)
		}
		c.Close()
	}
}

func TestA401IsFinalWithoutAnotherToken(t *testing.T) {
	for name, again := range map[string]func() (string, error){
		"it is the same":    func() (string, error) { return "secret-old", nil },
		"it cannot be read": func() (string, error) { return "", errors.New("throttled") },
	} {
		s := newTokenServer(t)
		c := client(t, s.URL, from(func(_ context.Context, refused string) (string, error) {
			if refused == "" {
				return "secret-old", nil
			}
			return again()
		}))
		want(t, send(c), mailing.OutcomeMisconfigured, "http_401")
		if len(s.got) != 1 {
			t.Errorf("%s: requests with %v", name, s.got)
		}
		c.Close()
	}
}

func TestWithoutATokenNoRequestIsMade(t *testing.T) {
	s := newTokenServer(t)
	c := client(t, s.URL, from(func(context.Context, string) (string, error) { return "", errors.New("throttled") }))
	want(t, send(c), mailing.OutcomeMisconfigured, "no_token")
	if len(s.got) != 0 {
		t.Errorf("requests with %v", s.got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, c.Send(gone, handover), mailing.OutcomeNotTried, "not_tried")
}

// TestASecondRequestBeginsWithinASecondOfTheHandOver checks that a decision that is a
// second old or older is made again. After a clock was set back, the age is unknown.
func TestASecondRequestBeginsWithinASecondOfTheHandOver(t *testing.T) {
	for after, again := range map[time.Duration]bool{0: true, time.Second - 1: true, time.Second: false, time.Minute: false, -1: false} {
		var clock wallClock
		s := newTokenServer(t, "secret-new")
		c := client(t, s.URL, from(changed), clock.config)
		s.before = func() { clock.set(closing.Add(-time.Second).Add(after)) }
		h := until(closing.Add(time.Hour))
		if got := c.Send(t.Context(), h); again && got != outcome(mailing.OutcomeSent, "") || !again && got != outcome(mailing.OutcomeNotTried, "renewed") {
			t.Errorf("after %v: %+v, requests with %v", after, got, s.got)
		}
		c.Close()
	}
}

// TestASecondRequestDoesNotBeginIfItIsTooLate checks that the second request, too, does not
// begin at or after the hand-over's Before. The clock goes back an hour before the first
// request, so that this request has an hour of real time to get its connection.
func TestASecondRequestDoesNotBeginIfItIsTooLate(t *testing.T) {
	var clock wallClock
	s := newTokenServer(t, "secret-new")
	c := client(t, s.URL, from(func(ctx context.Context, refused string) (string, error) {
		if refused == "" {
			clock.set(closing.Add(-time.Hour))
		}
		return changed(ctx, refused)
	}), clock.config)
	s.before = func() { clock.set(closing) }
	clock.set(closing.Add(-time.Millisecond))
	want(t, c.Send(t.Context(), until(closing)), mailing.OutcomeNotTried, "too_late")
	if len(s.got) != 1 {
		t.Errorf("requests with %v", s.got)
	}
	c.Close()
}

func TestReadingTheTokenCountsTowardsTheTimeout(t *testing.T) {
	s := newTokenServer(t)
	c := client(t, s.URL, timeout(50*time.Millisecond), from(func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}))
	want(t, send(c), mailing.OutcomeMisconfigured, "no_token")
}

func TestATokenOrATokenSourceIsRequired(t *testing.T) {
	for name, tt := range map[string]struct {
		token  string
		source provider.TokenSource
		want   string
	}{
		"none":   {"", nil, "PROVIDER_TOKEN_PARAMETER"},
		"both":   {"secret-token", changed, "not both"},
		"one":    {"secret-token", nil, ""},
		"source": {"", changed, ""},
	} {
		_, err := provider.New(provider.Config{BaseURL: "https://host/v1", Token: tt.token, TokenSource: tt.source, Timeout: time.Second, MaxConns: 1})
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
