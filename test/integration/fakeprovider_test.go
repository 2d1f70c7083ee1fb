//go:build integration

package integration_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// handOver is a line of the fake provider's ledger.
type handOver struct {
	ID      int64     `json:"id"`
	Phone   any       `json:"phone"`
	Arrival time.Time `json:"arrival"`
	Answer  string    `json:"answer"`
}

type behaviour struct {
	LatencyMS     int      `json:"latency_ms,omitempty"`
	ErrorShare    float64  `json:"error_share,omitempty"`
	ThrottleShare float64  `json:"throttle_share,omitempty"`
	RetryAfter    string   `json:"retry_after,omitempty"`
	HangShare     float64  `json:"hang_share,omitempty"`
	HangMS        int      `json:"hang_ms,omitempty"`
	ResetShare    float64  `json:"reset_share,omitempty"`
	GarbageShare  float64  `json:"garbage_share,omitempty"`
	RejectPhones  []string `json:"reject_phones,omitempty"`
	Down          bool     `json:"down,omitempty"`
}

// behave sets the behaviour of the fake provider until the test ends.
func (s *service) behave(t *testing.T, b behaviour) {
	t.Helper()
	s.setBehaviour(t, b)
	t.Cleanup(func() { s.setBehaviour(t, behaviour{}) })
}

func (s *service) setBehaviour(t *testing.T, b behaviour) {
	t.Helper()
	req, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPut, s.provider+"/behaviour", bytes.NewReader(req))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(r)
	if err != nil {
		t.Fatalf("set the fake provider's behaviour: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("set the fake provider's behaviour: status %d", resp.StatusCode)
	}
}

// ledger returns the hand-overs of one mailing, in the order in which the ledger lists
// them.
func (s *service) ledger(t *testing.T, mailingID int64) []handOver {
	t.Helper()
	return s.hands(t)[mailingID]
}

// hands returns all hand-overs by mailing, in the order in which the ledger lists them.
// Test messages are those of mailing 0.
func (s *service) hands(t *testing.T) map[int64][]handOver {
	t.Helper()
	got, err := s.ask(t.Context(), http.MethodGet, s.provider+"/ledger", nil)
	if err != nil || got.status != http.StatusOK {
		t.Fatalf("read the ledger: status %d, %v", got.status, err)
	}
	lines := map[int64][]handOver{}
	decoder := json.NewDecoder(bytes.NewReader(got.body))
	for decoder.More() {
		var line handOver
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("read the ledger: %v", err)
		}
		lines[line.ID>>32] = append(lines[line.ID>>32], line)
	}
	return lines
}

// accepted returns how often the fake provider took each message.
func accepted(lines []handOver) map[int64]int {
	times := map[int64]int{}
	for _, l := range lines {
		if isAccepted(l.Answer) {
			times[l.ID]++
		}
	}
	return times
}

// span returns the instants of the first and of the last hand-over.
func span(lines []handOver) (first, last time.Time) {
	for _, l := range lines {
		if first.IsZero() || l.Arrival.Before(first) {
			first = l.Arrival
		}
		if l.Arrival.After(last) {
			last = l.Arrival
		}
	}
	return first, last
}
