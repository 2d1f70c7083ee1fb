package walk_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// leg is one step of the story: an operation that is called as documented.
type leg struct {
	op string
	// before runs first: it advances the clock, or sends other requests.
	before func(*world, *description)
	// found is the name of the list in the answer that must not be empty.
	found string
}

// story returns the steps of an integrator through all operations.
func story() []leg {
	return []leg{
		{op: "get-health"},
		{op: "get-index"},
		{op: "create-session"},
		{op: "get-session"},
		{op: "delete-session"},
		{op: "create-client"},
		{op: "get-client"},
		{op: "list-clients", found: "items"},
		{op: "import-clients"},
		{op: "get-client-facets", found: "tags"},
		{op: "export-clients"},
		{op: "replace-client"},
		{op: "change-client"},
		{op: "preview-mailing"},
		{op: "create-mailing", before: others},
		{op: "get-mailing"},
		{op: "replace-mailing"},
		{op: "change-mailing"},
		{op: "test-mailing"},
		{op: "get-message"},
		{op: "process-mailings", before: theStart},
		{op: "list-mailings", before: (*world).minute, found: "items"},
		{op: "get-statistics", found: "mailings"},
		{op: "get-mailing-statistics", found: "messages"},
		{op: "get-mailing-series", found: "points"},
		{op: "list-messages", found: "items"},
		{op: "export-messages"},
		{op: "pause-mailing"},
		{op: "resume-mailing"},
		{op: "retry-mailing"},
		{op: "get-queues", before: (*world).minute, found: "dead_letters"},
		{op: "get-metrics"},
		{op: "redrive-dead-letters"},
		{op: "cancel-mailing"},
		{op: "delete-mailing"},
		{op: "delete-client"},
	}
}

// others creates a client whose phone the sending API refuses, and one whose window is
// closed, so that the mailing stays unfinished.
func others(w *world, d *description) {
	w.t.Helper()
	for phone, zone := range map[string]string{"79000000000": "Europe/Moscow", "79007654321": "America/Los_Angeles"} {
		r := w.first(d.operations["create-client"])
		r.body = with(w, r.body, map[string]any{"phone": phone, "timezone": zone})
		if answer := w.send(r); answer.Code != http.StatusCreated {
			w.t.Fatalf("status %d: %s", answer.Code, answer.Body)
		}
	}
}

func theStart(w *world, _ *description) { w.clock.AdvanceTo(w.mailing().StartAt) }

// minute does the pending work, and advances the clock by a minute.
func (w *world) minute(*description) {
	w.t.Helper()
	w.work()
	w.clock.Advance(time.Minute)
}

// walkStory calls each operation as documented. It returns the operations that it called,
// and how many calls to AWS each made.
func walkStory(t *testing.T, d *description) ([]string, map[string]int) {
	t.Helper()
	w := newWorld(t)
	var walked []string
	for _, leg := range story() {
		op := d.operations[leg.op]
		if op == nil {
			t.Errorf("there is no operation %s any more", leg.op)
			continue
		}
		if leg.before != nil {
			leg.before(w, d)
		}
		for _, media := range op.medias() {
			called := w.calls()
			answer := w.send(w.documented(op, media))
			w.cost[leg.op] = max(w.cost[leg.op], w.calls()-called)
			if err := d.conforms(op, answer); err != nil || answer.Code >= http.StatusMultipleChoices {
				t.Fatalf("%s: status %d, %v\n%s", leg.op, answer.Code, err, answer.Body)
			}
			w.follow(op, answer)
			if n := len(listIn(t, answer.Body.Bytes(), leg.found)); leg.found != "" && n == 0 {
				t.Errorf("%s: %s is empty: %s", leg.op, leg.found, answer.Body)
			}
		}
		walked = append(walked, leg.op)
	}
	return walked, w.cost
}

// listIn returns a list in an answer's body.
func listIn(t *testing.T, body []byte, name string) []json.RawMessage {
	t.Helper()
	if name == "" {
		return nil
	}
	var fields map[string]json.RawMessage
	var list []json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(fields[name], &list); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return list
}

func TestPagesLeadToTheEnd(t *testing.T) {
	t.Parallel()
	d, w := readDescription(t), newWorld(t)
	base(w, d)
	second := w.first(d.operations["create-mailing"])
	if answer := w.send(second); answer.Code != http.StatusCreated {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	theStart(w, d)
	w.work()
	lists := map[string]string{"get-statistics": "mailings", "get-mailing-statistics": "messages"}
	for id, op := range d.operations {
		if !op.takes("query", "cursor") || strings.HasPrefix(id, "export-") {
			continue
		}
		name := lists[id]
		if name == "" {
			name = "items"
		}
		var got, whole []string
		for _, limit := range []string{"100", "1"} {
			seen := &whole
			if limit == "1" {
				seen = &got
			}
			cursor := ""
			for range 100 {
				r := w.first(op)
				r.query = map[string][]string{"limit": {limit}, "cursor": {cursor}}
				answer := w.send(r)
				if err := d.conforms(op, answer); err != nil || answer.Code != http.StatusOK {
					t.Fatalf("%s: status %d, %v", id, answer.Code, err)
				}
				for _, one := range listIn(t, answer.Body.Bytes(), name) {
					*seen = append(*seen, string(one))
				}
				var page struct {
					Next string `json:"next_cursor"`
				}
				if err := json.Unmarshal(answer.Body.Bytes(), &page); err != nil {
					t.Fatal(err)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
		}
		if diff := cmp.Diff(whole, got); diff != "" || len(whole) < 2 || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("%s: %d at once, one by one (-want +got):\n%s", id, len(whole), diff)
		}
	}
}

func TestTheAPIIsAsDescribed(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	walked, cost := walkStory(t, d)
	wantCalls(t, d, cost)
	for id := range d.operations {
		if !slices.Contains(walked, id) {
			t.Errorf("operation %s is not walked: give it its place in story", id)
		}
	}
	errs := walkErrors(t, d)
	t.Logf("figure: walked %d operations, %d documented errors", len(walked), errs)
}
