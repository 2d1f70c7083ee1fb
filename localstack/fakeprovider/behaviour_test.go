package fakeprovider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postrider/localstack/fakeprovider"
)

func put(s *fakeprovider.Server, body string) *httptest.ResponseRecorder {
	return serve(s, httptest.NewRequest(http.MethodPut, "/behaviour", strings.NewReader(body)))
}

func TestPuttingABehaviourReplacesAllOfIt(t *testing.T) {
	s := fakeprovider.New()
	const all = `{"latency_ms":5,"error_share":0.1,"throttle_share":0.2,"retry_after":3,"hang_share":0.05,"hang_ms":7,` +
		`"reset_share":0.15,"garbage_share":0.5,"reject_phones":["79001234567"],"down":true}`
	if w := put(s, all); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != all {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := put(s, `{"latency_ms":9}`); w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	want := fakeprovider.Default()
	want.LatencyMS = 9
	var got fakeprovider.Behaviour
	w := serve(s, httptest.NewRequest(http.MethodGet, "/behaviour", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAWrongBehaviourIsRefusedAndChangesNothing(t *testing.T) {
	s := fakeprovider.New()
	set(t, s, func(b *fakeprovider.Behaviour) { b.LatencyMS = 1 })
	before := s.Behaviour()
	for _, tt := range []struct {
		name, body, says string
		status           int
	}{
		{"no JSON", `latency`, "not one JSON object", 400},
		{"nothing", ``, "not one JSON object", 400},
		{"two objects", `{}{}`, "not one JSON object", 400},
		{"an array", `[]`, "an object", 422},
		{"an unknown key", `{"latency":1}`, `unknown field "latency": the known ones are latency_ms`, 422},
		{"a word for a number", `{"latency_ms":"1"}`, "latency_ms: it is of the kind string, and has to be an integer", 422},
		{"a fraction of a millisecond", `{"latency_ms":1.5}`, "latency_ms", 422},
		{"a number for a phone", `{"reject_phones":[79001234567]}`, "reject_phones: it is of the kind number, and has to be a string", 422},
		{"a share above 1", `{"error_share":1.1}`, "error_share is 1.1: it has to be 0 to 1", 422},
		{"a share below 0", `{"hang_share":-0.1}`, "hang_share is -0.1", 422},
		{"shares above 1 together", `{"reset_share":0.6,"garbage_share":0.5}`, "sum up to 1.1", 422},
		{"a negative time", `{"hang_ms":-1}`, "hang_ms is -1", 422},
		{"a very long time", `{"latency_ms":600001}`, "0 to 600000", 422},
		{"a negative wait", `{"retry_after":-1}`, "retry_after is -1", 422},
		{"a phone that is none", `{"reject_phones":["79001234567","123"]}`, "reject_phones[1]", 422},
		{"two things wrong", `{"hang_ms":-1,"error_share":2}`, `hang_ms is -1: it has to be 0 to 600000\nerror_share`, 422},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := put(s, tt.body)
			if w.Code != tt.status || !strings.Contains(strings.ReplaceAll(w.Body.String(), `\"`, `"`), tt.says) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if !reflect.DeepEqual(s.Behaviour(), before) {
				t.Error("it has changed")
			}
		})
	}
}

func TestSharesMaySumUpToOneDespiteRounding(t *testing.T) {
	if w := put(fakeprovider.New(), `{"error_share":0.1,"throttle_share":0.2,"hang_share":0.3,"reset_share":0.3,"garbage_share":0.1}`); w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestOneDrawPicksAmongTheShares(t *testing.T) {
	draw := 0.0
	s := fakeprovider.New(fakeprovider.WithDraw(func() float64 { return draw }))
	set(t, s, func(b *fakeprovider.Behaviour) {
		b.ErrorShare, b.ThrottleShare, b.HangShare, b.ResetShare, b.GarbageShare, b.HangMS = 0.1, 0.1, 0.1, 0.1, 0.1, 0
	})
	for _, draw = range []float64{0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.99} {
		serve(s, request(1))
	}
	if got := answersOf(s); got != "503 429 hang reset garbage accepted accepted" {
		t.Errorf("got %s", got)
	}
	st := s.Stats()
	if st.Requests != 7 || st.Accepted != 5 || st.Unique != 1 || st.Duplicates != 4 || st.Refused != 2 {
		t.Errorf("stats %+v", st)
	}
}

func TestAThrottledAnswerTellsHowLongToWait(t *testing.T) {
	for seconds, header := range map[int]string{0: "", 7: "7"} {
		s := fakeprovider.New()
		set(t, s, func(b *fakeprovider.Behaviour) { b.ThrottleShare, b.RetryAfter = 1, seconds })
		if w := serve(s, request(1)); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != header {
			t.Errorf("got %d, %q", w.Code, w.Header().Get("Retry-After"))
		}
	}
}

func TestDownRefusesEverythingAndKeepsTheControls(t *testing.T) {
	s := fakeprovider.New()
	set(t, s, func(b *fakeprovider.Behaviour) { b.Down, b.LatencyMS = true, 600_000 })
	if w := serve(s, request(1)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d", w.Code)
	}
	if got := answersOf(s); got != "down" {
		t.Errorf("ledger %q", got)
	}
	if w := put(s, `{}`); w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
	if w := serve(s, request(1)); w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
}

func TestLatencyDelaysTheAnswerAndNotTheAcceptance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakeprovider.New()
		set(t, s, func(b *fakeprovider.Behaviour) { b.LatencyMS = 200 })
		began, done := time.Now(), make(chan int)
		go func() { done <- serve(s, request(1)).Code }()
		synctest.Wait()
		if st := s.Stats(); st.Accepted != 1 {
			t.Errorf("while it waits: %+v", st)
		}
		s.Reset()
		if code, took := <-done, time.Since(began); code != http.StatusOK || took != 200*time.Millisecond {
			t.Errorf("got %d after %v", code, took)
		}
		if st := s.Stats(); st.Requests != 0 {
			t.Errorf("it came back: %+v", st)
		}
	})
}

func TestAHangEndsWithItsTimeOrTheClientOrTheFakeProvider(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(s *fakeprovider.Server, leave context.CancelFunc)
		took time.Duration
	}{
		{"its time", func(*fakeprovider.Server, context.CancelFunc) {}, 30 * time.Second},
		{"the client", func(_ *fakeprovider.Server, leave context.CancelFunc) { leave() }, 0},
		{"the fake provider", func(s *fakeprovider.Server, _ context.CancelFunc) { s.Close(); s.Close() }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fakeprovider.New()
				set(t, s, func(b *fakeprovider.Behaviour) { b.HangShare = 1 })
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				began, done := time.Now(), make(chan bool)
				go func() { done <- serve(s, request(1).WithContext(ctx)) == nil }()
				synctest.Wait()
				tt.end(s, leave)
				if cut, took := <-done, time.Since(began); !cut || took != tt.took {
					t.Errorf("cut off: %v, after %v", cut, took)
				}
				if s.Stats().Accepted != 1 {
					t.Error("it was not accepted")
				}
			})
		})
	}
}
