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

// directory records the clients that the tests have created: the audience that each
// mailing is compared with. All parts share one directory, because a mailing to all
// clients goes to the clients of every part.
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

// all returns the clients in the order of their creation, and which of them were deleted.
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
	id domain.ID
	// clients is how many clients the directory held before the mailing was created. The
	// mailing must not miss those of them that its filter matches.
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

// part runs one part of the tests. Then it checks the invariants of all mailings that the
// part created, in addition to the part's own checks.
func (s *service) part(t *testing.T, test func(*testing.T, *service)) {
	own := *s
	own.mailings = &entries{}
	// Check also after a failure: then the invariants matter most.
	defer own.check(t)
	test(t, &own)
}

// note records what a request has created or removed. clients is the size of the
// directory before the request was sent.
func (s *service) note(method, path string, got answer, clients int) error {
	id, isClient := strings.CutPrefix(path, "/api/clients/")
	switch {
	case got.header.Get("Idempotency-Replayed") == "true":
		// The first request was recorded already.
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
		s.mailings.add(entry{domain.ID(m.ID), clients})
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

// clients creates n clients with phones from 7{prefix}000001 on, each changed by change.
// prefix is four digits that no other test uses. The API's own store writes the clients,
// because one request for each would take minutes for thousands.
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
			written[i], err = store.CreateClient(t.Context(), valid, domain.Idempotency{})
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
