package faults_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"postrider/internal/mailing"
)

// row is one fault with a name. Its run demands the outcome.
type row struct {
	name string
	run  func(w *world)
	// days: the row takes days of the world's time, with a sweep each minute: too long
	// for a sample.
	days bool
}

// TestMatrix is the fault matrix. It checks the invariants after each row.
func TestMatrix(t *testing.T) {
	t.Parallel()
	rows := append(answerRows(), waitRows()...)
	rows = append(rows, networkRows()...)
	rows = append(rows, killRows()...)
	rows = append(rows, deliveryRows()...)
	rows = append(rows, tableRows()...)
	rows = append(rows, timeRows()...)
	rows = append(rows, lifeRows()...)
	rows = append(rows, troubleRows()...)
	rows = append(rows, audienceRows()...)
	rows = append(rows, zoneRows()...)
	rows = append(rows, keepRows()...)
	rows = slices.DeleteFunc(rows, func(r row) bool { return r.days && sampled() })
	if sampled() {
		// All rows run without the race detector, each third one with it.
		all := rows
		rows = nil
		for three := range slices.Chunk(all, 3) {
			rows = append(rows, three[0])
		}
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r.run(w)
			w.check()
		})
	}
	t.Logf("figure: %d rows of the fault matrix", len(rows))
}

// tried is the final status of a message, with its attempts.
type tried struct {
	status              mailing.MessageStatus
	attempts, uncertain int
}

// meets runs a mailing in which the first try of every message gets a given answer, while
// the sending API is known to work. It demands the outcome of each message.
func meets(name string, first func(t *testing.T) answer, want tried) row {
	return row{name: name, run: func(w *world) {
		s := overHTTP(w, nil)
		w.clients(8)
		warm := w.create(nil)
		w.sweep()
		w.run(time.Minute, w.finished(warm.ID))
		a := first(w.test)
		s.first = func(mailing.MessageID) answer { return a }
		m := w.create(nil)
		w.sweep()
		w.run(2*time.Hour, w.finished(m.ID))
		w.each(m.ID, want)
	}}
}

// each demands the same outcome of all messages of a mailing.
func (w *world) each(id mailing.ID, want tried) {
	w.t.Helper()
	recipients := w.recipients(id)
	for _, rec := range recipients {
		if got := (tried{rec.Status, rec.Attempts, rec.Uncertain}); got != want {
			w.t.Errorf("client %d: %+v (%s), want %+v", rec.Client, got, rec.Error, want)
		}
		if rec.Status == mailing.Failed && !w.hasDeadLetter(mailing.NewMessageID(id, rec.Client)) {
			w.t.Errorf("client %d: failed, and no dead letter", rec.Client)
		}
	}
	if len(recipients) == 0 {
		w.t.Errorf("mailing %d has no messages", id)
	}
}

func fixed(a answer) func(*testing.T) answer { return func(*testing.T) answer { return a } }

func hanging(before string) func(*testing.T) answer {
	return func(t *testing.T) answer {
		t.Helper()
		closed := make(chan struct{})
		t.Cleanup(func() { close(closed) })
		return hangs(closed, before)
	}
}

func answerRows() []row {
	var (
		once      = tried{mailing.Sent, 1, 0}
		again     = tried{mailing.Sent, 2, 0}
		ambiguous = tried{mailing.Sent, 2, 1}
		rejected  = tried{mailing.Failed, 1, 0}
	)
	taken := func(a answer) func(*testing.T) answer {
		a.taken = true
		return fixed(a)
	}
	slow := answer{true, func(w http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(httpTimeout / 20)
		defer timer.Stop()
		<-timer.C
		good().write(w, r)
	}}
	rows := []row{
		meets("slow, within the timeout", fixed(slow), once),
		meets("hangs", hanging(""), ambiguous),
		meets("its body drips", hanging(`{"code": `), ambiguous),
		meets("200 with garbage", fixed(body("\x00\x01\xfe not JSON")), ambiguous),
		meets("200, truncated", fixed(answer{true, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "30")
			body(`{"code": 0, "mess`).write(w, r)
		}}), ambiguous),
		meets("200 with 50 MB", fixed(large()), ambiguous),
		meets("200 with HTML", fixed(body("<html><body>It works!</body></html>")), ambiguous),
		meets("200 with nothing", fixed(body("")), ambiguous),
		meets("200 and a code that is not 0", fixed(body(`{"code": 7, "message": "no"}`)), ambiguous),
		meets("200 and a code that is no number", fixed(body(`{"code": "0"}`)), ambiguous),
		meets("reset after the request was written", fixed(dropped(true)), ambiguous),
	}
	for _, code := range []int{503, 408, 425} {
		rows = append(rows, meets(strconv.Itoa(code), fixed(status(code)), again))
	}
	for _, code := range []int{500, 501, 502, 504, 520, 202, 204} {
		rows = append(rows, meets(strconv.Itoa(code), taken(status(code)), ambiguous))
	}
	for _, code := range []int{400, 422} {
		rows = append(rows, meets(strconv.Itoa(code), fixed(status(code)), rejected))
	}
	for _, code := range []int{401, 402, 403, 404, 405, 409, 410, 413, 301, 302, 307} {
		rows = append(rows, meets(fmt.Sprintf("%d, of the configuration", code), fixed(status(code, "Location", "/v1/elsewhere")), once))
	}
	return append(rows,
		row{name: "401 from one moment on", run: func(w *world) {
			s := overHTTP(w, nil)
			w.clients(60)
			n := 0
			s.first = func(mailing.MessageID) answer {
				if n++; n <= 20 {
					return good()
				}
				return status(http.StatusUnauthorized)
			}
			m := w.create(nil)
			w.sweep()
			w.run(time.Hour, w.finished(m.ID))
			w.each(m.ID, once)
		}})
}

// waitRows are the ways in which the sending API asks the sender to wait.
func waitRows() []row {
	throttled := func(name string, header func(now time.Time) []string, least, most time.Duration) row {
		return row{name: "429, Retry-After " + name, run: func(w *world) {
			w.clients(6)
			s := overHTTP(w, func(mailing.MessageID) answer { return status(http.StatusTooManyRequests, header(w.clock.Now())...) })
			m := w.create(nil)
			w.sweep()
			w.run(2*time.Hour, w.finished(m.ID))
			w.each(m.ID, tried{mailing.Sent, 1, 0})
			for id, at := range s.at {
				if wait := at[1].Sub(at[0]); len(at) != 2 || wait < least || wait > most {
					w.t.Errorf("message %d was tried again after %s (%d tries)", id, wait, len(at))
				}
			}
		}}
	}
	value := func(v string) func(time.Time) []string {
		return func(time.Time) []string { return []string{"Retry-After", v} }
	}
	date := func(d time.Duration) func(time.Time) []string {
		return func(now time.Time) []string {
			return []string{"Retry-After", now.Add(d).UTC().Format(http.TimeFormat)}
		}
	}
	return []row{
		throttled("absent", func(time.Time) []string { return nil }, 7*time.Second, time.Minute),
		throttled("in seconds", value("40"), 40*time.Second, 2*time.Minute),
		throttled("as a date", date(50*time.Second), 50*time.Second, 2*time.Minute),
		throttled("in the past", date(-time.Hour), 7*time.Second, time.Minute),
		throttled("absurd", value("99999999999999999999"), 15*time.Minute, 17*time.Minute),
		throttled("unreadable", value("soon"), 7*time.Second, time.Minute),
		{name: "a recipient that got a 429 waits longer than its batch", run: func(w *world) {
			// They are in one batch, and too few to open the breaker.
			for i := 1; i <= 6; i++ {
				w.seed(begin, mailing.Client{ID: mailing.ClientID(mailing.Slices * i), Phone: fmt.Sprintf("7901000000%d", i), OperatorCode: "901", Timezone: "UTC"})
			}
			answers := []answer{good(), status(http.StatusTooManyRequests, "Retry-After", "600"), dropped(true)}
			n := 0
			s := overHTTP(w, func(mailing.MessageID) answer {
				n++
				return answers[n%len(answers)]
			})
			m := w.create(nil)
			w.sweep()
			w.run(2*time.Hour, w.finished(m.ID))
			waited := map[string]int{}
			for _, rec := range w.recipients(m.ID) {
				at := s.at[mailing.NewMessageID(m.ID, rec.Client)]
				switch wait := at[len(at)-1].Sub(at[0]); {
				case len(at) == 1:
					waited["not at all"]++
				case rec.Uncertain == 0 && wait >= 10*time.Minute:
					waited["as it was asked to"]++
				case rec.Uncertain > 0 && wait <= 5*time.Minute:
					waited["for its backoff"]++
				default:
					w.t.Errorf("client %d: %+v, tried again after %s", rec.Client, rec, wait)
				}
			}
			if len(waited) != 3 {
				w.t.Errorf("not each way to wait was met: %v", waited)
			}
		}},
	}
}

func networkRows() []row {
	// fails runs a mailing with an address that does not answer, and then with one that
	// does.
	fails := func(name string, address func(t *testing.T) string, code string) row {
		return row{name: name, run: func(w *world) {
			w.clients(4) // too few to open the breaker
			m := w.create(nil)
			w.dial(address(w.test))
			w.sweep()
			w.drain()
			for _, rec := range w.recipients(m.ID) {
				if rec.Status != mailing.Retrying || rec.Attempts != 0 || rec.Error != code {
					w.t.Errorf("client %d: %s, %d attempts, %s", rec.Client, rec.Status, rec.Attempts, rec.Error)
				}
			}
			overHTTP(w, nil)
			w.run(time.Hour, w.finished(m.ID))
			w.each(m.ID, tried{mailing.Sent, 1, 0})
		}}
	}
	return []row{
		fails("refused", func(t *testing.T) string {
			t.Helper()
			closed := httptest.NewServer(http.NotFoundHandler())
			closed.Close()
			return closed.URL
		}, "refused"),
		fails("no such host", func(*testing.T) string { return "http://postrider.invalid" }, "dns"),
		fails("TLS where there is none", func(t *testing.T) string {
			t.Helper()
			plain := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(plain.Close)
			return "https" + plain.URL[len("http"):]
		}, "tls"),
		{name: "reset before the request was written", run: func(w *world) {
			w.clients(6)
			m := w.create(nil)
			w.dial(resetting(w.test))
			w.sweep()
			w.drain()
			overHTTP(w, nil)
			w.run(time.Hour, w.finished(m.ID))
			// The network decides whether a byte was written. No message was taken, so
			// each message is sent once, whichever of them count as uncertain.
			w.sentAll(m.ID, 6)
		}},
		{name: "a panic while sending", run: func(w *world) {
			w.clients(12)
			first := true
			w.provider.behave(func(mailing.Handover) (mailing.Outcome, bool) {
				if first {
					first = false
					panic("a bug")
				}
				return mailing.Outcome{Kind: mailing.OutcomeSent}, true
			})
			m := w.create(nil)
			w.sweep()
			w.run(time.Hour, w.finished(m.ID))
			uncertain := 0
			for _, rec := range w.recipients(m.ID) {
				uncertain += rec.Uncertain
			}
			if uncertain != 1 {
				w.t.Errorf("%d uncertain attempts after one panic", uncertain)
			}
			w.sentAll(m.ID, 12)
		}},
	}
}
