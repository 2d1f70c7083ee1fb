package mailing

import (
	_ "embed"
	"strings"
	"sync"
	"time"
	// The Lambda runtime has no zone files, so they are linked in.
	_ "time/tzdata"
)

// zoneNames are the names of the zones in time/tzdata, one a line. The list decides which
// names are valid, because time.LoadLocation also accepts what is in the zone files of a
// machine: its own zone as localtime, other forms of all zones below posix and right, and
// any way to write a path to one of them. Factory is left out: it is no zone, but says
// that a machine has none.
//
//go:generate sh -c "unzip -Z1 $(go env GOROOT)/lib/time/zoneinfo.zip | grep -v -e '/$' -e '^Factory$' | LC_ALL=C sort > zones.txt"
//go:embed zones.txt
var zoneNames string

// zones has an entry for each valid name, which loads the zone at its first use: loading
// parses the zone each time, and an expansion asks for one per client.
var zones = sync.OnceValue(func() map[string]func() (*time.Location, error) { //nolint:gochecknoglobals // a cache that changes no result
	all := map[string]func() (*time.Location, error){}
	for name := range strings.FieldsSeq(zoneNames) {
		all[name] = sync.OnceValues(func() (*time.Location, error) { return time.LoadLocation(name) })
	}
	return all
})

// Zone loads a time zone by its IANA name. The error is [KindInvalid] for "", for "Local",
// and for any other string that is not such a name.
func Zone(name string) (*time.Location, error) {
	load, ok := zones()[name]
	if !ok {
		return nil, &Error{Kind: KindInvalid, Message: "unknown time zone"}
	}
	loc, err := load()
	if err != nil {
		return nil, &Error{Kind: KindInvalid, Message: "unknown time zone", Err: err}
	}
	return loc, nil
}
