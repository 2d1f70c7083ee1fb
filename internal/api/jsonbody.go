package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Limits of a body in JSON. No valid body comes near them, apart from what it may have in
// read-only fields.
const (
	maxDepth  = 32
	maxValues = 10_000
)

// checkBody refuses bodies in JSON that encoding/json would read although parts of them
// would be lost or replaced: a key that is twice in an object, and text that is no
// Unicode. It also limits how much work a body can make.
func (s *server) checkBody(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	if op.RequestBody == nil || op.RequestBody.Content["application/json"] == nil {
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	body, err := io.ReadAll(io.LimitReader(r.Body, op.MaxBodyBytes))
	// huma answers to a body that is too large or cannot be read.
	rest := io.MultiReader(bytes.NewReader(body), r.Body)
	r.Body = struct {
		io.Reader
		io.Closer
	}{rest, r.Body}
	if err == nil && int64(len(body)) < op.MaxBodyBytes {
		if refused := jsonProblem(body); refused != nil {
			writeProblem(w, refused)
			return
		}
	}
	next(ctx)
}

// jsonProblem returns the answer to a body that is refused, nil for others. It does not
// look for errors of syntax, which huma finds.
func jsonProblem(body []byte) *Problem {
	if !utf8.Valid(body) {
		return problemOf(http.StatusBadRequest, "the body is not in UTF-8")
	}
	scan := jsonScan{body: body, tokens: json.NewDecoder(bytes.NewReader(body))}
	scan.tokens.UseNumber()
	for {
		problem, more := scan.next()
		if problem != nil || !more {
			return problem
		}
	}
}

// jsonScan reads a body token by token.
type jsonScan struct {
	body   []byte
	tokens *json.Decoder
	at     int64
	values int
	open   []jsonLevel
}

// jsonLevel is an object or a list that has begun and not ended.
type jsonLevel struct {
	// keys are the keys so far, nil for a list. key is the key whose value comes next, if
	// hasKey is true.
	keys   map[string]bool
	key    string
	hasKey bool
	// index is the index of the next value in a list.
	index int
}

// next looks at the next token. more is false at the end of the body, and at an error of
// syntax.
func (s *jsonScan) next() (refused *Problem, more bool) {
	token, err := s.tokens.Token()
	if err != nil {
		return nil, false //nolint:nilerr // huma reports errors of syntax
	}
	from := s.at
	s.at = s.tokens.InputOffset()
	if s.values++; s.values > maxValues {
		return problemOf(http.StatusBadRequest, fmt.Sprintf("the body has more than %d keys and values", maxValues)), false
	}
	if text, ok := token.(string); ok {
		if loneSurrogate(s.body[from:s.at]) {
			p := problemOf(http.StatusUnprocessableEntity, invalidRequest)
			p.Errors = []FieldError{{ownKey(s.location()), `has half of a pair of \u escapes, which is no character`}}
			return p, false
		}
		if level := s.top(); level != nil && level.keys != nil && !level.hasKey {
			if level.keys[text] {
				return s.refused("the body has a key twice in one object"), false
			}
			level.keys[text], level.key, level.hasKey = true, text, true
			return nil, true
		}
	}
	switch token {
	case json.Delim('{'):
		s.open = append(s.open, jsonLevel{keys: map[string]bool{}})
	case json.Delim('['):
		s.open = append(s.open, jsonLevel{})
	case json.Delim('}'), json.Delim(']'):
		s.open = s.open[:len(s.open)-1]
		s.valueEnds()
	default:
		s.valueEnds()
	}
	if len(s.open) > maxDepth {
		return s.refused(fmt.Sprintf("the body has more than %d objects and lists inside of each other", maxDepth)), false
	}
	return nil, true
}

func (s *jsonScan) top() *jsonLevel {
	if len(s.open) == 0 {
		return nil
	}
	return &s.open[len(s.open)-1]
}

func (s *jsonScan) valueEnds() {
	if level := s.top(); level != nil {
		level.hasKey, level.index = false, level.index+1
	}
}

// refused returns the answer to a body with a fault at the present place.
func (s *jsonScan) refused(fault string) *Problem {
	lines := bytes.Split(s.body[:s.at], []byte("\n"))
	return problemOf(http.StatusBadRequest, fmt.Sprintf("%s: see line %d, column %d", fault, len(lines),
		utf8.RuneCount(lines[len(lines)-1])))
}

// location returns the place of the present value, such as body.filter.tags[1].
func (s *jsonScan) location() string {
	var at strings.Builder
	at.WriteString("body")
	for _, level := range s.open {
		if level.keys == nil {
			at.WriteString("[" + strconv.Itoa(level.index) + "]")
		} else if level.hasKey {
			at.WriteString("." + level.key)
		}
	}
	return at.String()
}

// loneSurrogate reports whether the text of a string has an escape of one half of a
// surrogate pair without the other half. encoding/json replaces it by U+FFFD.
func loneSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		r, ok := escaped(raw[i:])
		switch {
		case !ok:
			i++ // an escape of one character, such as \\
		case !utf16.IsSurrogate(r):
			i += 5
		default:
			low, ok := escaped(raw[i+6:])
			if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
				return true
			}
			i += 11
		}
	}
	return false
}

// escaped returns the number of an escape such as \u0041 at the beginning of a text.
func escaped(raw []byte) (rune, bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	return rune(n), err == nil
}
