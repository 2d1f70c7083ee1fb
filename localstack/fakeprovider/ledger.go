package fakeprovider

import (
	"strconv"
	"sync"
	"time"
)

// Answer is the decision about a hand-over: see the table in the package's comment.
type Answer uint8

// The answers. With those up to Garbage, a provider would deliver the message.
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

// String returns the answer as the ledger writes it.
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

// Stats are the sums of the ledger.
type Stats struct {
	Requests   int        `json:"requests"`
	Accepted   int        `json:"accepted"`
	Unique     int        `json:"unique"`
	Duplicates int        `json:"duplicates"`
	Refused    int        `json:"refused"`
	First      *time.Time `json:"first"`
	Last       *time.Time `json:"last"`
}

// record is the stored form of an entry: a million records take 32 MB.
type record struct {
	id, phone, arrival int64 // arrival is in ns since 1970
	answer             Answer
}

func (r record) entry() Entry {
	e := Entry{ID: r.id, Arrival: time.Unix(0, r.arrival).UTC(), Answer: r.answer}
	if r.phone != 0 {
		e.Phone = strconv.FormatInt(r.phone, 10)
	}
	return e
}

// appendJSON appends the entry as a line of JSON.
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

// blockSize is the number of records that are allocated at once, so that a growing
// ledger never copies records.
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

// opened returns the ledger's present age. A hand-over is recorded only if the age is
// the same as at its arrival.
func (l *ledger) opened() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.age
}

// add records a hand-over, unless the ledger was forgotten after the hand-over had
// arrived.
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

// snapshot returns the present records. It copies only the headers of the blocks:
// records are never changed, and later records lie beyond the lengths in the copied
// headers.
func (l *ledger) snapshot() [][]record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([][]record(nil), l.blocks...)
}
