package dynamo

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/mailing"
)

// Each tag and each operator code that a client has or had has a marker: an item without
// content, whose sort key is the value. So the values that occur are listed without
// reading the directory.
//
// A marker is written before the first client that needs it. So no client has a value
// without a marker, whatever fails in between. Markers are never removed: a value may
// have outlived its last client, or the client may never have been written.
const (
	tagFacets      = "facet#tag"
	operatorFacets = "facet#operator_code"
	// operatorCodes is how many operator codes there can be: those of three digits.
	operatorCodes = 1000
)

// facet is the key of a marker.
type facet struct{ part, value string }

func (f facet) key() item { return key(f.part, f.value) }

// facetOf reads the key of a marker from its item.
func facetOf(it item) (facet, error) {
	part, err := text(it, partKey)
	if err != nil {
		return facet{}, err
	}
	value, err := text(it, sortKey)
	return facet{part, value}, err
}

// maxKnownFacets is how many markers a process remembers. With the longest tags they take
// three megabytes.
const maxKnownFacets = 10_000

// knownFacets holds markers that are stored for certain. It saves nearly all calls about
// markers, as there are few values and many clients. It is safe for concurrent use.
type knownFacets struct {
	mu    sync.Mutex
	known map[facet]bool
}

// unknown returns the markers that clients need and that are not known to be stored, each
// once. An empty tag has no marker.
func (k *knownFacets) unknown(clients []mailing.Client) (unknown []facet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen := map[facet]bool{}
	for _, c := range clients {
		for _, f := range []facet{{tagFacets, c.Tag}, {operatorFacets, c.OperatorCode}} {
			if f.value != "" && !k.known[f] && !seen[f] {
				seen[f] = true
				unknown = append(unknown, f)
			}
		}
	}
	return unknown
}

// add notes that markers are stored. When there are too many, it forgets the earlier ones:
// they are looked up again.
func (k *knownFacets) add(stored []facet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || len(k.known)+len(stored) > maxKnownFacets {
		k.known = map[facet]bool{}
	}
	for _, f := range stored {
		if len(k.known) < maxKnownFacets {
			k.known[f] = true
		}
	}
}

// markFacets stores the markers that clients need. It must be called before the clients
// are written, and if it fails, they must not be written. It makes no call if this
// process knows the markers. Otherwise it reads them, and writes those that are missing.
func (s *Store) markFacets(ctx context.Context, clients ...mailing.Client) error {
	unknown := s.facets.unknown(clients)
	if len(unknown) == 0 {
		return nil
	}
	missing, err := s.missingFacets(ctx, unknown)
	if err != nil {
		return err
	}
	for len(missing) > 0 {
		some := missing[:min(len(missing), transactActions)]
		missing = missing[len(some):]
		items := make([]types.TransactWriteItem, len(some))
		for i, f := range some {
			items[i] = put(s.tables.Clients, f.key(), "", nil)
		}
		if err := s.transact(ctx, items, "mark %d tags and operator codes", len(some)); err != nil {
			return err
		}
	}
	s.facets.add(unknown)
	return nil
}

// missingFacets returns the markers that are not stored. The read need not be consistent:
// a marker that was stored just now is written again, which changes nothing.
func (s *Store) missingFacets(ctx context.Context, facets []facet) (missing []facet, err error) {
	keys := make([]item, len(facets))
	for i, f := range facets {
		keys[i] = f.key()
	}
	items, err := s.batchGet(ctx, s.tables.Clients, keys, false)
	if err != nil {
		return nil, fmt.Errorf("read the marks of %d tags and operator codes: %w", len(facets), err)
	}
	stored := make(map[facet]bool, len(items))
	for _, it := range items {
		f, err := facetOf(it)
		if err != nil {
			return nil, err
		}
		stored[f] = true
	}
	for _, f := range facets {
		if !stored[f] {
			missing = append(missing, f)
		}
	}
	return missing, nil
}

// Facets returns the tags that begin with a prefix, and all operator codes, in order,
// strongly consistent. An empty prefix is one of all tags.
func (s *Store) Facets(ctx context.Context, prefix string) (mailing.Facets, error) {
	tags, more, err := s.facetValues(ctx, tagFacets, prefix, mailing.MaxFacetTags)
	if err != nil {
		return mailing.Facets{}, err
	}
	codes, _, err := s.facetValues(ctx, operatorFacets, "", operatorCodes)
	return mailing.Facets{Tags: tags, MoreTags: more, OperatorCodes: codes}, err
}

// facetValues returns up to limit values of a partition that begin with a prefix, and
// whether there are more.
func (s *Store) facetValues(ctx context.Context, part, prefix string, limit int) (values []string, more bool, err error) {
	w := walk{table: s.tables.Clients, key: "#part = :part", values: item{":part": str(part)}, limit: limit, pages: 1}
	if prefix != "" { // DynamoDB refuses an empty one
		w.key += " AND begins_with(#id, :prefix)"
		w.values[":prefix"] = str(prefix)
	}
	found, err := s.walk(ctx, w)
	if err != nil {
		return nil, false, fmt.Errorf("list the values of %s: %w", part, err)
	}
	facets, err := decodeAll(found.items, facetOf)
	for _, f := range facets {
		values = append(values, f.value)
	}
	return values, !found.end, err
}
