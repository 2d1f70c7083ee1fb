package fakeprovider

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxBody is the largest request that is read, in bytes. A text of 1,600 characters
// takes 9,600 bytes at most.
const maxBody = 64 << 10

// send serves the sending API.
func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	p := s.plan.Load()
	age, arrival := s.ledger.opened(), s.now()
	rec := record{arrival: arrival.UnixNano()}
	rec.id, _ = strconv.ParseInt(r.PathValue("id"), 10, 64)
	rec.phone, rec.answer = s.judge(p, r, rec.id)
	// The decision is recorded first: a lost connection does not change it.
	s.ledger.add(age, rec)

	switch rec.answer {
	case Down, Unauthorized, Cut:
	case Hang:
		s.wait(r, p.hang())
	default:
		s.wait(r, p.latency())
	}
	s.answer(w, p, rec.answer)
}

// judge decides about a hand-over, and returns its phone and the answer.
func (s *Server) judge(p *plan, r *http.Request, id int64) (int64, Answer) {
	if p.Down {
		return 0, Down
	}
	if r.Header.Get("Authorization") != s.token {
		return 0, Unauthorized
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return 0, Invalid
	case err != nil:
		return 0, Cut
	}
	var m struct {
		ID    *int64  `json:"id"`
		Phone *int64  `json:"phone"`
		Text  *string `json:"text"`
	}
	if err := json.Unmarshal(body, &m); err != nil || m.ID == nil || m.Phone == nil || m.Text == nil {
		return 0, Invalid
	}
	if *m.ID != id || id <= 0 || !validPhone(*m.Phone) || *m.Text == "" {
		return max(*m.Phone, 0), Invalid
	}
	return *m.Phone, p.decide(*m.Phone, s.draw())
}

// validPhone reports whether a number is 7XXXXXXXXXX.
func validPhone(n int64) bool { return n >= 70_000_000_000 && n <= 79_999_999_999 }

// wait waits for d, or until the client goes or the fake provider is closed.
func (s *Server) wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-s.closed:
	}
}

// answer writes the answer that was decided.
func (s *Server) answer(w http.ResponseWriter, p *plan, a Answer) {
	switch a {
	case Accepted:
		writeJSON(w, http.StatusOK, []byte(ok))
	case Invalid:
		w.WriteHeader(http.StatusBadRequest)
	case Unauthorized:
		w.WriteHeader(http.StatusUnauthorized)
	case Throttled:
		if p.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
		}
		w.WriteHeader(http.StatusTooManyRequests)
	case Error, Down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case Garbage:
		garbage(s.turn.Add(1) - 1).write(w)
	case Reset:
		cutOff(w)
	case Hang, Cut:
		panic(http.ErrAbortHandler) // net/http then ends the connection without an answer
	}
}

// ok is the documented answer.
const ok = `{"code":0,"message":"OK"}`

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = []string{typeJSON}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// cutOff resets the connection, or ends it where it cannot be hijacked.
func cutOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // otherwise the connection would end in order
	}
	_ = conn.Close()
}
