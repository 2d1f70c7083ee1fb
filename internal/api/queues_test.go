package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"postrider/internal/api"
	"postrider/internal/mailing"
)

const redrivePath = "/api/queues/dead-letters/redrive"

// storedLetter returns the dead letter of a failed message of a mailing.
func storedLetter(handle string, m mailing.ID, c mailing.ClientID) mailing.StoredLetter {
	return mailing.StoredLetter{
		Handle: handle, QueuedAt: now.Add(-time.Minute),
		Letter: &mailing.DeadLetter{Message: mailing.NewMessageID(m, c), Reason: "http_400", Attempts: 2, At: now.Add(-time.Hour)},
	}
}

func storedDelivery(handle string) mailing.StoredLetter {
	key := mailing.BatchKey{Mailing: 3, Slice: 7, Batch: mailing.BatchID{First: 7}}
	return mailing.StoredLetter{Handle: handle, QueuedAt: now.Add(-2 * time.Minute), Delivery: &key}
}

func storedNonsense(handle string) mailing.StoredLetter {
	return mailing.StoredLetter{Handle: handle, QueuedAt: now.Add(-3 * time.Minute)}
}

func TestTheQueuesAreReturnedWithDeadLetters(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{oldest: now.Add(-90*time.Second - 250_000_001)})
	v.queues.depths = []mailing.QueueDepth{
		{Name: "tasks", Waiting: 1}, {Name: "deliveries", Waiting: 40, InFlight: 5, Delayed: 6}, {Name: "dead-letters", Waiting: 4},
	}
	v.queues.peeked = []mailing.StoredLetter{storedLetter("a", 3, 7), storedNonsense("b"), storedDelivery("c"), storedLetter("d", mailing.TestMailing, 5)}
	wantJSON(t, v.call(http.MethodGet, "/api/queues", ""), http.StatusOK, `{
		"provider": {"down_since": null, "next_probe_at": null},
		"queues": [
			{"name": "tasks", "waiting": 1, "in_flight": 0, "delayed": 0, "oldest_age_seconds": null},
			{"name": "deliveries", "waiting": 40, "in_flight": 5, "delayed": 6, "oldest_age_seconds": 90.25},
			{"name": "dead-letters", "waiting": 4, "in_flight": 0, "delayed": 0, "oldest_age_seconds": 180}],
		"dead_letters": [
			{"message_id": 12884901895, "mailing_id": 3, "client_id": 7, "reason": "http_400", "attempts": 2, "at": "2030-01-31T11:00:00.000Z"},
			{"message_id": 0, "mailing_id": 0, "client_id": 0, "reason": "unreadable", "attempts": 0, "at": "2030-01-31T11:57:00.000Z"},
			{"message_id": 0, "mailing_id": 3, "client_id": 0, "reason": "received_too_often", "attempts": 0, "at": "2030-01-31T11:58:00.000Z"},
			{"message_id": 5, "mailing_id": 0, "client_id": 0, "reason": "http_400", "attempts": 2, "at": "2030-01-31T11:00:00.000Z"}]}`)
	if len(v.queues.removed)+len(v.queues.delivered) > 0 {
		t.Error("looking changes something")
	}
}

func TestEmptyQueuesHaveNoAge(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	v.queues.depths = []mailing.QueueDepth{{Name: "deliveries"}, {Name: "dead-letters"}}
	wantJSON(t, v.call(http.MethodGet, "/api/queues", ""), http.StatusOK, `{"dead_letters": [], "provider": {"down_since": null, "next_probe_at": null}, "queues": [
		{"name": "deliveries", "waiting": 0, "in_flight": 0, "delayed": 0, "oldest_age_seconds": null},
		{"name": "dead-letters", "waiting": 0, "in_flight": 0, "delayed": 0, "oldest_age_seconds": null}]}`)
}

func TestTheQueuesSaySinceWhenTheSendingAPIIsDown(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{outage: mailing.Outage{}.Begun(now.Add(-10 * time.Second))})
	wantJSON(t, v.call(http.MethodGet, "/api/queues", ""), http.StatusOK, `{"dead_letters": [], "queues": [],
		"provider": {"down_since": "2030-01-31T11:59:50.000Z", "next_probe_at": "2030-01-31T12:00:50.000Z"}}`)
}

func TestALimitBoundsTheDeadLettersAndZeroDoesNotHideAny(t *testing.T) {
	t.Parallel()
	for limit, want := range map[string]int{"0": 0, "1": 1, "2": 2, "50": 2} {
		v := serve(t, &stores{})
		v.queues.peeked = []mailing.StoredLetter{storedLetter("a", 3, 7), storedLetter("b", 3, 8)}
		if limit == "0" {
			v.queues.fail["peek"] = errors.New("it is called")
		}
		var got api.QueueList
		w := v.call(http.MethodGet, "/api/queues?limit="+limit, "")
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || len(got.DeadLetters) != want {
			t.Errorf("limit %s: status %d, %d letters, want %d, %v", limit, w.Code, len(got.DeadLetters), want, err)
		}
	}
	wantProblem(t, serve(t, &stores{}).call(http.MethodGet, "/api/queues?limit=51", ""), http.StatusUnprocessableEntity, "query.limit")
}

func TestNoAgeIsNegativeWhereClocksDiffer(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{oldest: now.Add(time.Second)})
	v.queues.depths = []mailing.QueueDepth{{Name: "deliveries"}}
	wantJSON(t, v.call(http.MethodGet, "/api/queues", ""), http.StatusOK, `{"dead_letters": [], "provider": {"down_since": null, "next_probe_at": null}, "queues": [
		{"name": "deliveries", "waiting": 0, "in_flight": 0, "delayed": 0, "oldest_age_seconds": 0}]}`)
}

func TestQueuesThatCannotBeReadAreAnInternalError(t *testing.T) {
	t.Parallel()
	broken := errors.New("queue postrider-dead is gone")
	for _, call := range []string{"depths", "peek", "oldest", "outage"} {
		s := &stores{}
		v := serve(t, s)
		v.queues.fail[call] = broken
		switch call {
		case "oldest":
			s.fail = broken
		case "outage":
			s.outageFails = broken
		}
		w := v.call(http.MethodGet, "/api/queues", "")
		wantProblem(t, w, http.StatusInternalServerError)
		if strings.Contains(w.Body.String(), "postrider-dead") || !strings.Contains(v.log.String(), "postrider-dead") {
			t.Errorf("%s: it answers %s and logs %s", call, w.Body, v.log)
		}
	}
}

// redriven requests a redrive and returns the outcome of the letters.
func redriven(t *testing.T, v service) api.Redriven {
	t.Helper()
	w := v.call(http.MethodPost, redrivePath, "")
	var got api.Redriven
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v: %s", w.Code, err, w.Body)
	}
	return got
}

func TestARedriveRemovesRetriedAndStaleLetters(t *testing.T) {
	t.Parallel()
	var asked []mailing.DeadLetter
	v := serve(t, &stores{redrive: func(id mailing.ID, letters []mailing.DeadLetter) (mailing.Mailing, mailing.Redriving, error) {
		asked = append(asked, letters...)
		var r mailing.Redriving
		for _, l := range letters {
			switch l.Message.Client() {
			case 7:
				r.Requeued = append(r.Requeued, l)
			case 8:
				r.Stale = append(r.Stale, l)
			default:
				r.Kept = append(r.Kept, l)
			}
		}
		return mailing.Mailing{ID: id}, r, nil
	}})
	letters := []mailing.StoredLetter{
		storedLetter("revived", 3, 7), storedLetter("stale", 3, 8), storedLetter("kept", 3, 9), storedLetter("another's", 4, 8),
		storedDelivery("delivery"), storedNonsense("nonsense"), storedLetter("test", mailing.TestMailing, 5),
	}
	v.queues.taken = [][]mailing.StoredLetter{letters}
	wantJSON(t, v.call(http.MethodPost, redrivePath, ""), http.StatusOK, `{"redriven": 2, "stale": 3, "kept": 2, "more": false}`)

	slices.Sort(v.queues.removed)
	if diff := cmp.Diff([]string{"another's", "delivery", "revived", "stale", "test"}, v.queues.removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]mailing.BatchKey{*letters[4].Delivery}, v.queues.delivered); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]mailing.ID{3}, v.tasks.queued); diff != "" {
		t.Errorf("mailings whose tasks are queued (-want +got):\n%s", diff)
	}
	if len(asked) != 4 {
		t.Errorf("the store is asked for %d letters: a test is not tried again", len(asked))
	}
}

func TestLettersOfAnEndedMailingAreKeptAndOfAnUnknownOneStale(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		want    api.Redriven
		removed []string
	}{
		"its end has come": {mailing.Conflict("its end has passed"), api.Redriven{Kept: 2}, nil},
		"it is gone":       {mailing.NotFound("mailing"), api.Redriven{Stale: 2}, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := serve(t, &stores{redrive: func(mailing.ID, []mailing.DeadLetter) (m mailing.Mailing, r mailing.Redriving, err error) {
				return m, r, c.err
			}})
			v.queues.taken = [][]mailing.StoredLetter{{storedLetter("a", 3, 7), storedLetter("b", 3, 8)}}
			if diff := cmp.Diff(c.want, redriven(t, v)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.removed, v.queues.removed, cmpopts.EquateEmpty()); diff != "" || len(v.tasks.queued) > 0 {
				t.Errorf("%d queued, removed (-want +got):\n%s", len(v.tasks.queued), diff)
			}
		})
	}
}

func TestARedriveEndsWithTheLastLetterOrAfterEightSeconds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		each   time.Duration // the time that one round of letters needs
		rounds int
		want   api.Redriven
	}{
		{"no letters", time.Second, 0, api.Redriven{}},
		{"few", time.Second, 3, api.Redriven{Redriven: 3}},
		{"more than fit into eight seconds", time.Second, 30, api.Redriven{Redriven: 8, More: true}},
		{"one round that takes all the time", time.Minute, 2, api.Redriven{Redriven: 1, More: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			clock := now
			v := serveAt(t, &stores{redrive: func(id mailing.ID, letters []mailing.DeadLetter) (mailing.Mailing, mailing.Redriving, error) {
				clock = clock.Add(test.each)
				return mailing.Mailing{ID: id}, mailing.Redriving{Requeued: letters}, nil
			}}, func() time.Time { return clock })
			for range test.rounds {
				v.queues.taken = append(v.queues.taken, []mailing.StoredLetter{storedLetter("a", 3, 7)})
			}
			if diff := cmp.Diff(test.want, redriven(t, v)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(v.queues.removed) != test.want.Redriven {
				t.Errorf("%d are removed", len(v.queues.removed))
			}
		})
	}
}

func TestNoLetterIsRemovedBeforeItsMessageIsRetried(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		call     string
		store    error
		delivery bool
	}{
		"letters cannot be taken":          {call: "take"},
		"a delivery cannot be queued":      {call: "deliver", delivery: true},
		"the store fails":                  {store: broken},
		"the letters that are not removed": {call: "remove"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := serve(t, &stores{redrive: func(id mailing.ID, letters []mailing.DeadLetter) (mailing.Mailing, mailing.Redriving, error) {
				return mailing.Mailing{ID: id}, mailing.Redriving{Requeued: letters}, c.store
			}})
			v.queues.fail[c.call] = broken
			v.queues.taken = [][]mailing.StoredLetter{{storedLetter("a", 3, 7)}}
			if c.delivery {
				v.queues.taken[0] = append(v.queues.taken[0], storedDelivery("b"))
			}
			wantProblem(t, v.call(http.MethodPost, redrivePath, ""), http.StatusInternalServerError)
			if len(v.queues.removed) > 0 {
				t.Errorf("removed %v", v.queues.removed)
			}
		})
	}
}

func TestARedriveTriesTheMatchingLettersOnly(t *testing.T) {
	t.Parallel()
	other := storedLetter("another reason", 3, 8)
	other.Letter.Reason = "timeout"
	rounds := [][]mailing.StoredLetter{
		{storedLetter("first", 3, 7), other, storedDelivery("delivery"), storedNonsense("nonsense")},
		{storedLetter("another mailing", 4, 7), storedLetter("last", 3, 9)},
	}
	for query, want := range map[string][]string{
		"":                                     {"another mailing", "another reason", "delivery", "first", "last"},
		"?reason=http_400":                     {"another mailing", "first", "last"},
		"?mailing_id=3":                        {"another reason", "delivery", "first", "last"},
		"?mailing_id=3&reason=http_400":        {"first", "last"},
		"?reason=received_too_often":           {"delivery"},
		"?reason=HTTP_400":                     nil,
		"?message_id=12884901896":              {"another reason"},
		"?message_id=12884901897":              {"last"},
		"?message_id=12884901897&mailing_id=3": {"last"},
		"?message_id=12884901999":              nil,
	} {
		var asked []string
		m, msg := sale(), mailing.Message{ID: 12884901999}
		if values, err := url.ParseQuery(strings.TrimPrefix(query, "?")); err == nil && values.Has("message_id") {
			n, _ := strconv.ParseInt(values.Get("message_id"), 10, 64)
			msg.ID = mailing.MessageID(n)
		}
		v := serve(t, &stores{mailing: &m, message: &msg, redrive: func(id mailing.ID, letters []mailing.DeadLetter) (mailing.Mailing, mailing.Redriving, error) {
			asked = append(asked, "")
			return mailing.Mailing{ID: id}, mailing.Redriving{Requeued: letters}, nil
		}})
		v.queues.taken = slices.Clone(rounds)
		w := v.call(http.MethodPost, redrivePath+query, "")
		var got api.Redriven
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || got.More {
			t.Fatalf("%s: status %d, %v: %s", query, w.Code, err, w.Body)
		}
		slices.Sort(v.queues.removed)
		if diff := cmp.Diff(want, v.queues.removed, cmpopts.EquateEmpty()); diff != "" || got.Redriven != len(want) {
			t.Errorf("%s: %+v, removed (-want +got):\n%s", query, got, diff)
		}
		hidden := time.Minute
		if strings.Contains(query, "message_id") {
			hidden = 10 * time.Second
		}
		if v.queues.hidden != hidden {
			t.Errorf("%s: letters that do not match are hidden for %s", query, v.queues.hidden)
		}
		if len(want) == 0 && len(asked) > 0 {
			t.Errorf("%s: the store is asked", query)
		}
	}
	m, msg := sale(), mailing.Message{ID: 12884901896}
	for _, query := range []string{"?message_id=0", "?mailing_id=0", "?mailing_id=4294967295&reason=http_400", "?mailing_id=4", "?message_id=12884901897", "?message_id=12884901896&mailing_id=4"} {
		wantProblem(t, serve(t, &stores{mailing: &m, message: &msg}).call(http.MethodPost, redrivePath+query, ""), http.StatusNotFound)
	}
	for _, query := range []string{"?message_id=x", "?mailing_id=", "?reason=", "?reason=" + strings.Repeat("x", 101), "?client_id=1"} {
		wantProblem(t, serve(t, &stores{}).call(http.MethodPost, redrivePath+query, ""), http.StatusUnprocessableEntity, "query."+strings.Split(query[1:], "=")[0])
	}
}

func TestARedrivenMessageIsLoggedWithItsIds(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{redrive: func(id mailing.ID, letters []mailing.DeadLetter) (mailing.Mailing, mailing.Redriving, error) {
		return mailing.Mailing{ID: id}, mailing.Redriving{Requeued: letters[:1], Kept: letters[1:]}, nil
	}})
	v.queues.taken = [][]mailing.StoredLetter{{storedLetter("a", 3, 7), storedLetter("b", 3, 8)}}
	v.call(http.MethodPost, redrivePath, "", "X-Request-Id", "r-1")
	log := v.log.String()
	if !strings.Contains(log, `"mailing_id":3,"message_id":12884901895,"client_id":7,"request_id":"r-1"`) || strings.Contains(log, `"client_id":8`) {
		t.Errorf("log: %s", log)
	}
}
