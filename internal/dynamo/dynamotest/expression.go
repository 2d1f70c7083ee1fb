package dynamotest

import (
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// scope holds the names and values that the placeholders of an expression stand for.
type scope struct {
	names  map[string]string
	values item
	// used holds the placeholders that occurred: DynamoDB refuses a request with an
	// unused one.
	used map[string]bool
}

func (s *scope) name(place string) (string, error) {
	if !strings.HasPrefix(place, "#") {
		return "", invalid("%q: an attribute needs a placeholder #name", place)
	}
	s.used[place] = true
	name, ok := s.names[place]
	if !ok {
		return "", invalid("placeholder %s is not defined", place)
	}
	return name, nil
}

func (s *scope) value(place string) (types.AttributeValue, error) {
	s.used[place] = true
	v, ok := s.values[place]
	if !ok {
		return nil, invalid("placeholder %s is not defined", place)
	}
	return v, nil
}

// firstValue returns the first value that an expression names. For a key condition that
// is the partition.
func (s *scope) firstValue(expression string) types.AttributeValue {
	for _, token := range tokens(expression) {
		if strings.HasPrefix(token, ":") {
			return s.values[token]
		}
	}
	return nil
}

func (s *scope) allUsed() error {
	for place := range s.names {
		if !s.used[place] {
			return invalid("placeholder %s is not used", place)
		}
	}
	for place := range s.values {
		if !s.used[place] {
			return invalid("placeholder %s is not used", place)
		}
	}
	return nil
}

// tokens splits an expression into words, operators and punctuation. Callers must not
// change the result, because they share it: a query needs the same tokens for each
// item.
func tokens(expression string) []string {
	if known, ok := tokenized.Load(expression); ok {
		if list, ok := known.([]string); ok {
			return list
		}
	}
	list := tokenPattern.FindAllString(expression, -1)
	tokenized.Store(expression, list)
	return list
}

// tokenized holds the expressions that were split. A store has few different ones.
var tokenized sync.Map //nolint:gochecknoglobals // a cache; results are the same without it

var tokenPattern = regexp.MustCompile(`[#:]?[A-Za-z0-9_]+|<=|>=|<>|[^ ]`)

// parser reads a condition and evaluates it at the same time.
type parser struct {
	scope  *scope
	item   item
	tokens []string
	err    error
}

// holds reports whether an item meets a condition; nil is no item.
func (s *scope) holds(condition string, it item) (bool, error) {
	p := &parser{scope: s, item: it, tokens: tokens(condition)}
	ok := p.or()
	if p.err == nil && len(p.tokens) > 0 {
		p.err = invalid("%q: unexpected token %q", condition, p.tokens[0])
	}
	return ok, p.err
}

func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *parser) next() string {
	token := p.peek()
	if token == "" {
		p.fail("the expression ends early")
		return ""
	}
	p.tokens = p.tokens[1:]
	return token
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = invalid(format, args...)
	}
}

func (p *parser) expect(token string) {
	if got := p.next(); got != token {
		p.fail("found %q, want %q", got, token)
	}
}

func (p *parser) or() bool {
	ok := p.and()
	for p.peek() == "OR" {
		p.next()
		right := p.and()
		ok = ok || right
	}
	return ok
}

func (p *parser) and() bool {
	ok := p.term()
	for p.peek() == "AND" {
		p.next()
		right := p.term()
		ok = ok && right
	}
	return ok
}

func (p *parser) term() bool {
	switch token := p.next(); token {
	case "(":
		ok := p.or()
		p.expect(")")
		return ok
	case "NOT":
		return !p.term()
	case "attribute_exists", "attribute_not_exists":
		p.expect("(")
		v := p.operand(p.next())
		p.expect(")")
		return (v != nil) == (token == "attribute_exists")
	case "begins_with":
		p.expect("(")
		v := p.operand(p.next())
		p.expect(",")
		prefix := p.operand(p.next())
		p.expect(")")
		return v != nil && strings.HasPrefix(textOf(v), textOf(prefix))
	default:
		return p.comparison(p.operand(token))
	}
}

// operand returns the value of a placeholder; nil for an attribute that the item does
// not have.
func (p *parser) operand(place string) types.AttributeValue {
	var v types.AttributeValue
	var err error
	if strings.HasPrefix(place, ":") {
		v, err = p.scope.value(place)
	} else {
		var name string
		if name, err = p.scope.name(place); err == nil {
			v = p.item[name]
		}
	}
	if err != nil && p.err == nil {
		p.err = err
	}
	return v
}

func (p *parser) comparison(left types.AttributeValue) bool {
	switch operator := p.next(); operator {
	case "IN":
		return p.in(left)
	case "BETWEEN":
		from := p.operand(p.next())
		p.expect("AND")
		to := p.operand(p.next())
		return left != nil && compare(from, left) <= 0 && compare(left, to) <= 0
	default:
		return p.compared(operator, left, p.operand(p.next()))
	}
}

func (p *parser) in(left types.AttributeValue) bool {
	p.expect("(")
	found := false
	for {
		right := p.operand(p.next())
		found = found || left != nil && equal(left, right)
		if token := p.next(); token != "," {
			if token != ")" {
				p.fail("found %q, want )", token)
			}
			return found
		}
	}
}

func (p *parser) compared(operator string, left, right types.AttributeValue) bool {
	if operator == "<>" {
		return left == nil || right == nil || !equal(left, right)
	}
	if left == nil || right == nil {
		return false
	}
	order := compare(left, right)
	switch operator {
	case "=":
		return equal(left, right)
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	p.fail("unknown operator %q", operator)
	return false
}

// apply changes an item by an update expression. It supports SET to a value, SET to
// if_not_exists of the same attribute with or without a number added, ADD of numbers,
// and REMOVE.
func (s *scope) apply(update string, it item) error {
	clause := ""
	for list := tokens(update); len(list) > 0; {
		if list[0] == "," {
			list = list[1:]
			continue
		}
		if slices.Contains([]string{"SET", "ADD", "REMOVE"}, list[0]) {
			clause, list = list[0], list[1:]
			continue
		}
		rest, err := s.applyOne(clause, list, it)
		if err != nil {
			return err
		}
		list = rest
	}
	return nil
}

func (s *scope) applyOne(clause string, list []string, it item) (rest []string, err error) {
	name, err := s.name(list[0])
	if err != nil {
		return nil, err
	}
	length := map[string]int{"SET": 3, "ADD": 2, "REMOVE": 1}[clause]
	if length == 0 || len(list) < length {
		return nil, invalid("%q is not an update", strings.Join(list, " "))
	}
	if clause == "REMOVE" {
		delete(it, name)
		return list[length:], nil
	}
	if clause == "SET" && list[2] == "if_not_exists" {
		return s.setOnce(name, list, it)
	}
	v, err := s.value(list[length-1])
	if err != nil {
		return nil, err
	}
	if clause == "ADD" {
		v = sum(it[name], v)
	}
	it[name] = v
	return list[length:], nil
}

func sum(a, b types.AttributeValue) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: new(big.Int).Add(whole(a), whole(b)).String()}
}

// setOnce reads #name = if_not_exists ( #name , :value ) from the first token of list
// on, and + :more after it if present.
func (s *scope) setOnce(name string, list []string, it item) (rest []string, err error) {
	const length = 8
	if len(list) < length || list[4] != list[0] {
		return nil, invalid("%q: if_not_exists is supported only for the attribute that is set", strings.Join(list, " "))
	}
	v, err := s.value(list[6])
	if err != nil {
		return nil, err
	}
	if it[name] == nil {
		it[name] = v
	}
	if rest = list[length:]; len(rest) < 2 || rest[0] != "+" {
		return rest, nil
	}
	more, err := s.value(rest[1])
	if err != nil {
		return nil, err
	}
	it[name] = sum(it[name], more)
	return rest[2:], nil
}

func whole(v types.AttributeValue) *big.Int {
	n, ok := new(big.Int).SetString(textOf(v), 10)
	if !ok {
		return new(big.Int)
	}
	return n
}

// textOf returns the text of a value; "" for none.
func textOf(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberBOOL:
		if v.Value {
			return "true"
		}
		return "false"
	}
	return ""
}

func equal(a, b types.AttributeValue) bool {
	return kindOf(a) == kindOf(b) && compare(a, b) == 0
}

func kindOf(v types.AttributeValue) byte {
	switch v.(type) {
	case *types.AttributeValueMemberS:
		return 'S'
	case *types.AttributeValueMemberN:
		return 'N'
	case *types.AttributeValueMemberBOOL:
		return 'B'
	}
	return 0
}

// compare orders two values of one type.
func compare(a, b types.AttributeValue) int {
	if kindOf(a) == 'N' && kindOf(b) == 'N' {
		return whole(a).Cmp(whole(b))
	}
	return strings.Compare(textOf(a), textOf(b))
}
