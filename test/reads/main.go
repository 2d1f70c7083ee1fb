// Command reads sends a mix of reading requests to the API of the stack that runs on this
// machine, at a fixed rate, and prints how they were answered: `make show-reads`. It is
// bounded by RATE requests a second for SECONDS, and connects to 127.0.0.1 only.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	maxRate, maxSeconds = 200, 300
	// patience is how long a request may take: API Gateway gives up after 29 s.
	patience = 30 * time.Second
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "show-reads:", err)
		os.Exit(1)
	}
}

// load is what is sent, and where to.
type load struct {
	base, key     string
	rate, seconds int
	paths         []string
}

func run(ctx context.Context, w io.Writer) error {
	port, errPort := number("PORT", 8000, 65535)
	rate, errRate := number("RATE", 40, maxRate)
	seconds, errSeconds := number("SECONDS", 60, maxSeconds)
	if err := errors.Join(errPort, errRate, errSeconds); err != nil {
		return err
	}
	l := load{
		base: fmt.Sprintf("http://127.0.0.1:%d", port), key: cmp.Or(os.Getenv("KEY"), "local-viewer"), rate: rate, seconds: seconds,
	}
	paths, err := l.reads(ctx)
	if err != nil {
		return fmt.Errorf("read the newest mailing of the stack (is it up? `make up`): %w", err)
	}
	l.paths = paths
	l.send(ctx).print(w, l)
	return nil
}

// number returns a setting of the environment, from 1 to most.
func number(name string, standard, most int) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%s is %q, and must be a number from 1 to %d", name, text, most)
	}
	return n, nil
}

// reads returns the requests of the mix: lists, statistics and single objects.
func (l load) reads(ctx context.Context) ([]string, error) {
	_, body, err := l.get(ctx, "/api/mailings?limit=1")
	if err != nil {
		return nil, err
	}
	var page struct {
		Items []struct {
			ID int64 `json:"id"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, err
	}
	paths := []string{"/api/mailings/fullinfo", "/api/clients?limit=50", "/api/messages?limit=50", "/api/mailings"}
	if len(page.Items) > 0 {
		one := fmt.Sprintf("/api/mailings/%d", page.Items[0].ID)
		paths = append(paths, one, one+"/info", one+"/info?limit=0", one+"/series")
	}
	return paths, nil
}

// answers are the answers to a load.
type answers struct {
	mu       sync.Mutex
	statuses map[int]int // 0 is a request without an answer
	took     []time.Duration
}

// send sends the requests, each at its time, whether the ones before are answered or not.
func (l load) send(ctx context.Context) *answers {
	a := &answers{statuses: map[int]int{}}
	tick := time.NewTicker(time.Second / time.Duration(l.rate))
	defer tick.Stop()
	var group sync.WaitGroup
	for n := range l.rate * l.seconds {
		<-tick.C
		group.Go(func() {
			begun := time.Now()
			status, _, err := l.get(ctx, l.paths[n%len(l.paths)])
			if err != nil {
				status = 0
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.statuses[status]++
			a.took = append(a.took, time.Since(begun))
		})
	}
	group.Wait()
	return a
}

func (l load) get(ctx context.Context, path string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+l.key)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

func (a *answers) print(w io.Writer, l load) {
	slices.Sort(a.took)
	at := func(share float64) time.Duration {
		return a.took[int(share*float64(len(a.took)-1))].Round(time.Millisecond)
	}
	fmt.Fprintf(w, "figure: %d requests, %d a second, of %d kinds: p50 %v, p95 %v, p99 %v, slowest %v\n",
		len(a.took), l.rate, len(l.paths), at(0.5), at(0.95), at(0.99), at(1))
	fmt.Fprintf(w, "figure: by status (0 is no answer): %v\n", a.statuses)
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprintf(w, "figure: load of the machine at the end: %s", load)
	}
}
