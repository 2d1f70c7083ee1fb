package mailing

import (
	"sync"
	"time"
	// The Lambda runtime has no zone files to rely on.
	_ "time/tzdata"
)

// zones remembers the locations that were loaded: loading one parses it anew,
// and an expansion asks for one per client. It holds no state that anybody
// could observe, and only names that exist (some 600), so it cannot grow.
var zones zoneCache //nolint:gochecknoglobals // a cache that nobody can tell from none

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
