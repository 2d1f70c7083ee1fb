package api

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// checkQuery refuses parameters that huma would ignore: one that is given twice,
// one without a value, and a query that cannot be read. If a filter were ignored,
// the answer would hold everything.
func (s *server) checkQuery(ctx huma.Context, next func(huma.Context)) {
	op, target := ctx.Operation(), ctx.URL()
	if op.SkipValidateParams || target.RawQuery == "" {
		next(ctx)
		return
	}
	wrong := queryErrors(op, target.RawQuery)
	if len(wrong) == 0 {
		next(ctx)
		return
	}
	p := problemOf(http.StatusUnprocessableEntity, "the request is not valid")
	p.Errors = wrong
	_, w := humago.Unwrap(ctx)
	writeProblem(w, p)
}

// queryErrors returns the errors of a query, in the order of locations. Parameters
// that the operation does not describe are huma's to refuse.
func queryErrors(op *huma.Operation, query string) []FieldError {
	values, err := url.ParseQuery(query)
	if err != nil {
		return []FieldError{{"query", "cannot be read"}}
	}
	var wrong []FieldError
	for _, p := range op.Parameters {
		given, ok := values[p.Name]
		if p.In != "query" || !ok {
			continue
		}
		switch {
		case len(given) > 1 && p.Schema.Type != huma.TypeArray:
			wrong = append(wrong, FieldError{"query." + p.Name, "must be given once"})
		case given[0] == "" && !takesEmpty(p.Schema):
			wrong = append(wrong, FieldError{"query." + p.Name, "must not be empty"})
		}
	}
	slices.SortFunc(wrong, func(a, b FieldError) int { return cmp.Compare(a.Location, b.Location) })
	return wrong
}

// takesEmpty reports whether the empty text is valid by the schema. An empty cursor
// is valid: it stands for the first page.
func takesEmpty(s *huma.Schema) bool {
	return s.Type == huma.TypeString && s.Pattern == "" && s.Enum == nil && s.MinLength == nil
}
