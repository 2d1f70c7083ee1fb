package gateway_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"postrider/internal/gateway"
)

func TestHeadersComeInAsTheyWereSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event events.APIGatewayProxyRequest
		want  http.Header
	}{
		"commas split nothing": {
			events.APIGatewayProxyRequest{MultiValueHeaders: map[string][]string{
				"if-match":          {`"1", "2"`},
				"if-modified-since": {"Sat, 26 Jul 2025 00:00:00 GMT"},
				"user-agent":        {"a, b; (c, d)"},
			}},
			http.Header{
				"If-Match":          {`"1", "2"`},
				"If-Modified-Since": {"Sat, 26 Jul 2025 00:00:00 GMT"},
				"User-Agent":        {"a, b; (c, d)"},
			},
		},
		"several values stay several, in their order": {
			events.APIGatewayProxyRequest{MultiValueHeaders: map[string][]string{"accept": {"text/csv", "a, b"}, "cookie": {"a=1", "b=2"}}},
			http.Header{"Accept": {"text/csv", "a, b"}, "Cookie": {"a=1", "b=2"}},
		},
		"single ones alone": {
			events.APIGatewayProxyRequest{Headers: map[string]string{"if-match": `"1", "2"`, "x-empty": ""}},
			http.Header{"If-Match": {`"1", "2"`}, "X-Empty": {""}},
		},
		"given both, nothing comes in twice": {
			events.APIGatewayProxyRequest{
				Headers:           map[string]string{"Accept": "b", "Authorization": "Bearer k"},
				MultiValueHeaders: map[string][]string{"Accept": {"a", "b"}, "Authorization": {"Bearer k"}},
			},
			http.Header{"Accept": {"a", "b"}, "Authorization": {"Bearer k"}},
		},
		"the session and the page of a browser": {
			events.APIGatewayProxyRequest{MultiValueHeaders: map[string][]string{
				"cookie": {"theme=dark; postrider_session=KEY"}, "origin": {"https://api.example.org"}, "sec-fetch-site": {"same-origin"},
				"X-Forwarded-Proto": {"https"},
			}},
			http.Header{
				"Cookie": {"theme=dark; postrider_session=KEY"}, "Origin": {"https://api.example.org"}, "Sec-Fetch-Site": {"same-origin"},
				"X-Forwarded-Proto": {"https"},
			},
		},
		"the chain of proxies": {
			events.APIGatewayProxyRequest{MultiValueHeaders: map[string][]string{"X-Forwarded-For": {"203.0.113.7, 198.51.100.2"}}},
			http.Header{"X-Forwarded-For": {"203.0.113.7, 198.51.100.2"}},
		},
		"none": {events.APIGatewayProxyRequest{}, http.Header{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.event.HTTPMethod, c.event.Path = http.MethodGet, "/"
			r, _ := request(t, c.event)
			if diff := cmp.Diff(c.want, r.Header); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestQueryParametersComeInAsTheyWereMeant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event events.APIGatewayProxyRequest
		want  url.Values
	}{
		"special signs are data": {
			events.APIGatewayProxyRequest{MultiValueQueryStringParameters: map[string][]string{
				"q": {"a&b=c#d?e/f", "1+1", "100%", "%41", "a;b", "  ", "я😀", "\"<>'"}, "a b&c": {"x"}, "": {"nameless"},
			}},
			url.Values{
				"q":     {"a&b=c#d?e/f", "1+1", "100%", "%41", "a;b", "  ", "я😀", "\"<>'"},
				"a b&c": {"x"}, "": {"nameless"},
			},
		},
		"repeated ones stay in their order": {
			events.APIGatewayProxyRequest{
				QueryStringParameters:           map[string]string{"tag": "a"},
				MultiValueQueryStringParameters: map[string][]string{"tag": {"b", "", "b", "a"}, "limit": {"1"}},
			},
			url.Values{"tag": {"b", "", "b", "a"}, "limit": {"1"}},
		},
		"single ones alone": {
			events.APIGatewayProxyRequest{QueryStringParameters: map[string]string{"cursor": "a+b/c==", "empty": ""}},
			url.Values{"cursor": {"a+b/c=="}, "empty": {""}},
		},
		"none": {events.APIGatewayProxyRequest{}, url.Values{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.event.HTTPMethod, c.event.Path = http.MethodGet, "/api/clients"
			r, _ := request(t, c.event)
			got, err := url.ParseQuery(r.URL.RawQuery)
			if err != nil {
				t.Errorf("%s: %v", r.URL.RawQuery, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheCallersAddressIsOneOfAServersForm(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{"203.0.113.7": "203.0.113.7:0", "2001:db8::1": "[2001:db8::1]:0", "": ""} {
		r, _ := request(t, events.APIGatewayProxyRequest{
			HTTPMethod: "GET", Path: "/",
			RequestContext: events.APIGatewayProxyRequestContext{Identity: events.APIGatewayRequestIdentity{SourceIP: ip}},
		})
		if r.RemoteAddr != want {
			t.Errorf("%s: %q, want %q", ip, r.RemoteAddr, want)
		}
	}
}

func TestTheHostIsTheCallersOrElseAPIGateways(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		headers map[string][]string
		want    string
	}{
		"sent":     {map[string][]string{"host": {"api.example.org:8443"}}, "api.example.org:8443"},
		"not sent": {nil, "x.execute-api.us-east-1.amazonaws.com"},
	} {
		r, _ := request(t, events.APIGatewayProxyRequest{
			HTTPMethod: "GET", Path: "//api", MultiValueHeaders: c.headers,
			RequestContext: events.APIGatewayProxyRequestContext{DomainName: "x.execute-api.us-east-1.amazonaws.com"},
		})
		if r.Host != c.want || r.Header["Host"] != nil || r.URL.Path != "//api" {
			t.Errorf("%s: host %q, %v, %s", name, r.Host, r.Header, r.URL.Path)
		}
	}
}

func TestABodyHasItsLengthWhateverTheCallerSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event events.APIGatewayProxyRequest
		want  string
	}{
		"none":         {events.APIGatewayProxyRequest{}, ""},
		"empty base64": {events.APIGatewayProxyRequest{IsBase64Encoded: true}, ""},
		"text":         {events.APIGatewayProxyRequest{Body: `{"tag": "я"}`, Headers: map[string]string{"Content-Length": "3"}}, `{"tag": "я"}`},
		"zero bytes":   {events.APIGatewayProxyRequest{Body: "AAA=", IsBase64Encoded: true}, "\x00\x00"},
	} {
		c.event.HTTPMethod, c.event.Path = http.MethodPost, "/"
		r, body := request(t, c.event)
		if body != c.want || r.ContentLength != int64(len(c.want)) {
			t.Errorf("%s: %q of %d", name, body, r.ContentLength)
		}
	}
}

// TestAnEventThatIsNotUTF8IsServed decodes the event from bytes: the decoder
// replaces invalid UTF-8, and returns no error.
func TestAnEventThatIsNotUTF8IsServed(t *testing.T) {
	t.Parallel()
	raw := []byte("{\"httpMethod\": \"GET\", \"path\": \"/a\xff\", \"multiValueHeaders\": {\"X-Name\": [\"b\xfe\"]}, \"multiValueQueryStringParameters\": {\"q\": [\"\xfd\"]}}")
	var event events.APIGatewayProxyRequest
	if err := json.Unmarshal(raw, &event); err != nil {
		t.Fatal(err)
	}
	r, _ := request(t, event)
	got := []string{r.URL.Path, r.Header.Get("X-Name"), r.URL.Query().Get("q")}
	if diff := cmp.Diff([]string{"/a\ufffd", "b\ufffd", "\ufffd"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheEndOfTheInvocationEndsTheRequest(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "the invocation's"))
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		if got := r.Context().Value(key{}); got != "the invocation's" {
			t.Errorf("value %v", got)
		}
	})
	if _, err := gateway.New(h, own)(ctx, events.APIGatewayProxyRequest{HTTPMethod: "GET", Path: "/"}); err != nil {
		t.Error(err)
	}
}
