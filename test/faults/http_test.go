package faults_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"postrider/internal/mailing"
	sendapi "postrider/internal/provider"
)

// httpTimeout is the provider timeout of worlds with a real HTTP server. It is measured
// by the real clock, so it is long enough for a busy machine.
const httpTimeout = 3 * time.Second

// httpToken is the token that the client sends.
const httpToken = "token-of-the-tests" //nolint:gosec // G101: it gives no access

// answer is how a sending API answers one request; taken says whether it took the message
// before it answered.
type answer struct {
	taken bool
	write http.HandlerFunc
}

// good returns the answer of a sending API that took the message.
func good() answer {
	return answer{true, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"code": 0, "message": "OK"}`) }}
}

func status(code int, headers ...string) answer {
	return answer{false, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}}
}

func body(text string) answer {
	return answer{true, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }}
}

// dropped closes the connection after the request was read, without an answer.
func dropped(taken bool) answer {
	return answer{taken, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // reset the connection instead of closing it
		}
		_ = conn.Close()
	}}
}

// hangs answers long after the timeout; closing closed ends all handlers that hang.
func hangs(closed <-chan struct{}, before string) answer {
	return answer{true, func(w http.ResponseWriter, r *http.Request) {
		if before != "" {
			_, _ = io.WriteString(w, before)
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-closed:
		case <-r.Context().Done():
		}
	}}
}

// server is a sending API over HTTP. It records what it takes in the world's ledger.
type server struct {
	w   *world
	url string

	mu    sync.Mutex
	tries map[mailing.MessageID]int
	// first gives the answer to the first try of each message; all later answers are
	// good.
	first func(id mailing.MessageID) answer
	at    map[mailing.MessageID][]time.Time
}

// overHTTP gives a world a sending API over HTTP, and the real client of that API.
func overHTTP(w *world, first func(mailing.MessageID) answer) *server {
	w.t.Helper()
	s := &server{w: w, tries: map[mailing.MessageID]int{}, at: map[mailing.MessageID][]time.Time{}, first: first}
	listening := httptest.NewServer(s)
	w.test.Cleanup(listening.Close)
	s.url = listening.URL
	w.dial(listening.URL)
	return s
}

// dial lets senders call an address.
func (w *world) dial(url string) {
	w.t.Helper()
	client, err := sendapi.New(sendapi.Config{BaseURL: url + "/v1", Token: httpToken, Timeout: httpTimeout, MaxConns: 100, Now: w.clock.Now})
	if err != nil {
		w.t.Fatalf("make a client of the sending API: %v", err)
	}
	w.test.Cleanup(client.Close)
	w.sends = client
	w.config.ProviderTimeout = httpTimeout
	w.restart()
}

func (s *server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var sent struct {
		ID    int64  `json:"id"`
		Phone int64  `json:"phone"`
		Text  string `json:"text"`
	}
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || r.URL.Path != fmt.Sprintf("/v1/send/%d", sent.ID) {
		http.Error(rw, "bad", http.StatusBadRequest)
		return
	}
	id := mailing.MessageID(sent.ID)
	a := s.next(id)
	s.w.provider.record(id, strconv.FormatInt(sent.Phone, 10), a.taken)
	a.write(rw, r)
}

func (s *server) next(id mailing.MessageID) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries[id]++
	s.at[id] = append(s.at[id], s.w.clock.Now())
	if s.tries[id] == 1 && s.first != nil {
		return s.first(id)
	}
	return good()
}

// large answers with a body of 50 MB.
func large() answer {
	return answer{true, func(w http.ResponseWriter, _ *http.Request) {
		chunk := strings.Repeat(" ", 1<<16)
		for range 50 << 20 / len(chunk) {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, `{"code": 0}`)
	}}
}
