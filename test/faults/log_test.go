package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postrider/internal/mailing"
)

// logged collects all log lines of the functions while a test uses it.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// about returns the messages of the lines that contain an id: the result of one search.
func (l *logged) about(t *testing.T, id uint64) map[string]bool {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(l.text.String()), "\n") {
		var fields struct {
			Msg string `json:"msg"`
		}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("a line is no JSON: %v: %s", err, line)
		}
		// An id is a whole number, not a part of a longer one.
		for word := range strings.FieldsFuncSeq(line, func(r rune) bool { return r < '0' || r > '9' }) {
			if word == strconv.FormatUint(id, 10) {
				found[fields.Msg] = true
			}
		}
	}
	return found
}

// TestLogLinesHaveIDsAndNoPersonalData is not parallel, because it reads the log of
// the whole process.
func TestLogLinesHaveIDsAndNoPersonalData(t *testing.T) { //nolint:paralleltest // see above
	log := &logged{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(before)

	w := newWorld(t)
	s := overHTTP(w, nil)
	const text = "A confidential offer"
	created := w.call(http.MethodPost, "/api/clients", `{"phone": "79008887766", "timezone": "Europe/Moscow", "tag": "secret-tag"}`)
	var made struct {
		ID mailing.ClientID `json:"id"`
	}
	if err := json.Unmarshal(created.Body.Bytes(), &made); err != nil || made.ID == 0 {
		t.Fatalf("create a client: %d %s", created.Code, created.Body)
	}
	w.know(mailing.Client{ID: made.ID, Phone: "79008887766", Timezone: "Europe/Moscow", OperatorCode: "900", Tag: "secret-tag"})
	s.first = func(mailing.MessageID) answer { return status(http.StatusServiceUnavailable) }
	m := w.adopt(w.call(http.MethodPost, "/api/mailings", w.posted(func(fields map[string]any) { fields["text"] = text })))
	w.run(time.Hour, w.finished(m.ID))
	w.call(http.MethodPost, fmt.Sprintf("/api/mailings/%d/test", m.ID), `{"phone": "79991112233"}`)
	w.run(time.Minute, nil)
	id := mailing.NewMessageID(m.ID, made.ID)
	w.call(http.MethodGet, fmt.Sprintf("/api/messages/%d", id), "")
	w.call(http.MethodGet, "/api/clients?phone=79008887766", "")
	w.sentAll(m.ID, 1)

	// Each of the three functions has a line about it: API, scheduler and sender.
	for subject, search := range map[string]struct {
		id    uint64
		lines []string
	}{
		"the mailing": {uint64(m.ID), []string{"request", "batch written", "batch settled", "mailing finished"}},
		"the message": {uint64(id), []string{"request", "batch written", "hand-over without success", "batch settled"}},
		"the client":  {uint64(made.ID), []string{"request", "batch written", "hand-over without success", "batch settled"}},
	} {
		found := log.about(t, search.id)
		for _, line := range search.lines {
			if !found[line] {
				t.Errorf("%s: no line %q among %v", subject, line, found)
			}
		}
	}
	for _, secret := range []string{text, "79008887766", "79991112233", "9008887766", "secret-tag", httpToken} {
		if strings.Contains(log.text.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}
