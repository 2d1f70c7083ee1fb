package api

import (
	"context"
	"net/http"

	"postrider/internal/mailing"
)

// routePreview registers the preview. It is a POST, since a filter is too long for
// a query, but it only reads: so a viewer may use it.
func (s *server) routePreview() {
	preview := withAccess(mailingOp("preview-mailing", http.MethodPost, mailingsPath+"/preview", "Whom a mailing would reach, and what its text comes to",
		http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType), mailing.Viewer)
	preview.Parameters = nil
	handle(s, preview, s.preview)
}

// PreviewBody is the part of a mailing that a preview needs.
type PreviewBody struct {
	Filter FilterBody `json:"filter"`
	Text   string     `json:"text,omitempty" maxLength:"1600" example:"Your order is ready"`
}

// Preview is the answer to a preview.
type Preview struct {
	Recipients int64 `json:"recipients" minimum:"0" example:"500" doc:"How many clients the filter chooses now, exactly."`
	SMS        *SMS  `json:"sms,omitempty" doc:"Only of a text."`
}

// preview counts the clients that a filter chooses now. The audience of a mailing
// is chosen at its start, so it can differ.
func (s *server) preview(ctx context.Context, in *struct{ Body PreviewBody }) (*struct{ Body Preview }, error) {
	filter := in.Body.Filter.filter()
	if err := filter.Check(); err != nil {
		return nil, err
	}
	n, err := s.Clients.CountAudience(ctx, filter)
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
