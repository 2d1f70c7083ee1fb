package api

import (
	"context"
	"net/http"

	"postrider/internal/mailing"
)

// routePreview registers the preview. It is a POST, since a filter is too long for
// a query, but it only reads: so a viewer may use it.
func (s *server) routePreview() {
	m := exampleMailing()
	register(s, operation{
		id: "preview-mailing", method: http.MethodPost, path: mailingsPath + "/preview", role: mailing.Viewer,
		tag:     mailingsTag,
		summary: "Preview the audience and the size of a mailing",
		about: "Returns the exact number of clients that match a filter now and, for a `text`, its size as " +
			"SMS. It creates and sends nothing, so a viewer may use it. The audience of a mailing is decided " +
			"when the mailing starts.",
		request: PreviewBody{Filter: FilterBody{Tags: m.Filter.Tags}, Text: m.Text},
		success: "The numbers.", answer: Preview{Recipients: 500, SMS: &m.SMS},
		errors: map[int]errorText{http.StatusForbidden: foreignPageText("A page of another site has made the request with a session.")},
	}, s.preview)
}

// PreviewBody is the part of a mailing that a preview needs.
type PreviewBody struct {
	Filter FilterBody `json:"filter"`
	Text   string     `json:"text,omitempty" maxLength:"1600" example:"Your order is ready"`
}

// Preview is the answer to a preview.
type Preview struct {
	Recipients int64 `json:"recipients" minimum:"0" example:"500" doc:"The exact number of clients that match the filter now."`
	SMS        *SMS  `json:"sms,omitempty" doc:"Only if the request has a text."`
}

// preview counts the clients that match a filter now. The audience of a mailing is
// decided at its start, so it can differ.
func (s *server) preview(ctx context.Context, in *struct{ Body PreviewBody }) (*struct{ Body Preview }, error) {
	filter := in.Body.Filter.filter()
	if err := filter.Check(); err != nil {
		return nil, err
	}
	n, err := s.clients.CountAudience(ctx, filter)
	if err != nil {
		return nil, err
	}
	body := Preview{Recipients: n}
	if in.Body.Text != "" {
		sms := smsJSON(in.Body.Text)
		body.SMS = &sms
	}
	return &struct{ Body Preview }{body}, nil
}
