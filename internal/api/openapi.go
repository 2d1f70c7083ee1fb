package api

import (
	_ "embed"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// conventions is the text about all operations, at the head of the description.
//
//go:embed texts/conventions.md
var conventions string

// The tags of operations.
const (
	clientsTag    = "clients"
	mailingsTag   = "mailings"
	statisticsTag = "statistics"
	messagesTag   = "messages"
	serviceTag    = "service"
)

// configuration returns the configuration of huma, with the texts about the whole
// API, and without the parts of huma that this API does not use.
func configuration() huma.Config {
	config := huma.DefaultConfig("Postrider", Version)
	config.Info.Description = conventions
	config.Info.Contact = &huma.Contact{Name: "The operators of this deployment"}
	config.Info.License = &huma.License{Name: "Proprietary", Identifier: "LicenseRef-Proprietary"}
	config.Tags = []*huma.Tag{
		{Name: clientsTag, Description: "The directory of clients, with phone, operator code, tag and time zone."},
		{Name: mailingsTag, Description: "Texts that are sent to all clients that match a filter."},
		{Name: statisticsTag, Description: "The progress of mailings, in numbers."},
		{Name: messagesTag, Description: "Messages, one per mailing and client, with their status."},
		{Name: serviceTag, Description: "The service itself: links, health, queues and metrics."},
	}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "A key, as `Authorization: Bearer <key>`."},
		"apiKey": {Type: "apiKey", In: "header", Name: keyHeader, Description: "A key, as `" + keyHeader + ": <key>`."},
		"sessionCookie": {
			Type: "apiKey", In: "cookie", Name: sessionCookie,
			Description: "The cookie that `POST /api/session` sets, for browsers.",
		},
	}
	config.Security = []map[string][]string{{"bearer": {}}, {"apiKey": {}}, {"sessionCookie": {}}}
	// huma's own pages load scripts from another site. Its hook adds "$schema" to
	// bodies. Its handler builds the description on first use without a lock. So
	// none of them is used.
	config.DocsPath, config.SchemasPath, config.OpenAPIPath = "", "", ""
	config.CreateHooks = nil
	// The URL is relative to that of the description, so it stays right where API
	// Gateway puts the name of a stage before the path. It has no slash at the end,
	// since programs append a path, which begins with one. The other servers are for
	// programs that have the description only as a file.
	config.Servers = []*huma.Server{
		{URL: ".", Description: "The deployment that serves this description"},
		{URL: "http://localhost:8000", Description: "The local stack"},
		{URL: "https://{host}/{stage}", Description: "A deployment on AWS", Variables: map[string]*huma.ServerVariable{
			"host": {
				Default:     "api-id.execute-api.us-east-1.amazonaws.com",
				Description: "The host of the API in API Gateway, or a domain of your own.",
			},
			"stage": {Default: "prod", Description: "The stage of the API."},
		}},
	}
	// If a mistyped filter were ignored, the answer would hold everything.
	config.RejectUnknownQueryParameters = true
	return config
}

// schemas returns the registry that has the schema of each type in a request or an
// answer.
func (s *server) schemas() huma.Registry { return s.api.OpenAPI().Components.Schemas }

// describe adds the texts, examples, errors and links of an operation to h, its
// description by huma.
func (s *server) describe(h *huma.Operation, op operation) {
	if op.role == everyone {
		// An empty list overrides the security of the whole API; a nil list does not.
		h.Security = []map[string][]string{}
	}
	for _, p := range h.Parameters {
		describeParam(h, p)
	}
	if h.RequestBody != nil {
		for _, content := range h.RequestBody.Content {
			content.Example = op.request
			// The schema of a patch has its nulls already, see [Patch.Schema].
			if op.method != http.MethodPatch {
				allowNull(s.schemas(), content.Schema)
			}
		}
	}
	s.describeErrors(h, op)
	success := h.Responses[strconv.Itoa(h.DefaultStatus)]
	success.Description = op.success
	for _, content := range success.Content {
		content.Example = op.answer
	}
	for name, header := range success.Headers {
		describeHeader(h, name, header)
	}
	if op.method == http.MethodPatch {
		describeAcceptPatch(success)
		describeAcceptPatch(h.Responses[strconv.Itoa(http.StatusUnsupportedMediaType)])
	}
	if takes(h, "header", "If-None-Match") {
		h.Responses[strconv.Itoa(http.StatusNotModified)] = &huma.Response{
			Description: "The answer would be the one whose ETag is in `If-None-Match`.",
			Headers:     map[string]*huma.Header{"ETag": success.Headers["ETag"]},
		}
	}
	for target, param := range op.links {
		if success.Links == nil {
			success.Links = map[string]*huma.Link{}
		}
		success.Links[target] = &huma.Link{OperationID: target, Parameters: map[string]any{param: "$response.body#/id"}}
	}
}

// describeParam gives a parameter an example, and an id the schema of an integer. A
// request with the example works on the example data. Text and example are at the
// parameter itself, and are removed from its schema.
func describeParam(op *huma.Operation, p *huma.Param) {
	p.Schema.Description = ""
	if p.In != "header" && len(p.Schema.Examples) > 0 {
		p.Example, p.Schema.Examples = p.Schema.Examples[0], nil
	}
	switch p.Name {
	case "id":
		describeID(p, resourceOf(op))
	case "mailing_id":
		describeID(p, "mailing")
	case "message_id":
		describeID(p, "message")
	case "client_id":
		// Any integer is accepted, of any length. An id that no client can have
		// finds no messages.
		p.Example, p.Explode, p.Schema = exampleClient().ID, nil, &huma.Schema{Type: huma.TypeInteger}
	case "limit":
		p.Example = p.Schema.Default
	case "bom", "ignore_unknown":
		p.Example, p.Explode, p.Schema = true, nil, &huma.Schema{Type: huma.TypeBoolean, Default: false}
	case "step":
		p.Example = 60
	case "status":
		p.Example = string(mailing.StatusRunning)
		if !slices.Contains(p.Schema.Enum, p.Example) {
			p.Example = string(mailing.Sent)
		}
	case "cursor":
		p.Example = "" // only an empty cursor works in every list
	case "If-Match", "If-None-Match":
		p.Example = `"1"`
	case "Idempotency-Key":
		p.Example = "5f0b0c4e-6f0e-4f5e-9b7e-2f0a3a1d7c11"
	}
}

// describeID gives the id of a resource its schema and an example. huma reads it as
// text, because integers of any length are accepted.
func describeID(p *huma.Param, resource string) {
	p.Explode = nil
	switch resource {
	case "client":
		p.Example, p.Schema = exampleClient().ID, ClientID(0).Schema(nil)
	case "mailing":
		p.Example, p.Schema = exampleMailing().ID, MailingID(0).Schema(nil)
	case "message":
		p.Example, p.Schema = exampleMessage().ID, MessageID(0).Schema(nil)
	}
}

// describeHeader gives a header of an answer an example. It moves the text from the
// schema to the header itself, where tools look for it.
func describeHeader(op *huma.Operation, name string, h *huma.Header) {
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
	case "Set-Cookie":
		h.Example = exampleCookie(op.Method)
	case "Location":
		collection := op.Path
		if op.Path == mailingPath+"/test" {
			collection = messagesPath
		}
		h.Example = relative(op.Path, collection) + "/1"
	}
}

// describeAcceptPatch adds the header with the types of a patch to a response.
func describeAcceptPatch(r *huma.Response) {
	if r.Headers == nil {
		r.Headers = map[string]*huma.Header{}
	}
	r.Headers[acceptPatch] = &huma.Header{
		Description: "The types of body that are accepted.", Schema: &huma.Schema{Type: huma.TypeString}, Example: patchTypes,
	}
}

// allowNull marks the properties of the schema of a request for which huma accepts
// null: those that may be left out. It follows references and lists, down to all
// nested objects.
func allowNull(r huma.Registry, s *huma.Schema) {
	if s == nil {
		return
	}
	for s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	for name, p := range s.Properties {
		if !slices.Contains(s.Required, name) && p.Ref == "" {
			nullable(p)
		}
		allowNull(r, p)
	}
	allowNull(r, s.Items)
}

// describeErrors describes the errors of an operation: those that follow from its
// input, and those that it has a text for.
func (s *server) describeErrors(h *huma.Operation, op operation) {
	for status, text := range commonErrors(h, op.role) {
		h.Responses[strconv.Itoa(status)] = s.commonResponse(status, text)
	}
	for status, text := range op.errors {
		h.Responses[strconv.Itoa(status)] = s.errorResponse(status, text)
	}
}

// commonResponse returns the response for an error that many operations have. If
// the text is the same for all of them, the response is a reference to one
// component. The statuses of the first case have texts that depend on the
// operation.
func (s *server) commonResponse(status int, text errorText) *huma.Response {
	response := s.errorResponse(status, text)
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return response
	}
	components := s.api.OpenAPI().Components
	if components.Responses == nil {
		components.Responses = map[string]*huma.Response{}
	}
	name := strings.ReplaceAll(http.StatusText(status), " ", "")
	components.Responses[name] = response
	return &huma.Response{Ref: "#/components/responses/" + name}
}

// errorResponse returns the response for an error, with a problem document as its
// example.
func (s *server) errorResponse(status int, text errorText) *huma.Response {
	example := problemOf(status, text.detail)
	example.Errors = text.fields
	return &huma.Response{
		Description: text.when,
		Headers:     errorHeaders(status),
		Content: map[string]*huma.MediaType{
			problemType: {Schema: s.schemas().Schema(typeOf[Problem](), true, ""), Example: example},
		},
	}
}

// errorHeaders returns the headers that an answer with this error status has.
func errorHeaders(status int) map[string]*huma.Header {
	header := func(name, text, example string) map[string]*huma.Header {
		h := &huma.Header{Description: text, Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
		return map[string]*huma.Header{name: h}
	}
	switch status {
	case http.StatusUnauthorized:
		return header("WWW-Authenticate", "How to send a key.", `Bearer realm="postrider"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return header("Retry-After", "The number of seconds after which to repeat the request. It may be missing.", "1")
	default:
		return nil
	}
}

// routeDescription serves the OpenAPI description of all operations that are
// registered before. It is made once, with the first request for one of its forms, so that
// a start of the function does not pay for it. Each form is then written once.
func (s *server) routeDescription(mux *http.ServeMux) {
	description := sync.OnceValue(func() *huma.OpenAPI { return published(s.api.OpenAPI()) })
	for _, form := range []struct {
		path, contentType string
		write             func() ([]byte, error)
	}{
		{"/openapi.json", "application/openapi+json", sync.OnceValues(func() ([]byte, error) { return description().MarshalJSON() })},
		{"/openapi.yaml", "application/openapi+yaml", sync.OnceValues(func() ([]byte, error) { return description().YAML() })},
		{"/openapi-3.0.json", "application/openapi+json", sync.OnceValues(func() ([]byte, error) { return downgraded(description()) })},
	} {
		s.allow(http.MethodGet, form.path, everyone)
		mux.HandleFunc("GET "+form.path, func(w http.ResponseWriter, r *http.Request) {
			text, err := form.write()
			if err != nil {
				s.log.ErrorContext(r.Context(), "description not written", "error", err.Error())
				writeProblem(w, internalProblem())
				return
			}
			w.Header().Set("Content-Type", form.contentType)
			// The status is sent already, so an error cannot be reported any more.
			_, _ = w.Write(text)
		})
	}
}
