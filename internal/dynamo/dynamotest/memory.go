package dynamotest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

type item = map[string]types.AttributeValue

// Memory is a DynamoDB in memory. It does as much as the stores need, without a process
// and without a network, so that tests can make thousands of runs. All tests of the
// store run both on Memory and on DynamoDB Local. Where the two differ, Memory is
// wrong. It is safe for concurrent use.
type Memory struct {
	mu     sync.Mutex
	tables map[string]*table
	// done holds the ClientRequestTokens of the transactions that were made.
	done map[string]bool
}

var _ Client = (*Memory)(nil)

// NewMemory returns a DynamoDB without tables.
func NewMemory() *Memory { return &Memory{tables: map[string]*table{}, done: map[string]bool{}} }

// table keeps its items in partitions, each in the order of sort keys.
type table struct {
	hash, sort string
	parts      map[string][]item
	indexes    map[string]index
}

type index struct {
	hash, sort string
	// kept holds the attributes that the index shows; nil means all.
	kept map[string]bool
}

func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationException", Message: fmt.Sprintf(format, args...)}
}

// CreateTable creates an empty table.
func (m *Memory) CreateTable(_ context.Context, in *dynamodb.CreateTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &table{parts: map[string][]item{}, indexes: map[string]index{}}
	t.hash, t.sort = keysOf(in.KeySchema)
	for _, g := range in.GlobalSecondaryIndexes {
		ix := index{}
		ix.hash, ix.sort = keysOf(g.KeySchema)
		if g.Projection.ProjectionType != types.ProjectionTypeAll {
			ix.kept = map[string]bool{t.hash: true, t.sort: true, ix.hash: true, ix.sort: true}
			for _, a := range g.Projection.NonKeyAttributes {
				ix.kept[a] = true
			}
		}
		t.indexes[aws.ToString(g.IndexName)] = ix
	}
	m.tables[aws.ToString(in.TableName)] = t
	return &dynamodb.CreateTableOutput{}, nil
}

func keysOf(schema []types.KeySchemaElement) (hash, sort string) {
	for _, k := range schema {
		if k.KeyType == types.KeyTypeHash {
			hash = aws.ToString(k.AttributeName)
		} else {
			sort = aws.ToString(k.AttributeName)
		}
	}
	return hash, sort
}

func (m *Memory) table(name *string) (*table, error) {
	t, ok := m.tables[aws.ToString(name)]
	if !ok {
		return nil, &types.ResourceNotFoundException{Message: aws.String("no table " + aws.ToString(name))}
	}
	return t, nil
}

// lock begins a call. Calls run one after the other; a call whose context is done does
// not begin.
func (m *Memory) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	return nil
}

// open begins a call to one table; done ends it.
func (m *Memory) open(ctx context.Context, name *string) (t *table, done func(), err error) {
	if err := m.lock(ctx); err != nil {
		return nil, nil, err
	}
	if t, err = m.table(name); err != nil {
		m.mu.Unlock()
		return nil, nil, err
	}
	return t, m.mu.Unlock, nil
}

// place returns where the item with these keys is, or would be.
func (t *table) place(keys item) (part string, i int, found bool, err error) {
	hash, ok1 := keys[t.hash].(*types.AttributeValueMemberS)
	sort, ok2 := keys[t.sort].(*types.AttributeValueMemberS)
	if !ok1 || !ok2 || hash.Value == "" || sort.Value == "" {
		return "", 0, false, invalid("the key lacks %s or %s", t.hash, t.sort)
	}
	i, found = slices.BinarySearchFunc(t.parts[hash.Value], sort.Value, func(it item, want string) int {
		return strings.Compare(textOf(it[t.sort]), want)
	})
	return hash.Value, i, found, nil
}

func (t *table) get(keys item) (item, error) {
	part, i, found, err := t.place(keys)
	if err != nil || !found {
		return nil, err
	}
	return t.parts[part][i], nil
}

// put stores an item. A stored item is never changed in place, because a caller may
// still read it.
func (t *table) put(it item) error {
	part, i, found, err := t.place(it)
	if err != nil {
		return err
	}
	for _, ix := range t.indexes {
		for _, k := range []string{ix.hash, ix.sort} {
			if v, ok := it[k].(*types.AttributeValueMemberS); ok && v.Value == "" {
				return invalid("the key %s of an index is empty", k)
			}
		}
	}
	if found {
		t.parts[part][i] = it
	} else {
		t.parts[part] = slices.Insert(t.parts[part], i, it)
	}
	return nil
}

func (t *table) remove(keys item) error {
	part, i, found, err := t.place(keys)
	if err == nil && found {
		t.parts[part] = slices.Delete(t.parts[part], i, i+1)
	}
	return err
}

// GetItem does what DynamoDB's GetItem does.
func (m *Memory) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	t, done, err := m.open(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	defer done()
	it, err := t.get(in.Key)
	return &dynamodb.GetItemOutput{Item: maps.Clone(it)}, err
}

// PutItem does what DynamoDB's PutItem does, without conditions.
func (m *Memory) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	t, done, err := m.open(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	defer done()
	return &dynamodb.PutItemOutput{}, t.put(maps.Clone(in.Item))
}

// BatchWriteItem does what DynamoDB's BatchWriteItem does.
func (m *Memory) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for name, requests := range in.RequestItems {
		t, err := m.table(&name)
		if err != nil {
			return nil, err
		}
		for _, r := range requests {
			if r.PutRequest != nil {
				err = t.put(maps.Clone(r.PutRequest.Item))
			} else {
				err = t.remove(r.DeleteRequest.Key)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return &dynamodb.BatchWriteItemOutput{}, nil
}

// batchLimit is how many keys a BatchGetItem, and how many actions a transaction, may
// have.
const batchLimit = 100

// BatchGetItem does what DynamoDB's BatchGetItem does.
func (m *Memory) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	out := &dynamodb.BatchGetItemOutput{Responses: map[string][]item{}}
	total := 0 // the limit holds for the keys of all tables
	for name, want := range in.RequestItems {
		t, err := m.table(&name)
		if err != nil {
			return nil, err
		}
		if total += len(want.Keys); len(want.Keys) == 0 || total > batchLimit {
			return nil, invalid("%d keys", total)
		}
		seen := map[string]bool{}
		for _, keys := range want.Keys {
			id := textOf(keys[t.hash]) + "\x00" + textOf(keys[t.sort])
			if seen[id] {
				return nil, invalid("a key is repeated")
			}
			seen[id] = true
			it, err := t.get(keys)
			if err != nil {
				return nil, err
			}
			if it != nil {
				out.Responses[name] = append(out.Responses[name], projected(it, want.ProjectionExpression, want.ExpressionAttributeNames))
			}
		}
	}
	return out, nil
}

func projected(it item, expression *string, names map[string]string) item {
	if expression == nil {
		return maps.Clone(it)
	}
	part := item{}
	for name := range strings.SplitSeq(*expression, ",") {
		attribute := names[strings.TrimSpace(name)]
		if v, ok := it[attribute]; ok {
			part[attribute] = v
		}
	}
	return part
}

// UpdateItem does what DynamoDB's UpdateItem does.
func (m *Memory) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	a := action{
		table: in.TableName, key: in.Key, condition: in.ConditionExpression, update: in.UpdateExpression,
		scope: scope{in.ExpressionAttributeNames, in.ExpressionAttributeValues, nil},
	}
	p, err := m.prepare(&a)
	if err != nil {
		return nil, err
	}
	if !p.met {
		refusal := &types.ConditionalCheckFailedException{Message: aws.String("The conditional request failed")}
		if in.ReturnValuesOnConditionCheckFailure == types.ReturnValuesOnConditionCheckFailureAllOld {
			refusal.Item = maps.Clone(p.old)
		}
		return nil, refusal
	}
	if err := p.do(); err != nil {
		return nil, err
	}
	out := &dynamodb.UpdateItemOutput{}
	if in.ReturnValues == types.ReturnValueAllNew || in.ReturnValues == types.ReturnValueUpdatedNew {
		out.Attributes = maps.Clone(p.updated)
	}
	return out, nil
}

// TransactWriteItems does what DynamoDB's TransactWriteItems does. A call with a
// ClientRequestToken that was used before changes nothing.
func (m *Memory) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	token := aws.ToString(in.ClientRequestToken)
	if m.done[token] {
		return &dynamodb.TransactWriteItemsOutput{}, nil
	}
	if n := len(in.TransactItems); n == 0 || n > batchLimit {
		return nil, invalid("%d actions", n)
	}
	reasons := make([]types.CancellationReason, len(in.TransactItems))
	prepared := make([]*prepared, len(in.TransactItems))
	seen, refused := map[string]bool{}, false
	for i, one := range in.TransactItems {
		a := actionOf(one)
		p, err := m.prepare(&a)
		if err != nil {
			return nil, err
		}
		id := aws.ToString(a.table) + "\x00" + textOf(a.keys()[p.in.hash]) + "\x00" + textOf(a.keys()[p.in.sort])
		if seen[id] {
			return nil, invalid("two actions for one item")
		}
		seen[id] = true
		reasons[i].Code = aws.String("None")
		if !p.met {
			reasons[i].Code, refused = aws.String("ConditionalCheckFailed"), true
			if a.returnOld {
				reasons[i].Item = maps.Clone(p.old)
			}
		}
		prepared[i] = p
	}
	if refused {
		return nil, &types.TransactionCanceledException{Message: aws.String("Transaction cancelled"), CancellationReasons: reasons}
	}
	for _, p := range prepared {
		if err := p.do(); err != nil {
			return nil, err
		}
	}
	if token != "" {
		m.done[token] = true
	}
	return &dynamodb.TransactWriteItemsOutput{}, nil
}

// action is one write with its condition: an item to put, a key with an update, a key
// to delete, or a key that is only checked.
type action struct {
	table     *string
	key       item
	item      item
	update    *string
	remove    bool
	condition *string
	// returnOld means that a refusal returns the stored item.
	returnOld bool
	scope     scope
}

func (a *action) keys() item {
	if a.item != nil {
		return a.item
	}
	return a.key
}

func actionOf(t types.TransactWriteItem) action {
	switch {
	case t.Put != nil:
		return action{table: t.Put.TableName, item: t.Put.Item, condition: t.Put.ConditionExpression, scope: scope{t.Put.ExpressionAttributeNames, t.Put.ExpressionAttributeValues, nil}}
	case t.Update != nil:
		returnOld := t.Update.ReturnValuesOnConditionCheckFailure == types.ReturnValuesOnConditionCheckFailureAllOld
		return action{returnOld: returnOld, table: t.Update.TableName, key: t.Update.Key, update: t.Update.UpdateExpression, condition: t.Update.ConditionExpression, scope: scope{t.Update.ExpressionAttributeNames, t.Update.ExpressionAttributeValues, nil}}
	case t.Delete != nil:
		return action{table: t.Delete.TableName, key: t.Delete.Key, remove: true, condition: t.Delete.ConditionExpression, scope: scope{t.Delete.ExpressionAttributeNames, t.Delete.ExpressionAttributeValues, nil}}
	default:
		c := t.ConditionCheck
		return action{table: c.TableName, key: c.Key, condition: c.ConditionExpression, scope: scope{c.ExpressionAttributeNames, c.ExpressionAttributeValues, nil}}
	}
}

// prepared is an action whose condition was evaluated, with its effect.
type prepared struct {
	in      *table
	old     item
	met     bool
	updated item
	do      func() error
}

func (m *Memory) prepare(a *action) (*prepared, error) {
	t, err := m.table(a.table)
	if err != nil {
		return nil, err
	}
	p := &prepared{in: t, met: true, do: func() error { return nil }}
	if p.old, err = t.get(a.keys()); err != nil {
		return nil, err
	}
	a.scope.used = map[string]bool{}
	if a.condition != nil {
		if p.met, err = a.scope.holds(*a.condition, p.old); err != nil {
			return nil, err
		}
	}
	switch {
	case a.item != nil:
		p.updated = maps.Clone(a.item)
	case a.update != nil:
		p.updated = maps.Clone(p.old)
		if p.updated == nil {
			p.updated = maps.Clone(a.key)
		}
		if err := a.scope.apply(*a.update, p.updated); err != nil {
			return nil, err
		}
	case a.remove:
		p.do = func() error { return t.remove(a.key) }
	}
	if p.updated != nil {
		p.do = func() error { return t.put(p.updated) }
	}
	return p, a.scope.allUsed()
}

// pageBytes is the size at which a page of a query or a scan ends.
const pageBytes = 1 << 20

// Query does what DynamoDB's Query does, on a table or an index.
func (m *Memory) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	t, done, err := m.open(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	defer done()
	s := scope{in.ExpressionAttributeNames, in.ExpressionAttributeValues, map[string]bool{}}
	rows, keys, err := t.rows(in, &s)
	if err != nil {
		return nil, err
	}
	p, err := s.page(rows, keys, in.FilterExpression, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &dynamodb.QueryOutput{Count: int32(len(p.items)), ScannedCount: p.scanned, LastEvaluatedKey: p.last} //nolint:gosec // G115: less than a page holds
	if in.Select != types.SelectCount {
		out.Items = p.items
	}
	return out, nil
}

// Scan does what DynamoDB's Scan does, on a table or an index.
func (m *Memory) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	t, done, err := m.open(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	defer done()
	ix, keys := index{hash: t.hash, sort: t.sort}, []string{t.hash, t.sort}
	if in.IndexName != nil {
		var ok bool
		if ix, ok = t.indexes[*in.IndexName]; !ok || aws.ToBool(in.ConsistentRead) {
			return nil, invalid("there is no index %s, or the read is strongly consistent", *in.IndexName)
		}
		keys = append(keys, ix.hash, ix.sort)
	}
	p, err := (&scope{in.ExpressionAttributeNames, in.ExpressionAttributeValues, map[string]bool{}}).
		page(t.scanned(ix, in.ExclusiveStartKey), keys, in.FilterExpression, in.Limit)
	if err != nil {
		return nil, err
	}
	return &dynamodb.ScanOutput{Items: p.items, Count: int32(len(p.items)), ScannedCount: p.scanned, LastEvaluatedKey: p.last}, nil //nolint:gosec // G115: less than a page holds
}

// scanned returns the items of an index, or of the table itself, that come after a
// start key, partition by partition. They have the attributes that the index shows.
func (t *table) scanned(ix index, start item) (rows []item) {
	order := func(a, b item) int {
		return cmp.Or(compare(a[ix.hash], b[ix.hash]), compare(a[ix.sort], b[ix.sort]), compare(a[t.hash], b[t.hash]), compare(a[t.sort], b[t.sort]))
	}
	for _, part := range slices.Sorted(maps.Keys(t.parts)) { // in the order of the table itself
		for _, it := range t.parts[part] {
			if it[ix.hash] != nil && it[ix.sort] != nil && (len(start) == 0 || order(it, start) > 0) {
				rows = append(rows, shown(it, ix.kept))
			}
		}
	}
	slices.SortFunc(rows, order)
	return rows
}

// page is the part of the rows that one call returns.
type page struct {
	items   []item
	scanned int32
	// last is the key after which the next page begins; nil if there is none.
	last item
}

// page looks at rows until it has looked at limit of them, or a page is full.
func (s *scope) page(rows []item, keys []string, filter *string, limit *int32) (p page, err error) {
	size := 0
	for i, it := range rows {
		match := true
		if filter != nil {
			if match, err = s.holds(*filter, it); err != nil {
				return p, err
			}
		}
		p.scanned++
		if match {
			p.items = append(p.items, maps.Clone(it))
		}
		size += sizeOf(it)
		if (limit != nil && p.scanned == *limit) || (size > pageBytes && i < len(rows)-1) {
			p.last = projectedKeys(it, keys)
			break
		}
	}
	if len(rows) == 0 {
		return p, nil
	}
	return p, s.allUsed()
}

// rows returns the items that a query looks at, in the order of the query, after its
// start key. keys are the attributes of a start key.
func (t *table) rows(in *dynamodb.QueryInput, s *scope) (rows []item, keys []string, err error) {
	keys = append(make([]string, 0, 4), t.hash, t.sort)
	part := t.parts[textOf(s.firstValue(*in.KeyConditionExpression))]
	if in.IndexName == nil {
		if in.ScanIndexForward == nil || *in.ScanIndexForward {
			rows, err = t.forward(part, in, s)
			return rows, keys, err
		}
		rows, err = s.choose(part, t.sort, *in.KeyConditionExpression, nil)
		return t.ordered(rows, t.sort, in), keys, err
	}
	ix, ok := t.indexes[*in.IndexName]
	if !ok || aws.ToBool(in.ConsistentRead) {
		return nil, nil, invalid("there is no index %s, or the read is strongly consistent", *in.IndexName)
	}
	if ix.hash != t.hash {
		part = slices.Concat(slices.Collect(maps.Values(t.parts))...)
	}
	rows, err = s.choose(part, ix.sort, *in.KeyConditionExpression, ix.kept)
	return t.ordered(rows, ix.sort, in), append(keys, ix.hash, ix.sort), err
}

// forward goes through a partition, which is already in order. It does not look at
// items before the start key or after the limit.
func (t *table) forward(part []item, in *dynamodb.QueryInput, s *scope) (rows []item, err error) {
	if len(in.ExclusiveStartKey) > 0 {
		after, _ := slices.BinarySearchFunc(part, textOf(in.ExclusiveStartKey[t.sort]), func(it item, want string) int {
			return cmp.Or(strings.Compare(textOf(it[t.sort]), want), -1)
		})
		part = part[after:]
	}
	for _, it := range part {
		if in.Limit != nil && len(rows) == int(*in.Limit) {
			break
		}
		ok, err := s.holds(*in.KeyConditionExpression, it)
		if err != nil {
			return nil, err
		}
		if ok {
			rows = append(rows, it)
		}
	}
	return rows, nil
}

// choose returns the items that have the attribute sort and meet a condition, with the
// attributes in kept.
func (s *scope) choose(all []item, sort, condition string, kept map[string]bool) (rows []item, err error) {
	for _, it := range all {
		if it[sort] == nil {
			continue
		}
		ok, err := s.holds(condition, it)
		if err != nil {
			return nil, err
		}
		if ok {
			rows = append(rows, shown(it, kept))
		}
	}
	return rows, nil
}

// ordered puts rows in the order of a query, and drops those up to its start key.
func (t *table) ordered(rows []item, sort string, in *dynamodb.QueryInput) []item {
	order := func(a, b item) int {
		return cmp.Or(compare(a[sort], b[sort]), compare(a[t.hash], b[t.hash]), compare(a[t.sort], b[t.sort]))
	}
	slices.SortFunc(rows, order)
	if in.ScanIndexForward != nil && !*in.ScanIndexForward {
		slices.Reverse(rows)
		forward := order
		order = func(a, b item) int { return forward(b, a) }
	}
	if len(in.ExclusiveStartKey) > 0 {
		rows = slices.DeleteFunc(rows, func(it item) bool { return order(it, in.ExclusiveStartKey) <= 0 })
	}
	return rows
}

func shown(it item, kept map[string]bool) item {
	if kept == nil {
		return it
	}
	part := item{}
	for k, v := range it {
		if kept[k] {
			part[k] = v
		}
	}
	return part
}

func projectedKeys(it item, keys []string) item {
	k := item{}
	for _, name := range keys {
		if v, ok := it[name]; ok {
			k[name] = v
		}
	}
	return k
}

func sizeOf(it item) int {
	n := 0
	for k, v := range it {
		n += len(k) + len(textOf(v))
	}
	return n
}
