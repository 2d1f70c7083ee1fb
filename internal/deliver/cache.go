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

// keepFor is how long a mailing stays in the cache. It is longer than any invocation: a
// settlement still finds the mailing that was read for the decisions.
const keepFor = time.Hour

// mailingCache reads mailings and keeps them. get reads each mailing at most once a
// second (freshFor), however many messages ask for it. It is safe for concurrent use.
type mailingCache struct {
	store   Store
	now     func() time.Time
	group   singleflight.Group
	mu      sync.Mutex // guards entries
	entries map[mailing.ID]cacheEntry
}

type cacheEntry struct {
	mailing mailing.Mailing
	// readAt is when the reading began: the mailing may be as old as that.
	readAt time.Time
}

func newMailingCache(store Store, now func() time.Time) *mailingCache {
	return &mailingCache{store: store, now: now, entries: map[mailing.ID]cacheEntry{}}
}

// get returns the mailing as it was read at most freshFor ago, and the instant at which
// that reading began. Concurrent callers share one reading.
func (c *mailingCache) get(ctx context.Context, id mailing.ID) (m mailing.Mailing, readAt time.Time, err error) {
	if e, ok := c.fresh(id); ok {
		return e.mailing, e.readAt, nil
	}
	v, err, _ := c.group.Do(strconv.FormatUint(uint64(id), 10), func() (any, error) {
		if e, ok := c.fresh(id); ok {
			return e, nil
		}
		return c.load(ctx, id)
	})
	if err != nil {
		return mailing.Mailing{}, time.Time{}, err
	}
	e, ok := v.(cacheEntry)
	if !ok {
		return mailing.Mailing{}, time.Time{}, fmt.Errorf("read mailing %d: got %T", id, v)
	}
	return e.mailing, e.readAt, nil
}

// reload reads the mailing now, and returns it and the instant at which the reading
// began.
func (c *mailingCache) reload(ctx context.Context, id mailing.ID) (m mailing.Mailing, readAt time.Time, err error) {
	e, err := c.load(ctx, id)
	return e.mailing, e.readAt, err
}

// cached returns the mailing as it was last read, at any time. It returns an empty mailing
// if the cache has none. A mailing stays in the cache for at least keepFor.
func (c *mailingCache) cached(id mailing.ID) mailing.Mailing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[id].mailing
}

// put caches a mailing that this sender has just written.
func (c *mailingCache) put(m mailing.Mailing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[m.ID] = cacheEntry{m, c.now()}
}

// fresh returns a cached mailing, and whether it was read less than freshFor ago.
func (c *mailingCache) fresh(id mailing.ID) (cacheEntry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[id]
	return e, ok && within(c.now().Sub(e.readAt), freshFor)
}

// load reads a mailing from the store and caches it. It takes the time before the call, so
// the mailing is at least as new as its readAt.
func (c *mailingCache) load(ctx context.Context, id mailing.ID) (cacheEntry, error) {
	readAt := c.now()
	found, err := c.store.Mailings(ctx, []mailing.ID{id})
	if err != nil {
		return cacheEntry{}, err
	}
	m, ok := found[id]
	if !ok {
		// Mailings are never removed. If one is missing, none of its messages may go
		// out.
		m = mailing.Mailing{ID: id, Deleted: true}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evict(readAt)
	c.entries[id] = cacheEntry{m, readAt}
	return c.entries[id], nil
}

// evict removes mailings that were read longer than keepFor ago: an environment may run
// for days and read many mailings. The caller holds c.mu.
func (c *mailingCache) evict(now time.Time) {
	for id, e := range c.entries {
		if now.Sub(e.readAt) > keepFor {
			delete(c.entries, id)
		}
	}
}
