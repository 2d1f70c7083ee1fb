package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/mailing"
)

const testJSON = `{"id": 5, "mailing_id": 3, "client_id": 0, "test": true, "phone": "79007654321", "status": "queued", "attempts": 0,
	"uncertain_attempts": 0, "last_error": "", "created_at": "2030-01-31T12:00:00.000Z", "sent_at": null}`

// aTest returns test message 5, of mailing 3.
func aTest(to mailing.Test) mailing.Message {
	return mailing.Message{
		ID: mailing.NewMessageID(mailing.TestMailing, 5), Phone: to.Phone, CreatedAt: now, Test: &to,
		Member: mailing.Recipient{Client: 5, Status: mailing.Queued, At: now},
	}
}

// tested returns stores with one mailing, in which a test message gets the id 5.
func tested(m mailing.Mailing) *stores {
	return &stores{mailing: &m, createTest: func(to mailing.Test) (mailing.Message, mailing.BatchKey, error) {
		return aTest(to), mailing.TestBatch(5, to, now).Key, nil
	}}
}

func TestATestMessageIsAcceptedAndItsBatchDelivered(t *testing.T) {
	t.Parallel()
	for _, status := range mailing.Statuses {
		m := sale()
		m.Status = status
		v := serve(t, tested(m))
		w := v.call(http.MethodPost, "/api/mailings/3/test", `{"phone": "79007654321"}`)
		wantJSON(t, w, http.StatusAccepted, testJSON)
		if got := where(t, "/api/mailings/3/test", w); got != "/api/messages/5" {
			t.Errorf("Location %q", got)
		}
		want := []mailing.BatchKey{{Mailing: mailing.TestMailing, Slice: 5, Batch: mailing.BatchID{First: 5}}}
		if diff := cmp.Diff(want, v.queues.delivered); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
		if len(v.tasks.queued) > 0 {
			t.Error("the mailing's tasks are queued")
		}
	}
}

func TestATestMessageIsAcceptedEvenIfItCannotBeQueued(t *testing.T) {
	t.Parallel()
	v := serve(t, tested(sale()))
	v.queues.fail["deliver"] = errors.New("no queue")
	wantJSON(t, v.call(http.MethodPost, "/api/mailings/3/test", `{"phone": "79007654321"}`), http.StatusAccepted, testJSON)
	log := v.log.String()
	if !strings.Contains(log, `"mailing_id":3,"message_id":5`) || !strings.Contains(log, "no queue") || strings.Contains(log, "79007654") {
		t.Errorf("log: %s", log)
	}
}

func TestATestNeedsAPhoneAndAMailing(t *testing.T) {
	t.Parallel()
	deleted := sale().AsDeleted(now)
	v := serve(t, tested(sale()))
	for body, location := range map[string]string{
		`{"phone": "89007654321"}`:              "body.phone",
		`{"phone": "+79007654321"}`:             "body.phone",
		`{"phone": "790076543210"}`:             "body.phone",
		`{"phone": ""}`:                         "body.phone",
		`{"phone": 79007654321}`:                "body.phone",
		`{"phone": null}`:                       "body.phone",
		`{}`:                                    "body.phone",
		`{"phone": "79007654321", "text": "x"}`: "body.text",
	} {
		w := v.call(http.MethodPost, "/api/mailings/3/test", body)
		wantProblem(t, w, http.StatusUnprocessableEntity, location)
		if strings.Contains(w.Body.String(), "7654321") {
			t.Errorf("it repeats what was sent: %s", w.Body)
		}
	}
	wantProblem(t, v.call(http.MethodPost, "/api/mailings/3/test", ""), http.StatusBadRequest)
	for _, target := range []string{"/api/mailings/4/test", "/api/mailings/0/test", "/api/mailings/2097152/test"} {
		wantProblem(t, v.call(http.MethodPost, target, `{"phone": "79007654321"}`), http.StatusNotFound)
	}
	gone := serve(t, tested(deleted))
	wantProblem(t, gone.call(http.MethodPost, "/api/mailings/3/test", `{"phone": "79007654321"}`), http.StatusNotFound)
	if len(v.queues.delivered)+len(gone.queues.delivered) > 0 {
		t.Error("something is delivered")
	}
}

func TestATestMessageThatCannotBeStoredIsAnInternalError(t *testing.T) {
	t.Parallel()
	m := sale()
	v := serve(t, &stores{mailing: &m, createTest: func(mailing.Test) (msg mailing.Message, key mailing.BatchKey, err error) {
		return msg, key, errors.New("no table")
	}})
	wantProblem(t, v.call(http.MethodPost, "/api/mailings/3/test", `{"phone": "79007654321"}`), http.StatusInternalServerError)
	if len(v.queues.delivered) > 0 {
		t.Errorf("delivered %v", v.queues.delivered)
	}
}

func TestATestMessageIsReadWithItsMailing(t *testing.T) {
	t.Parallel()
	message := aTest(mailing.Test{Mailing: 3, Phone: "79007654321"})
	m, other, deleted := sale(), sale(), sale().AsDeleted(now)
	other.ID = 4
	wantJSON(t, serve(t, &stores{mailing: &m, message: &message}).call(http.MethodGet, "/api/messages/5", ""), http.StatusOK, testJSON)
	for name, of := range map[string]*mailing.Mailing{"deleted": &deleted, "not there": &other} {
		w := serve(t, &stores{mailing: of, message: &message}).call(http.MethodGet, "/api/messages/5", "")
		wantProblem(t, w, http.StatusNotFound)
		if strings.Contains(w.Body.String(), "7900") {
			t.Errorf("its mailing is %s: %s", name, w.Body)
		}
	}
}
