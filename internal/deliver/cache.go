package deliver

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"postrider/internal/mailing"
)

// rememberFor is longer than any invocation: what was decided by is there when
// it is settled.
const rememberFor = time.Hour

// mailingCache reads mailings, each at most once a second however many members
// ask.
type mailingCache struct {
	store Store
	now   func() time.Time
	group singleflight.Group
	mu    sync.Mutex
	known map[mailing.MailingID]cached
}

type cached struct {
	mailing mailing.Mailing
	// asked is when the reading of it began: it may be as old as that.
	asked time.Time
}

func newMailingCache(store Store, now func() time.Time) *mailingCache {
	return &mailingCache{store: store, now: now, known: map[mailing.MailingID]cached{}}
}

// get returns the mailing as it was read at most freshFor ago, and when the
// reading began; callers at once read once.
func (c *mailingCache) get(ctx context.Context, id mailing.MailingID) (m mailing.Mailing, asked time.Time, err error) {
	if k, ok := c.fresh(id); ok {
		return k.mailing, k.asked, nil
	}
	v, err, _ := c.group.Do(strconv.FormatUint(uint64(id), 10), func() (any, error) {
		if k, ok := c.fresh(id); ok {
			return k, nil
		}
		return c.load(ctx, id)
	})
	if err != nil {
		return mailing.Mailing{}, time.Time{}, err
	}
	k, ok := v.(cached)
	if !ok {
		return mailing.Mailing{}, time.Time{}, fmt.Errorf("read mailing %d: got %T", id, v)
	}
	return k.mailing, k.asked, nil
}

// reload returns the mailing as it is read now, and when the reading began.
func (c *mailingCache) reload(ctx context.Context, id mailing.MailingID) (m mailing.Mailing, asked time.Time, err error) {
	k, err := c.load(ctx, id)
	return k.mailing, k.asked, err
}

func (c *mailingCache) fresh(id mailing.MailingID) (cached, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.known[id]
	return k, ok && within(c.now().Sub(k.asked), freshFor)
}

func (c *mailingCache) load(ctx context.Context, id mailing.MailingID) (cached, error) {
	asked := c.now()
	found, err := c.store.Mailings(ctx, []mailing.MailingID{id})
	if err != nil {
		return cached{}, err
	}
	m, ok := found[id]
	if !ok {
		// Mailings are never removed. Should one be, nothing of it may go out.
		m = mailing.Mailing{ID: id, Deleted: true}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(asked)
	c.known[id] = cached{m, asked}
	return c.known[id], nil
}

// know takes over a mailing that was just written.
func (c *mailingCache) know(m mailing.Mailing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[m.ID] = cached{m, c.now()}
}

// forget drops what is long out of use, so that an environment that lives for
// days does not collect every mailing it met.
func (c *mailingCache) forget(now time.Time) {
	for id, k := range c.known {
		if now.Sub(k.asked) > rememberFor {
			delete(c.known, id)
		}
	}
}

// peek is the mailing as it was read last, however old; an empty one if it was
// not read within the last hour.
func (c *mailingCache) peek(id mailing.MailingID) mailing.Mailing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[id].mailing
}
