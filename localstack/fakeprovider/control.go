package fakeprovider

import (
	"encoding/json"
	"errors"
	"net/http"
)

// maxControl is the largest behaviour that is read, in bytes: it is enough for 100,000
// phones.
const maxControl = 2 << 20

func (s *Server) getStats(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.Stats()) }

// getLedger writes the ledger as lines of JSON. It leaves out hand-overs that arrive
// while it writes.
func (s *Server) getLedger(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	line := make([]byte, 0, 32<<10)
	for _, block := range s.ledger.snapshot() {
		for _, r := range block {
			line = r.appendJSON(line)
			if len(line) < 31<<10 {
				continue
			}
			if _, err := w.Write(line); err != nil {
				return // the reader has gone
			}
			line = line[:0]
		}
	}
	_, _ = w.Write(line)
}

func (s *Server) postReset(w http.ResponseWriter, _ *http.Request) {
	s.Reset()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) getBehaviour(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, s.Behaviour())
}

// putBehaviour replaces the whole behaviour and answers with it. The status is 400 if
// the body is not JSON, and 422 if it is not a behaviour.
func (s *Server) putBehaviour(w http.ResponseWriter, r *http.Request) {
	b, err := readBehaviour(http.MaxBytesReader(w, r.Body, maxControl))
	if err == nil {
		err = s.SetBehaviour(b)
	}
	switch {
	case errors.Is(err, errUnreadable):
		reply(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
	case err != nil:
		reply(w, http.StatusUnprocessableEntity, map[string]string{"error": err.Error()})
	default:
		reply(w, http.StatusOK, s.Behaviour())
	}
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // cannot happen with our values
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	writeJSON(w, status, append(body, '\n'))
}
