package dynamo_test

import (
	"testing"
	"time"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

func TestARepeatedPostponementSucceedsAndThatOfAnotherTaskIsRefused(t *testing.T) {
	t.Parallel()
	store := dynamotest.Store(t)
	now := time.Now().Truncate(time.Millisecond)
	m := mailing.Mailing{ID: 1, Draft: mailing.Draft{EndAt: now.Add(time.Hour)}}
	clients := []mailing.Client{{ID: 16, Timezone: "UTC"}}
	m.Status, m.StartAt = mailing.StatusRunning, now.Add(-time.Hour)
	batches, counts, _ := mailing.GroupPage(m, 0, clients, now)
	page := mailing.Page{Mailing: 1, Next: 16, Done: true, Batches: batches, Counts: counts}
	if written, err := store.WritePage(t.Context(), m, page); err != nil || !written {
		t.Fatalf("written %t, %v", written, err)
	}
	seen := mailing.Due{Key: batches[0].Key, DueAt: batches[0].DueAt}
	due := now.Add(10 * time.Minute)
	for _, test := range []struct {
		name string
		due  time.Time
		want bool
	}{
		{"at first", due, true},
		{"repeated, as the SDK does when an answer is lost", due, true},
		{"by another task that saw the same due_at", due.Add(time.Second), false},
	} {
		if moved, err := store.Postpone(t.Context(), seen, test.due, false); err != nil || moved != test.want {
			t.Errorf("%s: moved %t, %v", test.name, moved, err)
		}
	}
}
