package walk_test

import (
	"net/http"
	"testing"
)

func TestARepeatedRequestIsAnsweredAsTheFirstOne(t *testing.T) {
	t.Parallel()
	d, w := readDescription(t), newWorld(t)
	base(w, d)
	walked := 0
	for id, op := range d.operations {
		if !op.takes("header", "Idempotency-Key") {
			continue
		}
		r := w.first(op)
		r.header.Set("Idempotency-Key", "walk-"+id)
		if id == "create-client" {
			r.body = with(w, r.body, map[string]any{"phone": "79005550001"})
		}
		first, again := w.send(r), w.send(r)
		for _, answer := range []int{first.Code, again.Code} {
			if answer >= http.StatusMultipleChoices {
				t.Fatalf("%s: status %d: %s", id, answer, first.Body)
			}
		}
		if err := d.conforms(op, again); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if first.Body.String() != again.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: first %s\nthen %s %v", id, first.Body, again.Body, again.Header())
		}
		walked++
	}
	if walked != 3 {
		t.Errorf("%d operations take an Idempotency-Key, want 3", walked)
	}
}
