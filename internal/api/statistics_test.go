package api_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

const (
	someCounts = `{"total": 4, "queued": 1, "retrying": 0, "deferred": 0, "sent": 2, "failed": 1, "expired": 0,
		"cancelled": 0, "skipped": 0, "uncertain": 0}`
	noCounts = `{"total": 0, "queued": 0, "retrying": 0, "deferred": 0, "sent": 0, "failed": 0, "expired": 0,
		"cancelled": 0, "skipped": 0, "uncertain": 0}`
	messageJSON = `{"id": 12884901895, "mailing_id": 3, "client_id": 7, "phone": "79001234567", "status": "sent",
		"attempts": 2, "uncertain_attempts": 1, "last_error": "", "created_at": "2030-01-31T12:00:00.000Z",
		"sent_at": "2030-01-31T12:00:00.000Z"}`
)

func some() mailing.Counts { return mailing.Counts{Total: 4, Queued: 1, Sent: 2, Failed: 1} }

func aMessage() mailing.Message {
	return mailing.Message{
		ID: mailing.NewMessageID(3, 7), Phone: "79001234567", CreatedAt: now,
		Member: mailing.Recipient{Client: 7, Status: mailing.Sent, Attempts: 2, Uncertain: 1, At: now},
	}
}

func TestTheStatisticsOfAMailingIncludeItsMessages(t *testing.T) {
	t.Parallel()
	m := sale()
	var asked []mailing.MessageQuery
	v := serve(t, &stores{
		mailing: &m, progress: []mailing.Progress{{Counts: some(), Expanded: true}},
		listMessages: func(q mailing.MessageQuery) (mailing.List[mailing.Message], error) {
			asked = append(asked, q)
			return mailing.List[mailing.Message]{Items: []mailing.Message{aMessage()}, Next: "more"}, nil
		},
	})
	wantJSON(t, v.call(http.MethodGet, "/api/mailings/3/info?status=sent&limit=10&cursor=c", ""), http.StatusOK,
		`{"mailing": {`+saleFields+`}, "counts": `+someCounts+`, "expanded": true, "progress": 0.75, "rate": 812.5, "rejected_share": null,
		"messages": [`+messageJSON+`], "next_cursor": "more"}`)
	wantJSON(t, v.call(http.MethodGet, "/api/mailings/3/info?limit=0", ""), http.StatusOK,
		`{"mailing": {`+saleFields+`}, "counts": `+someCounts+`, "expanded": true, "progress": 0.75, "rate": 812.5, "rejected_share": null, "messages": []}`)
	if diff := cmp.Diff([]mailing.MessageQuery{{Mailing: 3, Status: mailing.Sent, Limit: 10, Cursor: "c"}}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestProgressIsNullBeforeTheExpansion(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m, progress: []mailing.Progress{{}}})
	wantJSON(t, v.call(http.MethodGet, "/api/mailings/3/info?limit=0", ""), http.StatusOK,
		`{"mailing": {`+saleFields+`}, "counts": `+noCounts+`, "expanded": false, "progress": null, "rate": 812.5, "rejected_share": null, "messages": []}`)
}

func TestOverallStatisticsCoverAllMailingsOfAStatus(t *testing.T) {
	t.Parallel()
	var asked mailing.MailingQuery
	var summed mailing.Status
	v := serve(t, &stores{
		listMailings: func(q mailing.MailingQuery) (mailing.List[mailing.Mailing], error) {
			asked = q
			return mailing.List[mailing.Mailing]{Items: []mailing.Mailing{sale()}, Next: "older"}, nil
		},
		progress: []mailing.Progress{{Counts: some()}},
		overall: func(s mailing.Status) (mailing.Overall, error) {
			summed = s
			return mailing.Overall{Mailings: map[mailing.Status]int64{mailing.StatusRunning: 9}}, nil
		},
	})
	wantJSON(t, v.call(http.MethodGet, "/api/mailings/fullinfo?status=running&limit=1&cursor=c", ""), http.StatusOK,
		`{"mailings": [{`+saleFields+`, "counts": `+someCounts+`}], "totals": `+noCounts+`, "next_cursor": "older",
		"mailings_by_status": {"scheduled": 0, "running": 9, "paused": 0, "completed": 0, "cancelled": 0}}`)
	if diff := cmp.Diff(mailing.MailingQuery{Status: mailing.StatusRunning, Limit: 1, Cursor: "c"}, asked); diff != "" || summed != mailing.StatusRunning {
		t.Errorf("summed %q; asked (-want +got):\n%s", summed, diff)
	}
}

func TestMessagesAreSearchedAndRead(t *testing.T) {
	t.Parallel()
	m, message := sale(), aMessage()
	var asked []mailing.MessageQuery
	v := serve(t, &stores{
		mailing: &m, message: &message,
		listMessages: func(q mailing.MessageQuery) (mailing.List[mailing.Message], error) {
			asked = append(asked, q)
			return mailing.List[mailing.Message]{}, nil
		},
	})
	wantJSON(t, v.call(http.MethodGet, "/api/messages/12884901895", ""), http.StatusOK, messageJSON)
	for _, target := range []string{
		"/api/messages", "/api/messages?mailing_id=3&status=sending", "/api/messages?client_id=7&limit=100&cursor=c",
		"/api/messages?client_id=4294967303", // client 7, if the id wrapped around
	} {
		wantJSON(t, v.call(http.MethodGet, target, ""), http.StatusOK, `{"items": []}`)
	}
	want := []mailing.MessageQuery{
		{Limit: 50},
		{Mailing: 3, Status: mailing.Sending, Limit: 50},
		{Client: 7, Limit: 100, Cursor: "c"},
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestAMessageThatIsNotSentHasNoSentAt(t *testing.T) {
	t.Parallel()
	m, message := sale(), aMessage()
	message.Phone = ""
	message.Member = mailing.Recipient{Client: 7, Status: mailing.Failed, Attempts: 1, Error: "http_400", At: now}
	v := serve(t, &stores{mailing: &m, message: &message})
	wantJSON(t, v.call(http.MethodGet, "/api/messages/12884901895", ""), http.StatusOK,
		`{"id": 12884901895, "mailing_id": 3, "client_id": 7, "phone": "", "status": "failed", "attempts": 1,
		"uncertain_attempts": 0, "last_error": "http_400", "created_at": "2030-01-31T12:00:00.000Z", "sent_at": null}`)
}

func TestUnchangedStatisticsAreNotSentAgain(t *testing.T) {
	t.Parallel()
	m := sale()
	stored := &stores{
		mailing: &m, progress: []mailing.Progress{{Counts: some(), Expanded: true}}, version: "v1.1",
		listMessages: func(mailing.MessageQuery) (mailing.List[mailing.Message], error) {
			return mailing.List[mailing.Message]{Items: []mailing.Message{aMessage()}}, nil
		},
		listMailings: func(mailing.MailingQuery) (mailing.List[mailing.Mailing], error) {
			return mailing.List[mailing.Mailing]{Items: []mailing.Mailing{m}}, nil
		},
		overall: func(mailing.Status) (mailing.Overall, error) { return mailing.Overall{}, nil },
	}
	v := serve(t, stored)
	for _, target := range []string{"/api/mailings/3/info", "/api/mailings/3/info?limit=0", "/api/mailings/fullinfo"} {
		first := v.call(http.MethodGet, target, "")
		tag := first.Header().Get("ETag")
		for _, seen := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			again := v.call(http.MethodGet, target, "", "If-None-Match", seen)
			if again.Code != http.StatusNotModified || again.Body.Len() > 0 || again.Header().Get("ETag") != tag {
				t.Errorf("%s with %s: status %d, ETag %s: %s", target, seen, again.Code, again.Header().Get("ETag"), again.Body)
			}
		}
		for _, seen := range []string{`"other"`, `""`, tag[:len(tag)-2] + `"`} {
			if again := v.call(http.MethodGet, target, "", "If-None-Match", seen); again.Code != http.StatusOK {
				t.Errorf("%s with %s: status %d", target, seen, again.Code)
			}
		}
	}
	tag := v.call(http.MethodGet, "/api/mailings/fullinfo", "").Header().Get("ETag")
	if other := v.call(http.MethodGet, "/api/mailings/fullinfo?status=running", "", "If-None-Match", tag); other.Code != http.StatusOK {
		t.Errorf("the tag of another query: status %d", other.Code)
	}
	tag = v.call(http.MethodGet, "/api/mailings/3/info?limit=0", "").Header().Get("ETag")
	stored.progress[0].Counts.Retrying++
	if changed := v.call(http.MethodGet, "/api/mailings/3/info?limit=0", "", "If-None-Match", tag); changed.Code != http.StatusOK {
		t.Errorf("after a change: status %d", changed.Code)
	}
	wantProblem(t, v.call(http.MethodGet, "/api/mailings/3/info", "", "If-None-Match", "1"), http.StatusUnprocessableEntity, "header.If-None-Match")
	wantProblem(t, v.call(http.MethodGet, "/api/mailings/3/info", "", "If-None-Match", ""), http.StatusUnprocessableEntity, "header.If-None-Match")
}
