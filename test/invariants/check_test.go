package invariants_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
	"postrider/test/invariants"
)

const retention = 24 * time.Hour

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func messageTo(c mailing.ClientID) mailing.MessageID { return mailing.NewMessageID(7, c) }

// sound returns records that break no rule: a mailing to two of three clients, one of
// which got its message after an uncertain attempt.
func sound() invariants.Records {
	recipients := []mailing.Recipient{{Client: 16, Status: mailing.Sent, Attempts: 1}, {Client: 32, Status: mailing.Sent, Attempts: 2, Uncertain: 1}}
	counts := mailing.CountRecipients(recipients)
	m := &invariants.Mailing{
		Mailing: mailing.Mailing{
			ID: 7, Status: mailing.StatusCompleted, Finished: true, Counts: counts, CreatedAt: noon.Add(-time.Minute), StartedAt: noon,
			Draft: mailing.Draft{StartAt: noon, EndAt: noon.Add(time.Hour), Filter: mailing.Filter{Tags: []string{"a"}}},
		},
		Batches: []invariants.Batch{{
			Batch: mailing.Batch{Key: mailing.BatchKey{Mailing: 7, Batch: mailing.BatchID{First: 16}}, Recipients: recipients},
			TTL:   noon.Add(time.Hour + retention).Unix(),
		}},
	}
	for i := range m.Slices {
		m.Slices[i].Done = true
	}
	m.Slices[0].Counts = counts
	tests := &invariants.Mailing{Batches: []invariants.Batch{{
		Batch: mailing.Batch{Key: mailing.BatchKey{Slice: 1}, Recipients: []mailing.Recipient{{Client: 1, Status: mailing.Sent, Attempts: 1}}}, TTL: 1,
	}}}
	tests.Slices[1].Counts = mailing.CountRecipients(tests.Batches[0].Recipients)
	shown, totals := counts, counts
	m.Shown = &shown
	r := invariants.Records{
		Clients: map[mailing.ClientID]*invariants.Client{}, Retention: retention, Totals: &totals,
		Mailings: map[mailing.ID]*invariants.Mailing{7: m, mailing.TestMailing: tests},
		Handovers: map[mailing.MessageID][]invariants.Handover{
			messageTo(16): {{At: noon, Phone: "79000000016", Taken: true}},
			messageTo(32): {{At: noon, Phone: "79000000032", Taken: true}, {At: noon, Phone: "79000000032"}, {At: noon, Phone: "79000000032", Taken: true}},
			mailing.NewMessageID(mailing.TestMailing, 1): {{At: noon, Phone: "79000000001", Taken: true}},
		},
	}
	for _, c := range []mailing.Client{{ID: 16, Phone: "79000000016", Tag: "a"}, {ID: 32, Phone: "79000000032", Tag: "a"}, {ID: 48, Phone: "79000000048", Tag: "b"}} {
		c.Timezone = "UTC"
		r.Clients[c.ID] = invariants.NewClient(c, noon.Add(-time.Hour), noon.Add(-time.Hour))
	}
	return r
}

// TestEachViolationIsFound breaks sound records in one way at a time.
func TestEachViolationIsFound(t *testing.T) {
	t.Parallel()
	if got := invariants.Check(sound()); len(got.Violations) > 0 || got.Messages != 3 || got.TakenAgain != 1 || got.Uncertain != 1 {
		t.Fatalf("sound records: %+v", got)
	}
	type broken struct {
		invariants.Records

		m     *invariants.Mailing
		batch *invariants.Batch
		first *mailing.Recipient // its message was taken once, without an uncertain attempt
		other *mailing.Recipient // its message was taken twice, with one
	}
	handover := func(b broken) *invariants.Handover { return &b.Handovers[messageTo(16)][0] }
	state := func(from time.Duration, status mailing.Status) invariants.State {
		return invariants.State{From: noon.Add(from), Mailing: mailing.Mailing{
			Status: status, Draft: mailing.Draft{StartAt: noon.Add(-time.Hour), EndAt: noon.Add(time.Hour)},
		}}
	}
	for name, test := range map[string]struct {
		breaks func(b broken)
		want   invariants.Rule
	}{
		"a client of the audience has no message": {func(b broken) { b.batch.Recipients = b.batch.Recipients[:1] }, invariants.Missed},
		"a client of a cancelled mailing has no message": {func(b broken) {
			b.m.Status = mailing.StatusCancelled
			b.batch.Recipients = b.batch.Recipients[:1]
		}, invariants.Missed},
		"a client from before the start has no message": {func(b broken) {
			b.Clients[48].Tag, b.Clients[48].CreatedBefore = "a", noon
		}, invariants.Missed},
		"the filter does not match":                {func(b broken) { b.other.Client = 48 }, invariants.Unasked},
		"the filter matches no longer":             {func(b broken) { b.Clients[32].Tag, b.Clients[32].DeletedAt = "b", noon }, invariants.Unasked},
		"an unknown client":                        {func(b broken) { b.other.Client = 64 }, invariants.Unasked},
		"a hand-over of no message":                {func(b broken) { b.Handovers[messageTo(48)] = b.Handovers[messageTo(16)] }, invariants.Unasked},
		"a hand-over of an unknown mailing":        {func(b broken) { b.Handovers[mailing.NewMessageID(8, 16)] = nil }, invariants.Unasked},
		"a client from after the start":            {func(b broken) { b.Clients[16].CreatedAfter = noon.Add(time.Millisecond) }, invariants.Late},
		"started before its start":                 {func(b broken) { b.m.StartedAt = noon.Add(-1) }, invariants.Early},
		"two messages to a client":                 {func(b broken) { b.other.Client = 16 }, invariants.Twice},
		"taken again without an uncertain attempt": {func(b broken) { b.other.Uncertain = 0 }, invariants.TakenAgain},
		"taken again though its mailing says stop": {func(b broken) { b.m.OnUncertain = mailing.Stop }, invariants.TakenAgain},
		"a test message taken again": {func(b broken) {
			id := mailing.NewMessageID(mailing.TestMailing, 1)
			b.Mailings[mailing.TestMailing].Batches[0].Recipients[0].Uncertain = 1
			b.Handovers[id] = append(b.Handovers[id], b.Handovers[id]...)
		}, invariants.TakenAgain},
		"sent and never taken":              {func(b broken) { handover(b).Taken = false }, invariants.WrongStatus},
		"failed and taken":                  {func(b broken) { b.first.Status = mailing.Failed }, invariants.WrongStatus},
		"failed with uncertain attempts":    {func(b broken) { b.other.Status = mailing.Failed }, invariants.WrongStatus},
		"cancelled with uncertain attempts": {func(b broken) { b.other.Status = mailing.Cancelled }, invariants.WrongStatus},
		"uncertain without attempts":        {func(b broken) { b.first.Status = mailing.Uncertain }, invariants.WrongStatus},
		"handed over before the start":      {func(b broken) { handover(b).At = noon.Add(-1) }, invariants.WrongTime},
		"handed over at the end":            {func(b broken) { handover(b).At = b.m.EndAt }, invariants.WrongTime},
		"refused before the start": {func(b broken) {
			b.Handovers[messageTo(16)] = append(b.Handovers[messageTo(16)], invariants.Handover{At: noon.Add(-1), Phone: "79000000016"})
		}, invariants.WrongTime},
		"handed over outside the window": {func(b broken) {
			b.m.Window = &mailing.Window{From: mailing.ClockTime(13 * time.Hour), To: mailing.ClockTime(2 * time.Hour)}
		}, invariants.WrongTime},
		"handed over more than two seconds after a pause": {func(b broken) {
			b.m.Timeline = invariants.Timeline{state(-time.Hour, mailing.StatusRunning), state(-3*time.Second, mailing.StatusPaused)}
		}, invariants.WrongTime},
		"handed over before the mailing was created": {func(b broken) {
			b.m.Timeline = invariants.Timeline{state(1, mailing.StatusRunning)}
		}, invariants.WrongTime},
		"handed over more than two seconds after the deletion of the client": {func(b broken) {
			b.Clients[16].DeletedAt = noon.Add(-3 * time.Second)
		}, invariants.WrongTime},
		"handed over to another phone":    {func(b broken) { handover(b).Phone = "79000000032" }, invariants.WrongPhone},
		"taken without a phone":           {func(b broken) { handover(b).Phone = "" }, invariants.WrongPhone},
		"pending and not due":             {func(b broken) { b.first.Status = mailing.Queued }, invariants.WrongBatch},
		"not pending and due":             {func(b broken) { b.batch.DueAt = noon }, invariants.WrongBatch},
		"not pending and kept for ever":   {func(b broken) { b.batch.TTL = 0 }, invariants.WrongBatch},
		"not pending and held":            {func(b broken) { b.batch.Holder = "a sender" }, invariants.WrongBatch},
		"a client of another slice":       {func(b broken) { b.batch.Key.Slice = 1 }, invariants.WrongBatch},
		"an empty batch":                  {func(b broken) { b.batch.Recipients = nil }, invariants.WrongBatch},
		"a batch that is too large":       {func(b broken) { b.batch.Recipients = make([]mailing.Recipient, mailing.BatchSize+1) }, invariants.WrongBatch},
		"removed too early":               {func(b broken) { b.batch.TTL-- }, invariants.NotKept},
		"the counts of a slice":           {func(b broken) { b.m.Slices[3].Counts.Sent++ }, invariants.WrongCounts},
		"the counts of a mailing":         {func(b broken) { b.m.Counts.Sent++ }, invariants.WrongCounts},
		"the counts that the API shows":   {func(b broken) { b.m.Shown.Sent-- }, invariants.WrongCounts},
		"the overall statistics":          {func(b broken) { b.Totals.Sent++ }, invariants.WrongCounts},
		"finished with a pending message": {func(b broken) { b.first.Status = mailing.Deferred }, invariants.Unfinished},
		"completed and not expanded":      {func(b broken) { b.m.Slices[3].Done = false }, invariants.Unfinished},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sound()
			m := r.Mailings[7]
			test.breaks(broken{r, m, &m.Batches[0], &m.Batches[0].Recipients[0], &m.Batches[0].Recipients[1]})
			if got := invariants.Check(r); got.Count(test.want) == 0 {
				t.Errorf("not found: %s; found: %v", test.want, got.Violations)
			}
		})
	}
}

// TestAllowedDifferencesAreNoViolations changes sound records in ways that the promise
// allows.
func TestAllowedDifferencesAreNoViolations(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(r invariants.Records){
		"a client that is deleted has no message": func(r invariants.Records) { r.Clients[48].Tag, r.Clients[48].DeletedAt = "a", noon },
		"a client that was edited since has no message": func(r invariants.Records) {
			r.Clients[48].Edit(mailing.Client{ID: 48, Phone: "79000000048", Tag: "a"}, noon)
		},
		"a client that was created since has no message": func(r invariants.Records) {
			r.Clients[48].Tag, r.Clients[48].CreatedBefore = "a", noon.Add(1)
		},
		"a hand-over to an earlier phone": func(r invariants.Records) {
			r.Clients[16].Edit(mailing.Client{ID: 16, Phone: "79000000099", Tag: "b"}, noon)
		},
		"a hand-over whose phone was not read, because the provider was down": func(r invariants.Records) {
			r.Handovers[messageTo(16)] = append(r.Handovers[messageTo(16)], invariants.Handover{At: noon})
		},
		"a hand-over within two seconds after a pause": func(r invariants.Records) {
			paused := invariants.State{From: noon.Add(-invariants.Slack), Mailing: mailing.Mailing{Status: mailing.StatusPaused}}
			r.Mailings[7].Timeline = invariants.Timeline{{Mailing: mailing.Mailing{Status: mailing.StatusRunning, Draft: r.Mailings[7].Draft}}, paused}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sound()
			change(r)
			if got := invariants.Check(r); len(got.Violations) > 0 {
				t.Errorf("%v", got.Violations)
			}
		})
	}
}

func TestARowThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	r := sound()
	row := map[string]types.AttributeValue{
		"part": &types.AttributeValueMemberS{Value: "7#00"}, "id": &types.AttributeValueMemberS{Value: "batch#0000000016#000"},
		"members": &types.AttributeValueMemberS{Value: "[{"},
	}
	if err := r.AddRow(row); err == nil {
		t.Error("no error")
	}
}
