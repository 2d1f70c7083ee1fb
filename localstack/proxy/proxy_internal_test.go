package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// seen is a request that a backend received.
type seen struct {
	uri, host, body string
	header          http.Header
}

func serve(t *testing.T, backend http.HandlerFunc) *httptest.Server {
	t.Helper()
	target := httptest.NewServer(backend)
	t.Cleanup(target.Close)
	base, err := url.Parse(target.URL + "/_aws/execute-api/abc/local")
	if err != nil {
		t.Fatal(err)
	}
	proxy := New(log.New(io.Discard, "", 0))
	proxy.SetTarget(base)
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server
}

func TestARequestPassesUnchanged(t *testing.T) {
	var got seen
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{uri: r.RequestURI, host: r.Host, body: string(body), header: r.Header}
	})
	binary := string([]byte{0, 255, 254, '\r', '\n'})
	for _, path := range []string{
		"/", "/api/", "/api/clients", "/api//clients/", "/api/clients/a%2Fb%20c", "/x?a=1&a=2&b=%2F;c", "/x?", "/%D0%B8?q=%D0%B8+1",
	} {
		request, err := http.NewRequest(http.MethodPatch, server.URL+path, bytes.NewBufferString(binary))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "localhost:8000"
		request.Header = http.Header{"X-Own": {"1", "2"}, "Authorization": {"Bearer x"}, "Origin": {"http://localhost:8000"}, "Sec-Fetch-Site": {"same-origin"}, "Cookie": {"postrider_session=x"}, "X-Forwarded-For": {"192.0.2.1"}, "Accept-Encoding": {"br"}}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if want := "/_aws/execute-api/abc/local" + path; got.uri != want && got.uri+"?" != want {
			t.Errorf("%s arrived as %s, want %s", path, got.uri, want)
		}
		if got.host != "localhost:8000" || got.body != binary {
			t.Errorf("%s: host %q, body %q", path, got.host, got.body)
		}
		for name, want := range map[string]int{"X-Own": 2, "Authorization": 1, "Origin": 1, "Sec-Fetch-Site": 1, "Cookie": 1} {
			if len(got.header[name]) != want {
				t.Errorf("%s: header %s is %q", path, name, got.header[name])
			}
		}
		for name, want := range map[string]string{"X-Forwarded-For": "192.0.2.1, 127.0.0.1", "X-Forwarded-Host": "localhost:8000", "X-Forwarded-Proto": "http", "Accept-Encoding": "br"} {
			if got.header.Get(name) != want {
				t.Errorf("%s: header %s is %q, want %q", path, name, got.header.Get(name), want)
			}
		}
	}
}

func TestAnAnswerPassesUnchanged(t *testing.T) {
	body := []byte{0x1f, 0x8b, 0, 1, 2}
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/api/clients/1")
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.WriteHeader(http.StatusFound)
		_, _ = w.Write(body)
	})
	client := http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Get(server.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	got, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusFound || response.Header.Get("Location") != "/api/clients/1" || !bytes.Equal(got, body) || len(response.Header["Set-Cookie"]) != 2 {
		t.Errorf("got %d %v %v", response.StatusCode, response.Header, got)
	}
}

func TestWithoutAStackTheAnswerIsAProblem(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close() // no server listens there any more
	nowhere := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	for name, target := range map[string]*url.URL{"no target": nil, "refused": nowhere, "no such name": {Scheme: "http", Host: "localstack.invalid:4566"}} {
		proxy := New(log.New(io.Discard, "", 0))
		proxy.SetTarget(target)
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		var document struct {
			Status int    `json:"status"`
			Detail string `json:"detail"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
			t.Fatal(err)
		}
		if w.Code != http.StatusServiceUnavailable || document.Status != w.Code || document.Detail == "" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s %s", name, w.Code, w.Header(), w.Body)
		}
	}
}

func TestABrokenAnswerIsABadGateway(t *testing.T) {
	server := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	response, err := http.Post(server.URL+"/x", "text/plain", nil) // a POST is not sent again
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusBadGateway {
		t.Errorf("got %d", response.StatusCode)
	}
}
