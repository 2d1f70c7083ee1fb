package provider_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"postrider/internal/mailing"
)

const head200 = "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n"

// TestTheOutcomeOfABrokenAnswer runs act after the server has read the whole request. Only
// the outcome of a 200 needs the whole answer: another status is enough by itself.
func TestTheOutcomeOfABrokenAnswer(t *testing.T) {
	for _, tt := range []struct {
		name string
		act  func(c *net.TCPConn)
		kind mailing.OutcomeKind
		code string
	}{
		{"the connection ends", func(*net.TCPConn) {}, mailing.OutcomeAmbiguous, "cut"},
		{"the connection is reset", reset, mailing.OutcomeAmbiguous, "reset"},
		{"the status line is cut", func(c *net.TCPConn) { write(c, "HTTP/1.1 2") }, mailing.OutcomeAmbiguous, "bad_answer"},
		{"the headers of a 200 are cut", func(c *net.TCPConn) { write(c, "HTTP/1.1 200 OK\r\nContent-Le") }, mailing.OutcomeAmbiguous, "bad_answer"},
		{"the headers of a 400 are cut", func(c *net.TCPConn) { write(c, "HTTP/1.1 400 Bad\r\nContent-Le") }, mailing.OutcomeAmbiguous, "bad_answer"},
		{"the headers of a 200 are cut after a line", func(c *net.TCPConn) { write(c, head200[:len(head200)-2]) }, mailing.OutcomeAmbiguous, "cut"},
		{"the body of a 200 is missing", func(c *net.TCPConn) { write(c, head200) }, mailing.OutcomeAmbiguous, "cut"},
		{"the body of a 200 is cut after the code", func(c *net.TCPConn) { write(c, head200+accepted[:12]) }, mailing.OutcomeAmbiguous, "cut"},
		{
			"the object is whole, the body is not",
			func(c *net.TCPConn) { write(c, "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n"+accepted) },
			mailing.OutcomeAmbiguous, "cut",
		},
		{
			"the object is whole, the last chunk is missing",
			func(c *net.TCPConn) {
				write(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19\r\n"+accepted+"\r\n")
			},
			mailing.OutcomeAmbiguous, "cut",
		},
		{
			"a chunk is malformed",
			func(c *net.TCPConn) {
				write(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19\r\n"+accepted+"\r\nzz\r\n")
			},
			mailing.OutcomeAmbiguous, "bad_answer",
		},
		{
			"the body ends with the connection, as in HTTP/1.0",
			func(c *net.TCPConn) { write(c, "HTTP/1.0 200 OK\r\n\r\n"+accepted) },
			mailing.OutcomeSent, "",
		},
		{"the answer is not HTTP", func(c *net.TCPConn) { write(c, "SSH-2.0-OpenSSH_9.9\r\n") }, mailing.OutcomeAmbiguous, "bad_answer"},
		{
			"the headers are too large",
			func(c *net.TCPConn) {
				write(c, "HTTP/1.1 200 OK\r\nX: ")
				for range 40 {
					write(c, string(make([]byte, 4<<10)))
				}
				hold(c)
			},
			mailing.OutcomeAmbiguous, "bad_answer",
		},
		{
			"the body of a 400 is cut",
			func(c *net.TCPConn) { write(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\nbad") },
			mailing.OutcomeRejected, "http_400",
		},
		{
			"the body of a 503 is cut",
			func(c *net.TCPConn) { write(c, "HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nbad") },
			mailing.OutcomeRetry, "http_503",
		},
		{
			"the body of a 502 is cut",
			func(c *net.TCPConn) { write(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 9\r\n\r\nbad") },
			mailing.OutcomeAmbiguous, "http_502",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serveRaw(t, func(c *net.TCPConn, _ int32) bool {
				tt.act(c)
				return false
			})
			want(t, send(client(t, s.URL)), tt.kind, tt.code)
			if n := s.requests.Load(); n != 1 {
				t.Errorf("%d requests were made", n)
			}
		})
	}
}

func TestAResetBeforeTheRequestIsReadIsNeverTheOutcomeSent(t *testing.T) {
	url := listen(t, reset)
	for range 50 {
		// The reset arrives during the connect, or before, while or after the request
		// is written.
		switch got := send(client(t, url)); got {
		case retry("unreachable"), retry("closed"), ambiguous("reset"), ambiguous("cut"):
		default:
			t.Fatalf("got %+v", got)
		}
	}
}

func TestATimeoutAfterTheRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		head string
		more string // written repeatedly until the connection ends
		kind mailing.OutcomeKind
		code string
	}{
		{"there is no answer", "", "", mailing.OutcomeAmbiguous, "timeout"},
		{"the headers stop", "HTTP/1.1 200 OK\r\nConte", "", mailing.OutcomeAmbiguous, "timeout"},
		{"the body of a 200 stops", head200 + accepted[:20], "", mailing.OutcomeAmbiguous, "timeout"},
		{"the body of a 200 never ends", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", mailing.OutcomeAmbiguous, "timeout"},
		{"the body of a 400 stops", "HTTP/1.1 400 Bad\r\nContent-Length: 9\r\n\r\nx", "", mailing.OutcomeRejected, "http_400"},
		{"the body of a 500 never ends", "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", mailing.OutcomeAmbiguous, "http_500"},
		{"the body of a 503 never ends", "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", mailing.OutcomeRetry, "http_503"},
		{"the body of a 404 stops", "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nx", "", mailing.OutcomeMisconfigured, "http_404"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // each waits for the timeout, which is long for a busy machine
			s := serveRaw(t, func(c *net.TCPConn, _ int32) bool {
				write(c, tt.head)
				for err := error(nil); tt.more != "" && err == nil; {
					_, err = io.WriteString(c, tt.more)
					pause(c, 5*time.Millisecond)
				}
				hold(c)
				return false
			})
			want(t, send(client(t, s.URL, timeout(time.Second))), tt.kind, tt.code)
		})
	}
}

// pause waits until the client has closed the connection, but at most for d.
func pause(c net.Conn, d time.Duration) {
	_ = c.SetReadDeadline(time.Now().Add(d))
	_, _ = c.Read(make([]byte, 1))
	_ = c.SetReadDeadline(time.Time{})
}

func TestAnEarlierDeadlineOfTheCallerIsKept(t *testing.T) {
	s := serveRaw(t, func(c *net.TCPConn, _ int32) bool { hold(c); return false })
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	began := time.Now()
	want(t, client(t, s.URL).Send(ctx, handover), mailing.OutcomeAmbiguous, "timeout")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestACallCancelledAfterTheRequestIsAmbiguous(t *testing.T) {
	for _, head := range []string{"", head200 + accepted[:12]} {
		ctx, cancel := context.WithCancel(t.Context())
		s := serveRaw(t, func(c *net.TCPConn, _ int32) bool {
			write(c, head)
			cancel()
			hold(c)
			return false
		})
		want(t, client(t, s.URL).Send(ctx, handover), mailing.OutcomeAmbiguous, "cancelled")
		cancel()
	}
}
