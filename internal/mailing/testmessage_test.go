package mailing_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

func TestATestMessageGoesToAnyValidPhone(t *testing.T) {
	got, err := mailing.NewTest(running(), "79001234567")
	if diff := cmp.Diff(mailing.Test{Mailing: 7, Phone: "79001234567"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, phone := range []string{"", "89001234567", "+79001234567", "7900123456", "790012345678", "7900123456a", " 79001234567", "79001234567\n"} {
		_, err := mailing.NewTest(running(), phone)
		var e *mailing.Error
		if !errors.As(err, &e) || e.Kind != mailing.KindInvalid || len(e.Fields) != 1 || e.Fields[0].Location != "body.phone" {
			t.Errorf("%q: error is %v", phone, err)
		}
	}
}

func TestABatchOfATestMessageHoldsItAloneAndIsDueLikeAnyOther(t *testing.T) {
	to := mailing.Test{Mailing: 7, Phone: "79001234567"}
	got := mailing.TestBatch(19, to, noon)
	want := mailing.Batch{
		Key:        mailing.BatchKey{Mailing: mailing.TestMailing, Slice: 3, Batch: mailing.BatchID{First: 19}},
		Recipients: []mailing.Recipient{{Client: 19, Status: mailing.Queued, At: noon}},
		CreatedAt:  noon, DueAt: noon.Add(mailing.QueuedOverdueAfter), Test: &to,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
	if id := mailing.NewMessageID(got.Key.Mailing, 19); !id.Valid() {
		t.Errorf("its message cannot have the id %d", id)
	}
}

func TestTheSweepHasWorkOnlyIfATestMessageIsPending(t *testing.T) {
	m := mailing.Tests(noon)
	for name, test := range map[string]struct {
		state mailing.SliceState
		want  bool
	}{
		"none was ever created": {mailing.SliceState{}, false}, // it has no audience to expand
		"one is pending":        {mailing.SliceState{Counts: mailing.Counts{Total: 2, Queued: 1, Sent: 1}}, true},
		"all have ended":        {mailing.SliceState{Counts: mailing.Counts{Total: 2, Failed: 1, Sent: 1}}, false},
	} {
		if got := m.Works(test.state, noon); got != test.want {
			t.Errorf("%s: work is %t", name, got)
		}
	}
	if delay, ok := m.TaskDelay(noon); !ok || delay != 0 {
		t.Errorf("its tasks are delayed by %s, %t", delay, ok)
	}
	if m.Closed(noon) {
		t.Error("it is closed: the sweep would queue each pending batch at once")
	}
}
