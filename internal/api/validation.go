package api

import (
	"cmp"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// checkContentType refuses bodies of a type that the operation does not accept. A
// body without a type is assumed to have the right one.
func (s *server) checkContentType(ctx huma.Context, next func(huma.Context)) {
	sent := ctx.Header("Content-Type")
	body := ctx.Operation().RequestBody
	if body == nil || sent == "" {
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	media, _, err := mime.ParseMediaType(sent)
	if err != nil || body.Content[media] == nil {
		writeProblem(w, problemOf(http.StatusUnsupportedMediaType, bodyTypes(body)))
		return
	}
	if media == formType {
		// Only the parameter of the type says where the parts of a form begin.
		next(ctx)
		return
	}
	// huma compares the type as text: in lower case and without parameters.
	r.Header.Set("Content-Type", media)
	next(ctx)
}

// bodyTypes says which types of body an operation accepts.
func bodyTypes(body *huma.RequestBody) string {
	return "the body's Content-Type must be " + strings.Join(slices.Sorted(maps.Keys(body.Content)), " or ")
}

// checkQuery refuses parameters that huma would ignore: one that is given twice,
// one without a value, and a query that cannot be read. If a filter were ignored,
// the answer would hold everything.
func (s *server) checkQuery(ctx huma.Context, next func(huma.Context)) {
	op, target := ctx.Operation(), ctx.URL()
	if op.SkipValidateParams || target.RawQuery == "" {
		next(ctx)
		return
	}
	errs := queryErrors(op, target.RawQuery)
	if len(errs) == 0 {
		next(ctx)
		return
	}
	p := problemOf(http.StatusUnprocessableEntity, invalidRequest)
	p.Errors = errs
	_, w := humago.Unwrap(ctx)
	writeProblem(w, p)
}

// queryErrors returns the errors of a query, in the order of locations. Parameters
// that the operation does not describe are refused by huma.
func queryErrors(op *huma.Operation, query string) []FieldError {
	values, err := url.ParseQuery(query)
	if err != nil {
		return []FieldError{{"query", "cannot be read"}}
	}
	var errs []FieldError
	for _, p := range op.Parameters {
		given, ok := values[p.Name]
		if p.In != "query" || !ok {
			continue
		}
		switch {
		case len(given) > 1 && p.Schema.Type != huma.TypeArray:
			errs = append(errs, FieldError{"query." + p.Name, "must be given once"})
		case given[0] == "" && !acceptsEmpty(p.Schema):
			errs = append(errs, FieldError{"query." + p.Name, "must not be empty"})
		}
	}
	slices.SortFunc(errs, func(a, b FieldError) int { return cmp.Compare(a.Location, b.Location) })
	return errs
}

// acceptsEmpty reports whether the empty text is valid by the schema. An empty cursor
// is valid: it stands for the first page.
func acceptsEmpty(s *huma.Schema) bool {
	return s.Type == huma.TypeString && s.Pattern == "" && s.Enum == nil && s.MinLength == nil
}

// singleHeader returns an error if a request has the header with an empty value, or
// has it several times. value is the value that huma has read.
func singleHeader(ctx huma.Context, header, value string) []error {
	r, _ := humago.Unwrap(ctx)
	given := len(r.Header.Values(header))
	if given == 0 || given == 1 && value != "" {
		return nil
	}
	return []error{&huma.ErrorDetail{Location: "header." + header, Message: "must be given once, and not empty"}}
}
