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

// rememberFor is how long a mailing stays in the cache. It is longer than any
// invocation, so that the mailing that a message was decided by is still there when the
// message is settled.
const rememberFor = time.Hour

// mailingCache reads mailings and keeps them. get reads each mailing at most once a
// second (freshFor), however many messages ask for it. It is safe for concurrent use.
type mailingCache struct {
	store Store
	now   func() time.Time
	group singleflight.Group
	mu    sync.Mutex
	known map[mailing.ID]cached
}

type cached struct {
	mailing mailing.Mailing
	// asked is when the reading began: the mailing may be as old as that.
	asked time.Time
}

func newMailingCache(store Store, now func() time.Time) *mailingCache {
	return &mailingCache{store: store, now: now, known: map[mailing.ID]cached{}}
}

// get returns the mailing as it was read at most freshFor ago, and the instant at which
// that reading began. Concurrent callers share one reading.
func (c *mailingCache) get(ctx context.Context, id mailing.ID) (m mailing.Mailing, asked time.Time, err error) {
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

// reload reads the mailing now. asked is when the reading began.
func (c *mailingCache) reload(ctx context.Context, id mailing.ID) (m mailing.Mailing, asked time.Time, err error) {
	k, err := c.load(ctx, id)
	return k.mailing, k.asked, err
}

// fresh returns the cached mailing, and whether it was read less than freshFor ago.
func (c *mailingCache) fresh(id mailing.ID) (cached, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.known[id]
	return k, ok && within(c.now().Sub(k.asked), freshFor)
}

// load reads a mailing from the store and caches it. It takes the instant before the
// call, so that the mailing is never older than the instant says.
func (c *mailingCache) load(ctx context.Context, id mailing.ID) (cached, error) {
	asked := c.now()
	found, err := c.store.Mailings(ctx, []mailing.ID{id})
	if err != nil {
		return cached{}, err
	}
	m, ok := found[id]
	if !ok {
		// Mailings are never removed. If one is missing, none of its messages may go
		// out.
		m = mailing.Mailing{ID: id, Deleted: true}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(asked)
	c.known[id] = cached{m, asked}
	return c.known[id], nil
}

// know caches a mailing that this sender has just written.
func (c *mailingCache) know(m mailing.Mailing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[m.ID] = cached{m, c.now()}
}

// forget removes mailings that were read longer than rememberFor ago: an environment
// may live for days and meet many. The caller holds c.mu.
func (c *mailingCache) forget(now time.Time) {
	for id, k := range c.known {
		if now.Sub(k.asked) > rememberFor {
			delete(c.known, id)
		}
	}
}

// peek returns the mailing as it was last read, however old that is, or an empty one if
// it is not in the cache. A mailing stays there for at least rememberFor.
func (c *mailingCache) peek(id mailing.ID) mailing.Mailing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[id].mailing
}
