package api

import (
	"context"
	"net/http"

	"postrider/internal/mailing"
)

// routeFacets registers the list of values that clients have.
func (s *server) routeFacets() {
	client := exampleClient()
	register(s, operation{
		id: "get-client-facets", method: http.MethodGet, path: clientsPath + "/facets", tag: clientsTag,
		summary: "List the tags and operator codes of clients",
		about: "Returns the values that the filter of a mailing can choose from, in order. Each tag and operator " +
			"code of a client is listed. A value stays listed after its last client is changed or deleted, so the " +
			"number of clients with it may be 0: `POST /api/mailings/preview` counts them. Clients from before " +
			"version 1.4 are listed from their next change or import on.",
		success: "The values.",
		answer:  Facets{Tags: []string{client.Tag}, OperatorCodes: []OperatorCode{client.OperatorCode}},
	}, s.facets)
}

// Facets are the values that clients have in the fields of a filter.
type Facets struct {
	Tags          []string       `json:"tags" nullable:"false" maxItems:"500" minLength:"1" maxLength:"64" doc:"Tags that begin with the prefix, at most 500."`
	MoreTags      bool           `json:"more_tags" doc:"Whether there are more tags than are listed. A longer prefix finds them."`
	OperatorCodes []OperatorCode `json:"operator_codes" nullable:"false" doc:"All operator codes."`
}

// facets lists the tags and operator codes that occur.
func (s *server) facets(ctx context.Context, in *struct {
	Prefix string `query:"prefix" minLength:"1" maxLength:"64" example:"v" doc:"Only tags that begin with exactly this text. By default all tags. Operator codes do not change."`
},
) (*struct{ Body Facets }, error) {
	found, err := s.clients.Facets(ctx, in.Prefix)
	if err != nil {
		return nil, err
	}
	return &struct{ Body Facets }{facetsJSON(found)}, nil
}

// facetsJSON returns facets as answers have them.
func facetsJSON(f mailing.Facets) Facets {
	return Facets{
		Tags: notNil(f.Tags), MoreTags: f.MoreTags,
		OperatorCodes: each(f.OperatorCodes, func(code string) OperatorCode { return OperatorCode(code) }),
	}
}
