package mailing_test

import (
	"testing"
	"time"

	"postrider/internal/mailing"
)

func TestABatchWaitsSinceTheInstantFromWhichItCanBeClaimed(t *testing.T) {
	created := noon.Add(-time.Hour)
	tests := []struct {
		name string
		due  mailing.Due
		want time.Time // zero if it does not wait
	}{
		{"queued when it was created", mailing.Due{}, created},
		{"put off until an instant before its creation", mailing.Due{NotBefore: created.Add(-time.Minute)}, created},
		{"put off until a minute ago", mailing.Due{NotBefore: noon.Add(-time.Minute)}, noon.Add(-time.Minute)},
		{"put off until now", mailing.Due{NotBefore: noon}, noon},
		{"put off for 1 ns more", mailing.Due{NotBefore: noon.Add(1)}, time.Time{}},
		{"held for 1 ns more", mailing.Due{LeaseUntil: noon.Add(1)}, time.Time{}},
		{"held, and put off before", mailing.Due{LeaseUntil: noon.Add(time.Minute), NotBefore: noon.Add(-time.Minute)}, time.Time{}},
		{"held until now by a sender that was killed", mailing.Due{LeaseUntil: noon}, created},
		{"overdue, and queued by sweeps", mailing.Due{DueAt: noon.Add(-time.Minute), Sweeps: 3}, created},
		{"due later, because it is in the queue", mailing.Due{DueAt: noon.Add(time.Minute)}, created},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.due.CreatedAt = created
			since, ok := test.due.WaitingSince(noon)
			if ok == test.want.IsZero() || !since.Equal(test.want) {
				t.Errorf("it waits since %s, %t; want %s", since, ok, test.want)
			}
		})
	}
}
