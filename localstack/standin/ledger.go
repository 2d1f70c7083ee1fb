package standin

import (
	"strconv"
	"sync"
	"time"
)

// Answer is what was decided about a hand-over: see the package's table.
type Answer uint8

// The answers. Up to Garbage, a provider would deliver the message.
const (
	Accepted Answer = iota
	Hang
	Reset
	Garbage
	Invalid
	Unauthorized
	Throttled
	Error
	Down
	Cut
)

// String is the answer as the ledger writes it.
func (a Answer) String() string {
	return [...]string{"accepted", "hang", "reset", "garbage", "400", "401", "429", "503", "down", "cut"}[a]
}

// Accepts reports whether a provider would deliver the message.
func (a Answer) Accepts() bool { return a <= Garbage }

// Entry is a line of the ledger.
type Entry struct {
	ID      int64  // 0 if the path has none
	Phone   string // "" if the body was not read
	Arrival time.Time
	Answer  Answer
}

// Stats are the ledger's sums.
type Stats struct {
	Requests   int        `json:"requests"`
	Accepted   int        `json:"accepted"`
	Unique     int        `json:"unique"`
	Duplicates int        `json:"duplicates"`
	Refused    int        `json:"refused"`
	First      *time.Time `json:"first"`
	Last       *time.Time `json:"last"`
}

// record is an entry as it is kept: a million take 32 MB.
type record struct {
	id, phone, arrival int64 // arrival in ns since 1970
	answer             Answer
}

func (r record) entry() Entry {
	e := Entry{ID: r.id, Arrival: time.Unix(0, r.arrival).UTC(), Answer: r.answer}
	if r.phone != 0 {
		e.Phone = strconv.FormatInt(r.phone, 10)
	}
	return e
}

// appendJSON writes the entry as a line.
func (r record) appendJSON(to []byte) []byte {
	to = append(to, `{"id":`...)
	to = strconv.AppendInt(to, r.id, 10)
	to = append(to, `,"phone":"`...)
	if r.phone != 0 {
		to = strconv.AppendInt(to, r.phone, 10)
	}
	to = append(to, `","arrival":"`...)
	to = time.Unix(0, r.arrival).UTC().AppendFormat(to, time.RFC3339Nano)
	to = append(to, `","answer":"`...)
	to = append(to, r.answer.String()...)
	return append(to, '"', '}', '\n')
}

// blockSize is how many records are allocated at once: growing never copies.
const blockSize = 1 << 14

// ledger is append-only, until it is forgotten as a whole.
type ledger struct {
	mu       sync.Mutex
	age      uint64 // how often it was forgotten
	blocks   [][]record
	seen     map[int64]struct{} // accepted ids
	requests int
	accepted int
	first    int64
	last     int64
}

func newLedger() *ledger { return &ledger{seen: make(map[int64]struct{}, blockSize)} }

// opened is the age that a hand-over arrives in, and has to be recorded in.
func (l *ledger) opened() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.age
}

// add records a hand-over, unless the ledger was forgotten since it arrived.
func (l *ledger) add(age uint64, r record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if age != l.age {
		return
	}
	n := len(l.blocks)
	if n == 0 || len(l.blocks[n-1]) == blockSize {
		l.blocks = append(l.blocks, make([]record, 0, blockSize))
		n++
	}
	l.blocks[n-1] = append(l.blocks[n-1], r)
	if l.requests == 0 || r.arrival < l.first {
		l.first = r.arrival
	}
	if l.requests == 0 || r.arrival > l.last {
		l.last = r.arrival
	}
	l.requests++
	if r.answer.Accepts() {
		l.accepted++
		l.seen[r.id] = struct{}{}
	}
}

func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.age++
	l.blocks, l.requests, l.accepted, l.first, l.last = nil, 0, 0, 0, 0
	l.seen = make(map[int64]struct{}, blockSize)
}

func (l *ledger) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{
		Requests: l.requests, Accepted: l.accepted, Refused: l.requests - l.accepted,
		Unique: len(l.seen), Duplicates: l.accepted - len(l.seen),
	}
	if l.requests > 0 {
		first, last := time.Unix(0, l.first).UTC(), time.Unix(0, l.last).UTC()
		s.First, s.Last = &first, &last
	}
	return s
}

// snapshot is what is there now. It copies the blocks' headers only: records
// are never changed, and new ones are behind the lengths seen here.
func (l *ledger) snapshot() [][]record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([][]record(nil), l.blocks...)
}
