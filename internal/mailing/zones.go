package mailing

import (
	"sync"
	"time"
	// The Lambda runtime has no zone files, so they are linked in.
	_ "time/tzdata"
)

// zones caches the locations that were loaded: loading a location parses it each time,
// and an expansion asks for one per client. The cache changes no result. It holds only
// names that exist (some 600), so it cannot grow further.
var zones zoneCache //nolint:gochecknoglobals // a cache that changes no result

type zoneCache struct{ m sync.Map }

func (z *zoneCache) get(name string) (*time.Location, bool) {
	v, ok := z.m.Load(name)
	if !ok {
		return nil, false
	}
	loc, ok := v.(*time.Location)
	return loc, ok
}

func (z *zoneCache) put(name string, loc *time.Location) { z.m.Store(name, loc) }
