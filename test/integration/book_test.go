//go:build integration

package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	domain "postrider/internal/mailing"
)

// directory is what the tests know of the clients: the audience that each
// mailing is compared with. All parts share one, since a mailing to everyone
// goes to all of them.
type directory struct {
	mu      sync.Mutex
	created []domain.Client // in the order in which their creation was answered
	deleted map[domain.ClientID]bool
}

func (d *directory) add(clients ...domain.Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.created = append(d.created, clients...)
}

func (d *directory) remove(id domain.ClientID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deleted[id] = true
}

func (d *directory) size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.created)
}

// all are the clients in the order of their creation, with those that are there
// no more.
func (d *directory) all() (clients []domain.Client, deleted map[domain.ClientID]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	deleted = make(map[domain.ClientID]bool, len(d.deleted))
	for id := range d.deleted {
		deleted[id] = true
	}
	return slices.Clone(d.created), deleted
}

// entry is a mailing that a part created.
type entry struct {
	id domain.MailingID
	// clients is how many the directory had before the mailing was asked for:
	// those, if it matches them, must not be missed.
	clients int
}

// entries are the mailings of one part.
type entries struct {
	mu  sync.Mutex
	all []entry
}

func (e *entries) add(one entry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, one)
}

func (e *entries) list() []entry {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

// part runs one part of the tests, and then compares the books of all mailings
// that it created, whatever it has looked at itself.
func (s *service) part(t *testing.T, test func(*testing.T, *service)) {
	own := *s
	own.mailings = &entries{}
	// Also if the part has failed: that is when it matters what the books say.
	defer own.check(t)
	test(t, &own)
}

// note takes down what a request has created or removed. clients is how many
// the directory had before it was sent.
func (s *service) note(method, path string, got answer, clients int) error {
	id, isClient := strings.CutPrefix(path, "/api/clients/")
	switch {
	case got.header.Get("Idempotency-Replayed") == "true":
		// The first request has told of it.
	case method == http.MethodPost && path == "/api/clients" && got.status == http.StatusCreated:
		var c client
		if err := json.Unmarshal(got.body, &c); err != nil {
			return err
		}
		s.directory.add(c.domain())
	case method == http.MethodPost && path == "/api/mailings" && got.status == http.StatusCreated:
		var m mailing
		if err := json.Unmarshal(got.body, &m); err != nil {
			return err
		}
		s.mailings.add(entry{domain.MailingID(m.ID), clients})
	case method == http.MethodDelete && isClient && got.status == http.StatusNoContent:
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return err
		}
		s.directory.remove(domain.ClientID(n))
	}
	return nil
}

func (c client) domain() domain.Client {
	return domain.Client{ID: domain.ClientID(c.ID), Phone: c.Phone, OperatorCode: c.OperatorCode, Tag: c.Tag, Timezone: c.Timezone}
}

// clients creates n clients with phones from 7{prefix}000001 on (prefix: four
// digits that no other test uses), each shaped by change. They are written by
// the API's own store: by a request each, thousands would take minutes.
func (s *service) clients(t *testing.T, prefix string, n int, change func(i int, c *client)) []client {
	t.Helper()
	store := openTables().store
	made, written := make([]client, n), make([]domain.Client, n)
	group := limited(t, 16)
	for i := range made {
		made[i] = client{Phone: fmt.Sprintf("7%s%06d", prefix, i+1), Timezone: "Europe/Moscow"}
		if change != nil {
			change(i, &made[i])
		}
		group.Go(func() error {
			valid, err := domain.NewClient(made[i].domain())
			if err != nil {
				return err
			}
			written[i], err = store.CreateClient(t.Context(), valid, domain.Once{})
			made[i].ID, made[i].OperatorCode = int64(written[i].ID), written[i].OperatorCode
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	s.directory.add(written...)
	return made
}
