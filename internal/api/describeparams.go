package api

import (
	"math"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// maxSafeID is the largest integer that JavaScript represents exactly.
const maxSafeID = 1<<53 - 1

// completeParam gives a parameter a text, an example that works, and an id its
// bounds.
func completeParam(op *huma.Operation, p *huma.Param) {
	if doc := paramDocs()[p.Name]; p.Description == "" {
		p.Description = doc
	}
	p.Schema.Description = "" // the parameter has the description itself
	p.Example = paramExample(op, p)
	ids := map[string]float64{"client": math.MaxUint32, "mailing": float64(mailing.MaxID), "message": maxSafeID}
	switch {
	case p.In == "path" && p.Name == "id":
		bound(p, ids[resourceOf(op)])
	case p.Name == "mailing_id":
		bound(p, ids["mailing"])
	case p.Name == "client_id":
		// Any integer is accepted, of any length. An id that no client can have
		// finds no messages.
		p.Schema.Minimum, p.Schema.Format = nil, ""
	}
}

// bound sets the largest value of a parameter.
func bound(p *huma.Param, highest float64) { p.Schema.Maximum = &highest }

// paramDocs returns the texts of parameters whose fields have no doc tag.
func paramDocs() map[string]string {
	return map[string]string{
		"phone":         "Only the client with this phone.",
		"operator_code": "Only those with this operator code.",
		"tag":           "Only those with exactly this tag.",
		"status":        "Only those of this status.",
	}
}

// paramExample returns an example with which a request works on the example data.
func paramExample(op *huma.Operation, p *huma.Param) any {
	switch {
	case p.Name == "id":
		return map[string]any{"client": exampleClient().ID, "mailing": exampleMailing().ID, "message": exampleMessage().ID}[resourceOf(op)]
	case p.Name == "status" && slices.Contains(p.Schema.Enum, any(string(mailing.Sent))):
		return string(mailing.Sent)
	case p.Schema.Default != nil:
		return p.Schema.Default
	}
	return map[string]any{
		"phone":           exampleClient().Phone,
		"operator_code":   exampleClient().OperatorCode,
		"tag":             exampleClient().Tag,
		"status":          string(mailing.StatusRunning),
		"mailing_id":      exampleMailing().ID,
		"client_id":       exampleClient().ID,
		"cursor":          "", // only an empty cursor works in every list
		"If-Match":        `"1"`,
		"Idempotency-Key": "5f0b0c4e-6f0e-4f5e-9b7e-2f0a3a1d7c11",
	}[p.Name]
}

// completeHeader gives a header of an answer an example. It moves the text from the
// schema to the header itself, where tools look for it.
func completeHeader(op *huma.Operation, name string, h *huma.Header) {
	h.Description, h.Schema.Description = h.Schema.Description, ""
	switch name {
	case "Idempotency-Replayed":
		h.Example = "true"
	case "Content-Disposition":
		h.Example = `attachment; filename="clients.csv"`
	case "Link":
		h.Example = `<?cursor=eyJsIjoi&limit=1000>; rel="next"`
	case "ETag":
		h.Example = `"1"`
	case "Location":
		made := op.Path
		if made == mailingPath+"/test" {
			made = messagesPath
		}
		h.Example = relative(op.Path, made) + "/1"
	}
}
