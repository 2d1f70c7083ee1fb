package provider_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"postrider/internal/mailing"
	"postrider/internal/provider"
)

func TestTheOutcomeOfEachStatus(t *testing.T) {
	kinds := map[mailing.OutcomeKind][]int{
		mailing.OutcomeAmbiguous: {201, 202, 204, 206, 299, 500, 501, 502, 504, 505, 507, 520, 529, 599, 101, 600, 999},
		mailing.OutcomeRejected:  {400, 422},
		mailing.OutcomeMisconfigured: {
			401, 403, 300, 301, 302, 303, 304, 307, 308, 399,
			402, 404, 405, 406, 407, 409, 410, 413, 415, 418, 421, 423, 426, 428, 431, 451, 499,
		},
		mailing.OutcomeThrottled: {429},
		mailing.OutcomeRetry:     {408, 425, 503},
	}
	for kind, statuses := range kinds {
		for _, status := range statuses {
			for _, body := range []string{"", accepted} {
				t.Run(fmt.Sprintf("%d with a body of %d bytes", status, len(body)), func(t *testing.T) {
					s := serveRaw(t, func(c *net.TCPConn, _ int32) bool {
						// If the status has no body, these bytes are garbage after the
						// answer.
						write(c, fmt.Sprintf("HTTP/1.1 %d Any\r\nLocation: /elsewhere\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body))
						return false
					})
					want(t, send(client(t, s.URL)), kind, fmt.Sprintf("http_%d", status))
					if n := s.requests.Load(); n != 1 {
						t.Errorf("%d requests were made", n)
					}
				})
			}
		}
	}
}

func TestOnly200WithCodeZeroIsSent(t *testing.T) {
	big := strings.Repeat(" ", provider.MaxAnswer)
	for _, tt := range []struct {
		name, body string
		code       string // empty: sent
	}{
		{"the documented answer", accepted, ""},
		{"without a message", `{"code":0}`, ""},
		{"with white space around", " \n{ \"message\" : \"OK\", \"code\" : 0 }\r\n ", ""},
		{"with keys that are not documented", `{"code":0,"message":"OK","data":{"code":5,"a":[1,{"code":2}]}}`, ""},
		{"with an escaped key", `{"c\u006fde":0}`, ""},
		{"exactly as large as is read", accepted + big[len(accepted):], ""},
		{"another code", `{"code":7,"message":"no"}`, "code_7"},
		{"a negative code", `{"code":-2147483648}`, "code_-2147483648"},
		{"a code beyond int32", `{"code":2147483648}`, "bad_answer"},
		{"a code with a fraction", `{"code":0.0}`, "bad_answer"},
		{"a code with an exponent", `{"code":0e1}`, "bad_answer"},
		{"a code in quotes", `{"code":"0"}`, "bad_answer"},
		{"a code that is false", `{"code":false}`, "bad_answer"},
		{"a code that is null", `{"code":null}`, "no_code"},
		{"no code", `{"message":"OK"}`, "no_code"},
		{"the code in other letter cases", `{"Code":0,"CODE":0}`, "no_code"},
		{"an empty object", `{}`, "no_code"},
		{"the code twice", `{"code":0,"code":0}`, "bad_answer"},
		{"the code twice, once escaped", `{"code":0,"c\u006fde":7}`, "bad_answer"},
		{"another key twice", `{"code":0,"message":"a","message":"b"}`, "bad_answer"},
		{"nothing", "", "bad_answer"},
		{"null", "null", "bad_answer"},
		{"a number", "0", "bad_answer"},
		{"an array", `[{"code":0}]`, "bad_answer"},
		{"HTML", "<html><body>Welcome</body></html>", "bad_answer"},
		{"a truncated object", `{"code":0,"message":"O`, "bad_answer"},
		{"an object without its closing brace", `{"code":0`, "bad_answer"},
		{"an object that ends in a comma", `{"code":0,}`, "bad_answer"},
		{"text after the object", accepted + "x", "bad_answer"},
		{"two objects", accepted + accepted, "bad_answer"},
		{"a brace after the object", accepted + "}", "bad_answer"},
		{"a byte order mark", "\ufeff" + accepted, "bad_answer"},
		{"compressed bytes", "\x1f\x8b\x08\x00", "bad_answer"},
		{"one byte more than is read", accepted + big[len(accepted):] + " ", "too_large"},
		{"deep nesting", `{"code":0,"x":` + strings.Repeat("[", 20_000), "bad_answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				write(w, tt.body)
			}))
			defer s.Close()
			kind := mailing.OutcomeAmbiguous
			if tt.code == "" {
				kind = mailing.OutcomeSent
			}
			c := client(t, s.URL)
			want(t, send(c), kind, tt.code)
			c.Close()
		})
	}
}

func TestAnEndlessAnswerIsReadUpToALimit(t *testing.T) {
	for status, kind := range map[int]mailing.OutcomeKind{200: mailing.OutcomeAmbiguous, 400: mailing.OutcomeRejected} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			for block := make([]byte, 8<<10); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}))
		defer s.Close()
		if got := send(client(t, s.URL)); got.Kind != kind {
			t.Errorf("%d: got %+v", status, got)
		}
	}
}

func TestInformationalAnswersAreIgnored(t *testing.T) {
	s := serveRaw(t, func(c *net.TCPConn, _ int32) bool {
		write(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
		write(c, "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n"+accepted)
		return true
	})
	c := client(t, s.URL)
	want(t, send(c), mailing.OutcomeSent, "")
	want(t, send(c), mailing.OutcomeSent, "")
}

func TestEndlessInformationalAnswersAreReadUpToALimit(t *testing.T) {
	s := serveRaw(t, func(c *net.TCPConn, _ int32) bool {
		for {
			if _, err := c.Write([]byte("HTTP/1.1 102 Processing\r\nX: y\r\n\r\n")); err != nil {
				return false
			}
		}
	})
	want(t, send(client(t, s.URL)), mailing.OutcomeAmbiguous, "bad_answer")
}

func TestConnectionsAreReused(t *testing.T) {
	for _, answer := range []string{
		"200 OK\r\nContent-Length: 25\r\n\r\n" + accepted,
		"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19\r\n" + accepted + "\r\n0\r\n\r\n",
		"400 Bad Request\r\nContent-Length: 0\r\n\r\n",
		"503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy",
	} {
		t.Run(answer[:3], func(t *testing.T) {
			s := serveRaw(t, func(c *net.TCPConn, _ int32) bool {
				write(c, "HTTP/1.1 "+answer)
				return true
			})
			c := client(t, s.URL)
			for range 5 {
				send(c)
			}
			if n := s.conns.Load(); n != 1 {
				t.Errorf("5 requests took %d connections", n)
			}
		})
	}
}
