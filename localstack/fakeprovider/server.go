package fakeprovider

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultToken is the bearer token unless another one is set.
const DefaultToken = "local-token"

// Server is the fake provider: a handler for the sending API and its controls.
type Server struct {
	token  string // the whole Authorization header
	now    func() time.Time
	draw   func() float64
	mux    http.ServeMux
	ledger *ledger
	plan   atomic.Pointer[plan]
	turn   atomic.Uint64 // number of the next garbage answer
	closed chan struct{}
	close  sync.Once
}

// Option changes how New makes a fake provider.
type Option func(*Server)

// WithToken sets the bearer token.
func WithToken(token string) Option { return func(s *Server) { s.token = "Bearer " + token } }

// WithClock sets the clock for the times of arrival.
func WithClock(now func() time.Time) Option { return func(s *Server) { s.now = now } }

// WithDraw sets the source of random numbers from [0, 1). It is called concurrently.
func WithDraw(draw func() float64) Option { return func(s *Server) { s.draw = draw } }

// New returns a fake provider that accepts everything at once.
func New(opts ...Option) *Server {
	s := &Server{
		token:  "Bearer " + DefaultToken,
		now:    time.Now,
		draw:   rand.Float64,
		ledger: newLedger(),
		closed: make(chan struct{}),
	}
	for _, o := range opts {
		o(s)
	}
	s.plan.Store(newPlan(Default()))
	s.mux.HandleFunc("POST /v1/send/{id}", s.send)
	s.mux.HandleFunc("GET /stats", s.getStats)
	s.mux.HandleFunc("GET /ledger", s.getLedger)
	s.mux.HandleFunc("POST /reset", s.postReset)
	s.mux.HandleFunc("GET /behaviour", s.getBehaviour)
	s.mux.HandleFunc("PUT /behaviour", s.putBehaviour)
	return s
}

// ServeHTTP serves the sending API under /v1, and the controls beside it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close ends all waits at once: delayed answers, and hanging connections. It does not
// stop the server.
func (s *Server) Close() { s.close.Do(func() { close(s.closed) }) }

// Stats returns the sums of the ledger.
func (s *Server) Stats() Stats { return s.ledger.stats() }

// Ledger returns all hand-overs in the order in which they were decided.
func (s *Server) Ledger() []Entry {
	blocks := s.ledger.snapshot()
	entries := make([]Entry, 0, len(blocks)*blockSize)
	for _, block := range blocks {
		for _, r := range block {
			entries = append(entries, r.entry())
		}
	}
	return entries
}

// Reset forgets the ledger and the statistics. Hand-overs that are still running are
// not recorded in the new ledger. The behaviour stays.
func (s *Server) Reset() { s.ledger.forget() }

// Behaviour returns the present behaviour.
func (s *Server) Behaviour() Behaviour {
	b := s.plan.Load().Behaviour
	b.RejectPhones = slices.Clone(b.RejectPhones)
	return b
}

// SetBehaviour replaces the behaviour, beginning with the next hand-over. An error
// contains all problems, and nothing changes. HangMS has no default here: start from
// [Default].
func (s *Server) SetBehaviour(b Behaviour) error {
	if err := b.check(); err != nil {
		return err
	}
	b.RejectPhones = append([]string{}, b.RejectPhones...) // never null in JSON
	s.plan.Store(newPlan(b))
	return nil
}
