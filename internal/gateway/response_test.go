package gateway_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

var aGet = events.APIGatewayProxyRequest{HTTPMethod: http.MethodGet, Path: "/"}

func TestHeadersGoOutAsTheyWereSet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		want map[string][]string
	}{
		"several values stay several, and commas split nothing": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Add("Set-Cookie", "a=1; Expires=Sat, 26 Jul 2025 00:00:00 GMT")
				w.Header().Add("Set-Cookie", "b=2")
				w.Header().Add("Link", `</a>; rel="next", </b>; rel="last"`)
				w.Header().Add("Vary", "Origin")
				w.Header().Add("Vary", "Accept")
				w.Header().Set("Last-Modified", "Sat, 26 Jul 2025 00:00:00 GMT")
			},
			map[string][]string{
				"Set-Cookie":    {"a=1; Expires=Sat, 26 Jul 2025 00:00:00 GMT", "b=2"},
				"Link":          {`</a>; rel="next", </b>; rel="last"`},
				"Vary":          {"Origin", "Accept"},
				"Last-Modified": {"Sat, 26 Jul 2025 00:00:00 GMT"},
			},
		},
		"a session": {
			func(w http.ResponseWriter, _ *http.Request) {
				http.SetCookie(w, &http.Cookie{
					Name: "postrider_session", Value: "KEY", Path: "/", MaxAge: 43_200, HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
				})
			},
			map[string][]string{"Set-Cookie": {"postrider_session=KEY; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict"}},
		},
		"what is set when the head is out is too late": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Etag", `"1"`)
				w.WriteHeader(http.StatusOK)
				w.Header().Set("Etag", `"2"`)
				w.Header().Set("X-Late", "yes")
			},
			map[string][]string{"Etag": {`"1"`}},
		},
		"trailers have no way out": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Trailer", "X-Sum")
				w.Header().Set(http.TrailerPrefix+"X-Other", "1")
				w.WriteHeader(http.StatusOK)
				w.Header().Set("X-Sum", "1")
			},
			map[string][]string{},
		},
		"none of a name is no header": {
			func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil },
			map[string][]string{},
		},
		"early hints are not sent": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Link", "</a.css>; rel=preload")
				w.WriteHeader(http.StatusEarlyHints)
				w.Header().Del("Link")
				w.WriteHeader(http.StatusOK)
			},
			map[string][]string{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, serve(t, aGet, c.h).MultiValueHeaders); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAStatusWithoutABodyHasNone(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusNoContent, http.StatusNotModified} {
		resp := serve(t, aGet, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			if _, err := io.WriteString(w, "text"); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("%d: %v", status, err)
			}
		})
		if diff := cmp.Diff(events.APIGatewayProxyResponse{StatusCode: status, MultiValueHeaders: map[string][]string{}}, resp); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestTextIsNeverEncodedWhateverItsType(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"я😀", "\x00\u2028<&>", "a\ufffdb", "{}"} {
		resp := serve(t, aGet, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			// A character may be split between two writes.
			write(w, text[:1])
			write(w, text[1:])
		})
		// The runtime sends the response as JSON.
		raw, err := json.Marshal(resp)
		if err != nil {
			t.Fatal(err)
		}
		var sent events.APIGatewayProxyResponse
		if err := json.Unmarshal(raw, &sent); err != nil {
			t.Fatal(err)
		}
		if sent.Body != text || sent.IsBase64Encoded {
			t.Errorf("%q: %+v", text, sent)
		}
	}
}

func TestAFlushSendsTheHeadAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	resp := serve(t, aGet, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/csv")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusNotFound)
		write(w, "a,b\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		write(w, "1,2\n")
	})
	want := events.APIGatewayProxyResponse{
		StatusCode: http.StatusOK, Body: "a,b\n1,2\n", MultiValueHeaders: map[string][]string{"Content-Type": {"text/csv"}},
	}
	if diff := cmp.Diff(want, resp); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAPanicAtAnyPointIsA500WithoutWhatWasSetBefore(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"before anything": func(http.ResponseWriter, *http.Request) { panic("79001234567") },
		"with an error":   func(http.ResponseWriter, *http.Request) { panic(io.ErrUnexpectedEOF) },
		"after the head": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(http.StatusNoContent)
			panic("79001234567")
		},
		"after a part of the body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"1"`)
			write(w, "79001234567,vip\n")
			panic("79001234567")
		},
		"to break off": func(w http.ResponseWriter, _ *http.Request) {
			write(w, "79001234567,vip\n")
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantProblem(t, serve(t, aGet, h), http.StatusInternalServerError)
		})
	}
}

// TestOnlyAPanicThatNobodyHasSeenIsLogged sets the default log, so it is not
// parallel.
func TestOnlyAPanicThatNobodyHasSeenIsLogged(t *testing.T) {
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	for value, want := range map[error]bool{http.ErrAbortHandler: false, io.ErrUnexpectedEOF: true} {
		var log bytes.Buffer
		slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
		serve(t, aGet, func(http.ResponseWriter, *http.Request) { panic(value) })
		if got := strings.Contains(log.String(), "goroutine"); got != want {
			t.Errorf("%v: logged %t: %s", value, got, &log)
		}
	}
}
