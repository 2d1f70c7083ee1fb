//go:build integration

package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postrider/internal/metrics"
)

// measuring reads the metrics that the deployed functions write from now on.
type measuring map[string]int64

// measure begins the measuring now.
func measure(t *testing.T) measuring {
	t.Helper()
	from := measuring{}
	for _, function := range []string{"SchedulerFunction", "SenderFunction"} {
		from[function] = int64(len(logOf(t, function)))
	}
	return from
}

// logOf returns a function's log, nothing if the function has not run yet.
func logOf(t *testing.T, function string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(running.LogDir(), running.PhysicalID(function)+".log"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return text
}

// emitted returns the sums of the metrics in a function's log, by name, and by name and
// outcome for those that have an outcome.
func (m measuring) emitted(t *testing.T, function string) map[string]int64 {
	t.Helper()
	sums := map[string]int64{}
	for text := range bytes.Lines(logOf(t, function)[m[function]:]) {
		if !bytes.Contains(text, []byte("CloudWatchMetrics")) || !bytes.HasSuffix(text, []byte("\n")) {
			continue
		}
		var line map[string]any
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if stage := running.Output("StageName"); stage == "" || line[metrics.Stage] != stage {
			t.Fatalf("it is not of the stage %q: %s", stage, text)
		}
		for _, name := range metrics.Names() {
			values, ok := line[name].([]any)
			if one, is := line[name].(float64); is {
				values, ok = []any{one}, true
			}
			if !ok {
				continue
			}
			if name == metrics.Deliveries || name == metrics.Attempts {
				name += fmt.Sprintf(" %v", line[metrics.Outcome])
			}
			for _, v := range values {
				n, _ := v.(float64)
				sums[name] += int64(n)
			}
		}
	}
	return sums
}

// countMailing waits until both functions have written the metrics of one mailing to n
// clients, while nothing else was under way.
func (m measuring) countMailing(t *testing.T, n int64) {
	t.Helper()
	sent := []string{metrics.Deliveries + " sent", metrics.Attempts + " sent", metrics.Answered}
	poll(t, "the functions have written the metrics of a mailing", func() (bool, string) {
		sender, scheduler := m.emitted(t, "SenderFunction"), m.emitted(t, "SchedulerFunction")
		complete := scheduler[metrics.Expanded] == n
		for _, name := range sent {
			complete = complete && sender[name] == n
		}
		return complete, fmt.Sprintf("the sender wrote %v, the scheduler %v", sender, scheduler)
	})
	sender := m.emitted(t, "SenderFunction")
	want := append(slices.Clone(sent), metrics.BreakerOpen, metrics.ProviderLatency, metrics.StartLag)
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(sender)); !slices.Equal(got, want) || sender[metrics.BreakerOpen] != 0 {
		t.Errorf("the sender wrote %v, want %s", sender, strings.Join(want, ", "))
	}
}
