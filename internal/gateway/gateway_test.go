package gateway_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/gateway"
)

// own is the header of the gateway's own answers in these tests.
var own = http.Header{"X-Frame-Options": {"DENY"}}

// serve passes an event to a handler. The function must answer and return no error.
func serve(t *testing.T, event events.APIGatewayProxyRequest, h http.HandlerFunc) events.APIGatewayProxyResponse {
	t.Helper()
	resp, err := gateway.New(h, own)(t.Context(), event)
	if err != nil {
		t.Fatalf("the invocation failed: %v", err)
	}
	return resp
}

// request returns the request that a handler gets for an event.
func request(t *testing.T, event events.APIGatewayProxyRequest) (seen *http.Request, body string) {
	t.Helper()
	resp := serve(t, event, func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the body: %v", err)
		}
		seen, body = r, string(b)
	})
	if seen == nil {
		t.Fatalf("the handler was not called: %+v", resp)
	}
	return seen, body
}

func wantProblem(t *testing.T, resp events.APIGatewayProxyResponse, status int) {
	t.Helper()
	var p struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Status int    `json:"status"`
	}
	if err := json.Unmarshal([]byte(resp.Body), &p); err != nil {
		t.Fatalf("not a problem document: %v: %s", err, resp.Body)
	}
	if resp.StatusCode != status || p.Status != status || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("status %d, want %d: %s", resp.StatusCode, status, resp.Body)
	}
	want := map[string][]string{"Content-Type": {"application/problem+json"}, "X-Frame-Options": {"DENY"}}
	if diff := cmp.Diff(want, resp.MultiValueHeaders); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

func TestTheHandlerSeesThePathAsItWasSentWithoutTheStage(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/api/clients/":   "/api/clients/",
		"":                "/",
		"api":             "/api",
		"/a%20b/%D1%8F":   "/a%20b/%D1%8F",
		"/a%2Fb":          "/a%2Fb",
		"/a?b#c":          "/a%3Fb%23c",
		"/a b":            "/a%20b",
		"/я":              "/%D1%8F",
		"/%FF":            "/%FF",
		"/a;b=c,d:e@f+g":  "/a;b=c,d:e@f+g",
		"//api/../health": "//api/../health",
		"//":              "//",
		"/local/api":      "/local/api",
	} {
		r, _ := request(t, events.APIGatewayProxyRequest{
			HTTPMethod: "get", Path: path,
			RequestContext: events.APIGatewayProxyRequestContext{Stage: "local", Path: "/local" + path, DomainName: "example.org"},
		})
		// A link that is derived from the URL must not lead to API Gateway's own
		// address.
		if r.URL.Scheme+r.URL.Host+r.URL.EscapedPath() != want || r.RequestURI != want || r.URL.RawQuery != "" || r.Method != http.MethodGet {
			t.Errorf("%q: %s %+v, %s", path, r.Method, r.URL, r.RequestURI)
		}
	}
}

func TestWhatIsNoRequestIsAnsweredNotFailed(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]events.APIGatewayProxyRequest{
		"a malformed escape": {HTTPMethod: "GET", Path: "/api/%zz"},
		"half an escape":     {HTTPMethod: "GET", Path: "/api/%2"},
		"no method":          {Path: "/"},
		"a control sign":     {HTTPMethod: "GET", Path: "/api/\x01"},
		"a method of two":    {HTTPMethod: "GE T", Path: "/"},
		"not base64":         {HTTPMethod: "POST", Path: "/", Body: "%%%", IsBase64Encoded: true},
	} {
		resp := serve(t, event, func(http.ResponseWriter, *http.Request) { t.Errorf("%s: the handler was called", name) })
		wantProblem(t, resp, http.StatusBadRequest)
	}
}

func TestRepeatedAndCommaCarryingValuesComeThroughWhole(t *testing.T) {
	t.Parallel()
	r, _ := request(t, events.APIGatewayProxyRequest{
		HTTPMethod:                      "GET",
		Path:                            "/",
		Headers:                         map[string]string{"accept": "b", "If-Match": `"2"`},
		MultiValueHeaders:               map[string][]string{"accept": {"a", "b"}, "If-Match": {`"1", "2"`}, "Host": {"api.example.org"}},
		QueryStringParameters:           map[string]string{"tag": "b"},
		MultiValueQueryStringParameters: map[string][]string{"tag": {"a&b=c", "я +"}, "empty": {""}},
	})
	if diff := cmp.Diff(http.Header{"Accept": {"a", "b"}, "If-Match": {`"1", "2"`}}, r.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]string{"tag": {"a&b=c", "я +"}, "empty": {""}}, map[string][]string(r.URL.Query())); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if r.Host != "api.example.org" {
		t.Errorf("host %q", r.Host)
	}
}

func TestSingleValuesAreReadWhereThereAreNoMultipleOnes(t *testing.T) {
	t.Parallel()
	r, _ := request(t, events.APIGatewayProxyRequest{
		HTTPMethod: "GET", Path: "/", Headers: map[string]string{"accept": "a,b"}, MultiValueHeaders: map[string][]string{},
		QueryStringParameters: map[string]string{"limit": "1"},
	})
	if r.Header.Get("Accept") != "a,b" || r.URL.RawQuery != "limit=1" {
		t.Errorf("%v, %s", r.Header, r.URL.RawQuery)
	}
}

func TestABodyComesThroughTextOrBase64(t *testing.T) {
	t.Parallel()
	binary := "\x00\xff\xfe"
	for _, event := range []events.APIGatewayProxyRequest{
		{HTTPMethod: "POST", Path: "/", Body: "я"},
		{HTTPMethod: "POST", Path: "/", Body: base64.StdEncoding.EncodeToString([]byte(binary)), IsBase64Encoded: true},
	} {
		r, body := request(t, event)
		want := "я"
		if event.IsBase64Encoded {
			want = binary
		}
		if body != want || r.ContentLength != int64(len(want)) {
			t.Errorf("body %q of %d, want %q", body, r.ContentLength, want)
		}
	}
}

func TestTheIDOfTheRequestIsAPIGatewaysNotTheCallers(t *testing.T) {
	t.Parallel()
	forged := map[string][]string{"x-request-id": {"forged"}}
	r, _ := request(t, events.APIGatewayProxyRequest{
		HTTPMethod: "GET", Path: "/", MultiValueHeaders: forged,
		RequestContext: events.APIGatewayProxyRequestContext{RequestID: "r-1"},
	})
	if diff := cmp.Diff([]string{"r-1"}, r.Header.Values("X-Request-Id")); diff != "" {
		t.Errorf("with one (-want +got):\n%s", diff)
	}
	r, _ = request(t, events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: "/", MultiValueHeaders: forged})
	if got := r.Header.Values("X-Request-Id"); len(got) > 0 {
		t.Errorf("without one: %v", got)
	}
}

func TestTheDeadlineOfTheInvocationIsTheRequests(t *testing.T) {
	t.Parallel()
	deadline := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got, ok := r.Context().Deadline(); !ok || !got.Equal(deadline) {
			t.Errorf("deadline %v, %v", got, ok)
		}
	})
	if _, err := gateway.New(h, own)(ctx, events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: "/"}); err != nil {
		t.Error(err)
	}
}

func TestAResponseComesThrough(t *testing.T) {
	t.Parallel()
	event := events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: "/"}
	for name, c := range map[string]struct {
		method string
		h      http.HandlerFunc
		want   events.APIGatewayProxyResponse
	}{
		"nothing written is an empty 200": {
			"GET", func(http.ResponseWriter, *http.Request) {},
			events.APIGatewayProxyResponse{StatusCode: 200, MultiValueHeaders: map[string][]string{}},
		},
		"a status alone": {
			"DELETE", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
			events.APIGatewayProxyResponse{StatusCode: 204, MultiValueHeaders: map[string][]string{}},
		},
		"the first status counts": {
			"GET", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusNotFound)
				w.WriteHeader(http.StatusOK)
			},
			events.APIGatewayProxyResponse{StatusCode: 404, MultiValueHeaders: map[string][]string{}},
		},
		"repeated headers and text": {
			"GET", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/csv")
				w.Header()["Link"] = []string{"a, b", "c"}
				write(w, "я")
				w.WriteHeader(http.StatusNotFound)
			},
			events.APIGatewayProxyResponse{
				StatusCode: 200, Body: "я",
				MultiValueHeaders: map[string][]string{"Content-Type": {"text/csv"}, "Link": {"a, b", "c"}},
			},
		},
		"bytes that are no text": {
			"GET", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "image/png")
				write(w, "\x89PNG\xff")
			},
			events.APIGatewayProxyResponse{
				StatusCode: 200, Body: base64.StdEncoding.EncodeToString([]byte("\x89PNG\xff")), IsBase64Encoded: true,
				MultiValueHeaders: map[string][]string{"Content-Type": {"image/png"}},
			},
		},
		"the head alone": {
			"HEAD", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				write(w, "{}")
			},
			events.APIGatewayProxyResponse{StatusCode: 200, MultiValueHeaders: map[string][]string{"Content-Type": {"application/json"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			event := event
			event.HTTPMethod = c.method
			if diff := cmp.Diff(c.want, serve(t, event, c.h)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPanicIsAnsweredAndLeavesTheFunctionRunning(t *testing.T) {
	t.Parallel()
	f := gateway.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write(w, "half an ans")
		if r.URL.Path == "/panic" {
			panic("out of range")
		}
	}), own)
	for path, status := range map[string]int{"/panic": http.StatusInternalServerError, "/": http.StatusOK} {
		resp, err := f(t.Context(), events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: path})
		if err != nil || resp.StatusCode != status {
			t.Errorf("%s: %v, %+v", path, err, resp)
		}
		if path == "/panic" {
			wantProblem(t, resp, status)
		}
	}
}

func write(w io.Writer, text string) {
	if _, err := io.WriteString(w, text); err != nil {
		panic(err)
	}
}
