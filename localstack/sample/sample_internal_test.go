package sample

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// api fakes the part of the service that a sample needs. With each look a third of the
// messages is done.
type api struct {
	mu      sync.Mutex
	clients map[string]client
	looks   int
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer the-key" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /api/clients":
		var c client
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if len(a.clients) == 0 { // exists from before
			w.WriteHeader(http.StatusConflict)
		}
		a.clients[c.Phone] = c
	case "POST /api/mailings":
		var m struct {
			Start time.Time `json:"start_at"`
			End   time.Time `json:"end_at"`
		}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || m.Start.After(time.Now()) || m.End.Before(time.Now()) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":7}`))
	case "GET /api/mailings/7/info":
		a.looks++
		sent := min(500, 200*(a.looks-1))
		_, _ = fmt.Fprintf(w, `{"expanded":true,"counts":{"total":500,"sent":%d,"queued":%d}}`, sent, 500-sent)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestASampleIsLoadedAndFollowedToItsEnd(t *testing.T) {
	service := &api{clients: map[string]client{}}
	server := httptest.NewServer(service)
	defer server.Close()
	sample := Service{Base: server.URL, Key: "the-key"}
	id, err := sample.Load(context.Background())
	if err != nil || id != 7 {
		t.Fatalf("Load = %d, %v", id, err)
	}
	if len(service.clients) != Clients || service.clients["70000000001"].Phone == "" || service.clients["70000000500"].Phone == "" {
		t.Errorf("%d clients", len(service.clients))
	}
	seenZones, kinds := map[string]bool{}, map[string]bool{}
	for _, c := range service.clients {
		if _, err := time.LoadLocation(c.Timezone); err != nil {
			t.Error(err)
		}
		seenZones[c.Timezone] = true
		kinds[c.OperatorCode+c.Tag] = true
	}
	if len(seenZones) != 6 || len(kinds) != 20 {
		t.Errorf("%d zones, %d combinations of operator and tag", len(seenZones), len(kinds))
	}
	var out bytes.Buffer
	if err := sample.Follow(context.Background(), id, &out, false); err != nil {
		t.Fatal(err)
	}
	want := "mailing: 0 of 500 sent, 500 to go\nmailing: 200 of 500 sent, 300 to go\nmailing: 400 of 500 sent, 100 to go\nmailing: 500 of 500 sent\n"
	if out.String() != want {
		t.Errorf("shown:\n%swant:\n%s", &out, want)
	}
	out.Reset()
	if err := sample.Follow(context.Background(), id, &out, true); err != nil {
		t.Fatal(err)
	}
	if out.String() != "\r\033[Kmailing: 500 of 500 sent\n" {
		t.Errorf("on a terminal: %q", &out)
	}
}

func TestAnAnswerThatIsNoSuccessIsTold(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := (Service{Base: server.URL}).Load(context.Background()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("Load = %v", err)
	}
}
