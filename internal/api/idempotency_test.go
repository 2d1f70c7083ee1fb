package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postrider/internal/mailing"
)

// counting returns stores that create resources with ascending ids.
func counting() *stores {
	var clients mailing.ClientID
	var mailings mailing.ID
	return &stores{
		createClient: func(c mailing.Client) (mailing.Client, error) {
			clients++
			c.ID = clients
			return c, nil
		},
		createMailing: func(m mailing.Mailing) (mailing.Mailing, error) {
			mailings++
			m.ID = mailings
			return m, nil
		},
		createTest: func(to mailing.Test) (mailing.Message, mailing.BatchKey, error) {
			clients++
			b := mailing.TestBatch(clients, to, now)
			return mailing.Message{ID: mailing.NewMessageID(b.Key.Mailing, clients), Member: b.Recipients[0], Phone: to.Phone, Test: &to}, b.Key, nil
		},
	}
}

func TestARepeatedRequestGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	for path, bodies := range map[string][2]string{
		"/api/clients":         {annBody, `{"timezone":"Europe/Moscow","phone":"79001234567","tag":"vip","id":99}`},
		"/api/mailings":        {saleBody, strings.Replace(saleBody, `"text"`, `"version": 7, "text"`, 1)},
		"/api/mailings/3/test": {`{"phone": "79001234567"}`, `{"phone":"79001234567"}`},
	} {
		s, clock := counting(), now
		m := sale()
		s.mailing = &m
		v := serveAt(t, s, func() time.Time { return clock })
		first := v.call(http.MethodPost, path, bodies[0], "Idempotency-Key", "k-1")
		if first.Code/100 != 2 || first.Header().Get("Idempotency-Replayed") != "" {
			t.Fatalf("%s: status %d, %v: %s", path, first.Code, first.Header(), first.Body)
		}
		// Without the key the request would be refused a day later: the mailing's
		// end has passed, and the mailing that is tested is gone.
		clock, s.mailing = now.Add(23*time.Hour), nil
		for _, body := range bodies {
			again := v.call(http.MethodPost, path, body, "Idempotency-Key", "k-1")
			if again.Code != first.Code || again.Body.String() != first.Body.String() || again.Header().Get("Location") != first.Header().Get("Location") ||
				again.Header().Get("ETag") != first.Header().Get("ETag") {
				t.Errorf("%s: first %d %v %s, then %d %v %s", path, first.Code, first.Header(), first.Body, again.Code, again.Header(), again.Body)
			}
			if again.Header().Get("Idempotency-Replayed") != "true" {
				t.Errorf("%s: it does not say that it is a repeated answer", path)
			}
		}
	}
}

func TestAnIdempotencyKeyForAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	s := counting()
	m := sale()
	s.mailing = &m
	v := serve(t, s)
	if w := v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", "k-1"); w.Code != http.StatusCreated {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	for path, body := range map[string]string{
		"/api/clients":         strings.Replace(annBody, "vip", "VIP", 1),
		"/api/mailings":        saleBody,
		"/api/mailings/3/test": `{"phone": "79001234567"}`,
	} {
		wantProblem(t, v.call(http.MethodPost, path, body, "Idempotency-Key", "k-1"), http.StatusUnprocessableEntity, "header.Idempotency-Key")
		if w := v.call(http.MethodPost, path, body, "Idempotency-Key", "k-2"+path); w.Code/100 != 2 {
			t.Errorf("%s with another key: status %d: %s", path, w.Code, w.Body)
		}
	}
}

func TestCallersDoNotShareIdempotencyKeys(t *testing.T) {
	t.Parallel()
	v := serve(t, counting())
	one := v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", "k-1")
	other := v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", "k-1", "Authorization", "Bearer "+adminKey+"-2")
	if one.Header().Get("Location") == other.Header().Get("Location") || other.Header().Get("Idempotency-Replayed") != "" {
		t.Errorf("another caller gets %v", other.Header())
	}
	rotated := v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", "k-1", "Authorization", "Bearer "+adminKey+"-new")
	if one.Header().Get("Location") != rotated.Header().Get("Location") || rotated.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same caller with a new key gets %v", rotated.Header())
	}
}

func TestARefusedRequestDoesNotUseItsIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := counting()
	v := serve(t, s)
	s.createClient = func(mailing.Client) (mailing.Client, error) {
		return mailing.Client{}, mailing.Conflict("this phone is taken")
	}
	wantProblem(t, v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", "k-1"), http.StatusConflict)
	wantProblem(t, v.call(http.MethodPost, "/api/clients", `{"phone": "7"}`, "Idempotency-Key", "k-1"), http.StatusUnprocessableEntity, "body.phone", "body.timezone")
	s.createClient = counting().createClient
	if w := v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", "k-1"); w.Code != http.StatusCreated {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestOfTwoConcurrentRequestsTheSecondGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	s := counting()
	v := serve(t, s)
	first := v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", "k-1")
	s.hideOnce = true // the second request does not see it when it looks first
	second := v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", "k-1")
	if second.Code != http.StatusCreated || second.Body.String() != first.Body.String() || second.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("first %d %s, second %d %s", first.Code, first.Body, second.Code, second.Body)
	}
}

func TestAnIdempotencyKeyIsPrintableASCII(t *testing.T) {
	t.Parallel()
	v := serve(t, counting())
	for _, key := range []string{"", "with blank", "ключ", strings.Repeat("x", 256), "tab\t"} {
		wantProblem(t, v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", key), http.StatusUnprocessableEntity, "header.Idempotency-Key")
	}
	if w := v.call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", strings.Repeat("~", 255)); w.Code != http.StatusCreated {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestSeveralIdempotencyKeysAreRefused(t *testing.T) {
	t.Parallel()
	w := serve(t, counting()).call(http.MethodPost, "/api/clients", annBody, "Idempotency-Key", "a", "Idempotency-Key", "b")
	wantProblem(t, w, http.StatusUnprocessableEntity, "header.Idempotency-Key")
}
