package walk_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"postrider/internal/dynamo/dynamotest"
)

// calls returns how many calls to DynamoDB and to queues the API has made. Reading the
// depths of the four queues counts as one.
func (w *world) calls() int {
	w.lines.mu.Lock()
	n := w.lines.calls
	w.lines.mu.Unlock()
	for _, op := range []dynamotest.Op{
		dynamotest.GetItem, dynamotest.UpdateItem, dynamotest.Query, dynamotest.Scan, dynamotest.BatchGetItem,
		dynamotest.TransactWriteItems,
	} {
		n += w.faults.Calls(op)
	}
	return n
}

// mostCalls is how many calls to AWS each operation may make for its documented request.
// A number may only become smaller. Each operation of the description has a row.
func mostCalls() map[string]int {
	return map[string]int{
		"get-health": 0, "get-index": 0,
		"create-session": 0, "get-session": 0, "delete-session": 0,

		"create-client": 3, "get-client": 1, "replace-client": 1, "change-client": 1, "delete-client": 2,
		"list-clients": 2, "export-clients": 2, "import-clients": 2, "get-client-facets": 2,

		"create-mailing": 2, "get-mailing": 1, "replace-mailing": 2, "change-mailing": 3, "delete-mailing": 3,
		"list-mailings": 2, "preview-mailing": 16, "test-mailing": 4, "process-mailings": 1,
		"pause-mailing": 2, "resume-mailing": 3, "cancel-mailing": 3, "retry-mailing": 4,

		"get-statistics": 3, "get-mailing-statistics": 3, "get-mailing-series": 2,
		"get-message": 2, "list-messages": 4, "export-messages": 5,

		"get-queues": 6, "get-metrics": 7, "redrive-dead-letters": 8,
	}
}

// wantCalls checks that each operation of the description has a row of [mostCalls], and
// made no more calls.
func wantCalls(t *testing.T, d *description, made map[string]int) {
	t.Helper()
	most := mostCalls()
	for _, id := range slices.Sorted(maps.Keys(d.operations)) {
		limit, ok := most[id]
		if !ok {
			t.Errorf("operation %s made %d calls: give it a row in mostCalls", id, made[id])
			continue
		}
		if made[id] > limit {
			t.Errorf("operation %s made %d calls, want at most %d", id, made[id], limit)
		}
		t.Logf("figure: %s makes %d calls", id, made[id])
		delete(most, id)
	}
	for id := range most {
		t.Errorf("there is no operation %s any more", id)
	}
}

func TestStatisticsThatHaveNotChangedCostOneCall(t *testing.T) {
	t.Parallel()
	d, w := readDescription(t), newWorld(t)
	base(w, d)
	theStart(w, d)
	w.work()
	for id, query := range map[string]map[string][]string{"get-statistics": {}, "get-mailing-statistics": {"limit": {"0"}}} {
		r := w.first(d.operations[id])
		r.query = query
		before := w.calls()
		first := w.send(r)
		made := w.calls() - before
		r.header.Set("If-None-Match", first.Header().Get("ETag"))
		before = w.calls()
		again := w.send(r)
		if n := w.calls() - before; again.Code != http.StatusNotModified || n != 1 {
			t.Errorf("%s: status %d after %d calls", id, again.Code, n)
		}
		if err := d.conforms(r.op, again); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if id == "get-mailing-statistics" && made != 1 {
			t.Errorf("%s without messages makes %d calls", id, made)
		}
	}
}
