//go:build integration

package integration_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	domain "postrider/internal/mailing"
	"postrider/test/invariants"
)

// directory records the clients that the tests have created: the audience that each
// mailing is compared with. All parts share one directory, because a mailing to all
// clients goes to the clients of every part.
type directory struct {
	mu      sync.Mutex
	clients map[domain.ClientID]*invariants.Client
}

// add records clients that were created after an instant.
func (d *directory) add(after time.Time, clients ...domain.Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range clients {
		d.clients[c.ID] = invariants.NewClient(c, after, time.Now())
	}
}

func (d *directory) remove(id domain.ClientID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.clients[id]; c != nil {
		gone := *c // other parts may read c
		gone.DeletedAt = time.Now()
		d.clients[id] = &gone
	}
}

// all returns the clients as they are now.
func (d *directory) all() map[domain.ClientID]*invariants.Client {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.clients)
}

// entries are the mailings of one part.
type entries struct {
	mu  sync.Mutex
	all []domain.ID
}

func (e *entries) add(ids ...domain.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ids...)
}

func (e *entries) list() []domain.ID {
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

// note records the client or the mailing that a request, sent at an instant, has created
// or removed.
func (s *service) note(method, path string, got answer, sent time.Time) error {
	id, isClient := strings.CutPrefix(path, "/api/clients/")
	switch {
	case got.header.Get("Idempotency-Replayed") == "true":
		// The first request was recorded already.
	case method == http.MethodPost && path == "/api/clients" && got.status == http.StatusCreated:
		var c client
		if err := json.Unmarshal(got.body, &c); err != nil {
			return err
		}
		s.directory.add(sent, c.domain())
	case method == http.MethodPost && path == "/api/mailings" && got.status == http.StatusCreated:
		var m mailing
		if err := json.Unmarshal(got.body, &m); err != nil {
			return err
		}
		s.mailings.add(domain.ID(m.ID))
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
	store, begun := openTables().store, time.Now()
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
	s.directory.add(begun, written...)
	return made
}
