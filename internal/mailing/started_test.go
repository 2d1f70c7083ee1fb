package mailing_test

import (
	"testing"
	"time"

	"postrider/internal/mailing"
)

func TestAStartedMailingStoresItsStart(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 30, 0, 123_999_999, time.UTC)
	m, err := mailing.New(mailing.Draft{Text: "hello", StartAt: now, EndAt: now.Add(time.Hour)}, now.Add(-time.Hour))
	if err != nil || !m.StartedAt.IsZero() {
		t.Fatalf("a new mailing has started at %s, %v", m.StartedAt, err)
	}
	if early, ok := m.Started(now.Add(-time.Minute)); ok || !early.StartedAt.IsZero() {
		t.Errorf("before its start it has started at %s", early.StartedAt)
	}
	late := now.Add(10 * time.Minute) // the scheduler is late
	started, ok := m.Started(late)
	if want := late.Truncate(time.Millisecond); !ok || !started.StartedAt.Equal(want) {
		t.Errorf("it has started at %s, want %s", started.StartedAt, want)
	}
	again, ok := started.Started(late.Add(time.Minute))
	if ok || !again.StartedAt.Equal(started.StartedAt) {
		t.Errorf("started again at %s", again.StartedAt)
	}
	paused, err := started.Paused(late.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	resumed, err := paused.Resumed(late.Add(2 * time.Minute))
	if err != nil || !resumed.StartedAt.Equal(started.StartedAt) {
		t.Errorf("resumed it has started at %s, %v", resumed.StartedAt, err)
	}
}
