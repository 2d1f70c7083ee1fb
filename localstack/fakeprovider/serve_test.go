package fakeprovider_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"postrider/internal/mailing"
	"postrider/internal/provider"
	"postrider/localstack/fakeprovider"
)

// start runs the fake provider on a free port, and returns it with our own client for
// it.
func start(t *testing.T, change func(*fakeprovider.Behaviour)) (*fakeprovider.Server, *provider.Client, func() error) {
	t.Helper()
	s := fakeprovider.New()
	b := fakeprovider.Default()
	change(&b)
	if err := s.SetBehaviour(b); err != nil {
		t.Fatal(err)
	}
	listeners, err := fakeprovider.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listeners...) }()
	c, err := provider.New(provider.Config{
		BaseURL: "http://" + listeners[0].Addr().String() + "/v1", Token: fakeprovider.DefaultToken,
		Timeout: 10 * time.Second, MaxConns: 16, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		c.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return s, c, stop
}

func handOver(n int) mailing.Handover {
	return mailing.Handover{ID: mailing.NewMessageID(1, mailing.ClientID(n+1)), Phone: "79001234567", Text: "Hello"}
}

func TestOurClientSeesEachFaultAsItIsMeant(t *testing.T) {
	for _, tt := range []struct {
		name     string
		change   func(*fakeprovider.Behaviour)
		kind     mailing.OutcomeKind
		codes    string
		accepted int
	}{
		{"nothing wrong", func(*fakeprovider.Behaviour) {}, mailing.OutcomeSent, ";;;;;;;", 8},
		{"errors", func(b *fakeprovider.Behaviour) { b.ErrorShare = 1 }, mailing.OutcomeRetry, strings.Repeat("http_503;", 7) + "http_503", 0},
		{"rejected", func(b *fakeprovider.Behaviour) { b.RejectPhones = []string{"79001234567"} }, mailing.OutcomeRejected, strings.Repeat("http_400;", 7) + "http_400", 0},
		{"down", func(b *fakeprovider.Behaviour) { b.Down = true }, mailing.OutcomeRetry, strings.Repeat("http_503;", 7) + "http_503", 0},
		{"resets", func(b *fakeprovider.Behaviour) { b.ResetShare = 1 }, mailing.OutcomeAmbiguous, strings.Repeat("reset;", 7) + "reset", 8},
		{"hangs", func(b *fakeprovider.Behaviour) { b.HangShare, b.HangMS = 1, 1 }, mailing.OutcomeAmbiguous, strings.Repeat("cut;", 7) + "cut", 8},
		{
			"garbage", func(b *fakeprovider.Behaviour) { b.GarbageShare = 1 }, mailing.OutcomeAmbiguous,
			"bad_answer;bad_answer;cut;no_code;code_1;http_202;http_502;http_504", 8,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c, _ := start(t, tt.change)
			codes := make([]string, 0, 8)
			for i := range 8 {
				got := c.Send(t.Context(), handOver(i))
				if got.Kind != tt.kind {
					t.Errorf("got %+v", got)
				}
				codes = append(codes, got.Code)
			}
			if got := strings.Join(codes, ";"); got != tt.codes {
				t.Errorf("got %s, want %s", got, tt.codes)
			}
			if st := s.Stats(); st.Requests != 8 || st.Accepted != tt.accepted || st.Unique != tt.accepted {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestAThrottledClientIsToldHowLong(t *testing.T) {
	_, c, _ := start(t, func(b *fakeprovider.Behaviour) { b.ThrottleShare, b.RetryAfter = 1, 7 })
	want := mailing.Outcome{Kind: mailing.OutcomeThrottled, Code: "http_429", RetryAfter: 7 * time.Second}
	if got := c.Send(t.Context(), handOver(1)); got != want {
		t.Errorf("got %+v", got)
	}
}

func TestManyClientsAtOnceAreCountedOnceEach(t *testing.T) {
	s, c, _ := start(t, func(*fakeprovider.Behaviour) {})
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			if got := c.Send(t.Context(), handOver(i%250)); got.Kind != mailing.OutcomeSent {
				t.Errorf("got %+v", got)
			}
		})
	}
	wg.Wait()
	st := s.Stats()
	if st.Requests != 500 || st.Accepted != 500 || st.Unique != 250 || st.Duplicates != 250 || len(s.Ledger()) != 500 {
		t.Errorf("stats %+v", st)
	}
}

func TestStoppingEndsHangsAndIsNoError(t *testing.T) {
	s, c, stop := start(t, func(b *fakeprovider.Behaviour) { b.HangShare = 1 })
	done := make(chan mailing.Outcome)
	go func() { done <- c.Send(context.Background(), handOver(1)) }()
	for s.Stats().Accepted == 0 {
		runtime.Gosched()
	}
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := <-done; got.Kind != mailing.OutcomeAmbiguous {
		t.Errorf("got %+v", got)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

func shut(t *testing.T, l net.Listener) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnAddressInUseIsAnErrorAndLeavesNothingOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, taken)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	shut(t, free)
	if _, err := fakeprovider.Listen(t.Context(), address, taken.Addr().String()); err == nil || !strings.Contains(err.Error(), "is another one running") {
		t.Errorf("got %v", err)
	}
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the other address was left open: %v", err)
	}
	shut(t, again)
}

func TestAnAddressThatThisMachineLacksIsLeftOut(t *testing.T) {
	// 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
	listeners, err := fakeprovider.Listen(t.Context(), "192.0.2.1:0", "127.0.0.1:0")
	if err != nil || len(listeners) != 1 {
		t.Fatalf("got %v, %v", listeners, err)
	}
	shut(t, listeners[0])
	if _, err := fakeprovider.Listen(t.Context(), "192.0.2.1:0"); err == nil {
		t.Error("nothing is open, and that is no error")
	}
}

// BenchmarkSend measures client and fake provider together, on all cores.
func BenchmarkSend(b *testing.B) {
	s := fakeprovider.New()
	listeners, err := fakeprovider.Listen(b.Context(), "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listeners...) }()
	c, err := provider.New(provider.Config{
		BaseURL: "http://" + listeners[0].Addr().String() + "/v1", Token: fakeprovider.DefaultToken,
		Timeout: 10 * time.Second, MaxConns: 100, Now: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if got := c.Send(context.Background(), handOver(1)); got.Kind != mailing.OutcomeSent {
				b.Errorf("got %+v", got)
			}
		}
	})
	c.Close()
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
