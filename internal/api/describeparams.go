package api

import (
	"math"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// maxSafeID is the largest integer that a browser keeps all digits of.
const maxSafeID = 1<<53 - 1

// completeParam gives a parameter an example that works, and an id its bounds.
func completeParam(op *huma.Operation, p *huma.Param) {
	if doc := paramDocs()[p.Name]; p.Description == "" {
		p.Description = doc
	}
	p.Schema.Description = "" // the parameter's own says it
	p.Example = paramExample(op, p)
	ids := map[string]float64{"client": math.MaxUint32, "mailing": float64(mailing.MaxMailingID), "message": maxSafeID}
	switch {
	case p.In == "path" && p.Name == "id":
		bound(p, ids[resourceOf(op)])
	case p.Name == "mailing_id":
		bound(p, ids["mailing"])
	case p.Name == "client_id":
		// Any integer is taken, however long; one that no client can have finds nothing.
		p.Schema.Minimum, p.Schema.Format = nil, ""
	}
}

func bound(p *huma.Param, highest float64) { p.Schema.Maximum = &highest }

// paramDocs describe parameters whose fields say nothing.
func paramDocs() map[string]string {
	return map[string]string{
		"phone":         "Only the client with this phone.",
		"operator_code": "Only those with this operator code.",
		"tag":           "Only those with exactly this tag.",
		"status":        "Only those of this status.",
	}
}

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
		"cursor":          "", // no other one is sure to work
		"If-Match":        `"1"`,
		"Idempotency-Key": "5f0b0c4e-6f0e-4f5e-9b7e-2f0a3a1d7c11",
	}[p.Name]
}

// completeHeader gives a header of an answer an example, and its description the
// place where tools look for it.
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
