package api

import (
	"context"
	"net/http"

	"postrider/internal/mailing"
)

const (
	clientsPath = "/api/clients"
	clientPath  = clientsPath + "/{id}"
)

// Client is one client of the directory, in answers.
type Client struct {
	ID           ClientID     `json:"id" example:"1" doc:"Set by the service, never used again."`
	Phone        Phone        `json:"phone" doc:"Unique in the directory."`
	OperatorCode OperatorCode `json:"operator_code"`
	Tag          string       `json:"tag" maxLength:"64" example:"vip" doc:"May be empty."`
	Timezone     Timezone     `json:"timezone" doc:"A name of the IANA database."`
}

// ClientBody is one client of the directory, in requests.
type ClientBody struct {
	Phone        Phone        `json:"phone" doc:"A string. It is stored as it is sent. It must be unique in the directory."`
	OperatorCode OperatorCode `json:"operator_code,omitempty" doc:"By default, and with null, digits 2 to 4 of the phone."`
	Tag          string       `json:"tag,omitempty" maxLength:"64" pattern:"^[^\\x00-\\x1F\\x7F-\\x9F]*$" patternDescription:"text without control characters, such as line breaks" example:"vip" doc:"Case-sensitive. It has no control characters, such as line breaks. Blanks at both ends are removed. By default, and with null, it is empty."`
	Timezone     Timezone     `json:"timezone" doc:"A name of the IANA database. An offset or Local is not accepted."`

	ID ignored `json:"id,omitzero"`
}

// clientJSON returns a client as answers have it.
func clientJSON(c mailing.Client) Client {
	return Client{
		ID: ClientID(c.ID), Phone: Phone(c.Phone), OperatorCode: OperatorCode(c.OperatorCode), Tag: c.Tag,
		Timezone: Timezone(c.Timezone),
	}
}

// clientBody returns the part of a client that a request can set, as the base of a
// patch.
func clientBody(c mailing.Client) ClientBody {
	j := clientJSON(c)
	return ClientBody{Phone: j.Phone, OperatorCode: j.OperatorCode, Tag: j.Tag, Timezone: j.Timezone}
}

// client returns the client that a request describes, under the given id.
func (b ClientBody) client(id mailing.ClientID) mailing.Client {
	return mailing.Client{
		ID: id, Phone: string(b.Phone), OperatorCode: string(b.OperatorCode), Tag: b.Tag, Timezone: string(b.Timezone),
	}
}

// exampleClient returns the client of the examples.
func exampleClient() Client {
	return Client{ID: 1, Phone: "79001234567", OperatorCode: "900", Tag: "vip", Timezone: "Europe/Moscow"}
}

// exampleClientBody returns the request that creates the client.
func exampleClientBody() ClientBody {
	return ClientBody{Phone: "79001234567", Tag: "vip", Timezone: "Europe/Moscow"}
}

const phoneTaken = "this phone is taken"

// invalidClient returns the text for 422 of operations that create or change a
// client.
func invalidClient() errorText {
	return errorText{
		when: "The id is not an integer, a field of the body is missing, unknown or invalid, or the IANA database does " +
			"not have the time zone. `errors` lists the invalid fields.",
		detail: invalidRequest, fields: []FieldError{{"body.phone", "must be 11 digits that start with 7"}},
	}
}

// routeClients registers the operations on clients.
func (s *server) routeClients() {
	invalid := invalidClient()
	changeErrors := map[int]errorText{
		http.StatusUnprocessableEntity: invalid,
		http.StatusConflict: {
			when: "Another client has this phone, or other requests keep changing this client (then repeat the " +
				"request). Nothing was changed.",
			detail: phoneTaken,
		},
	}
	register(s, operation{
		id: "list-clients", method: http.MethodGet, path: clientsPath, tag: clientsTag,
		summary: "List and search clients",
		about: "Returns the clients that match all filters exactly, in storage order, which is not the order " +
			"of ids or of creation. At most one client has a phone.",
		success: "A page of clients.", answer: List[Client]{Items: []Client{exampleClient()}},
	}, s.listClients)
	register(s, operation{
		id: "create-client", method: http.MethodPost, path: clientsPath, tag: clientsTag,
		summary: "Create a client",
		about: "Adds a client to the directory. If `operator_code` is left out, it is digits 2 to 4 of the " +
			"phone. For a number that moved to another operator, send the code of that operator. A mailing " +
			"whose audience is still being read may include the new client.",
		request: exampleClientBody(), status: http.StatusCreated,
		success: "The client as it is stored, with its id.", answer: exampleClient(),
		errors: map[int]errorText{
			http.StatusUnprocessableEntity: invalid,
			http.StatusConflict:            {when: "Another client has this phone.", detail: phoneTaken},
		},
		links: map[string]string{
			"get-client": "id", "replace-client": "id", "change-client": "id", "delete-client": "id",
			"list-messages": "client_id",
		},
	}, s.createClient)
	register(s, operation{
		id: "get-client", method: http.MethodGet, path: clientPath, tag: clientsTag, summary: "Read a client",
		about: "Returns one client.", success: "The client.", answer: exampleClient(),
	}, s.getClient)
	register(s, operation{
		id: "replace-client", method: http.MethodPut, path: clientPath, tag: clientsTag,
		summary: "Replace a client",
		about: "Replaces all fields of a client. Fields that are left out are reset: the tag becomes empty, " +
			"and the operator code is derived from the phone. Messages that are not yet sent go to the new " +
			"phone, in the window of the new time zone.",
		request: exampleClientBody(), success: "The changed client.", answer: exampleClient(),
		errors: changeErrors,
	}, s.replaceClient)
	register(s, operation{
		id: "change-client", method: http.MethodPatch, path: clientPath, tag: clientsTag,
		summary: "Change a client",
		about: "Changes the fields that the body names (JSON merge patch). A tag of null becomes empty, and an " +
			"operator code of null is derived from the phone. A new phone changes the operator code only if " +
			"the code was the derived one. A phone or a time zone of null is 422.",
		body: patchBody[ClientBody](s), request: map[string]any{"tag": exampleClient().Tag, "operator_code": nil},
		success: "The changed client.", answer: exampleClient(), errors: changeErrors,
	}, s.changeClient)
	register(s, operation{
		id: "delete-client", method: http.MethodDelete, path: clientPath, tag: clientsTag,
		summary: "Delete a client",
		about: "Deletes a client. Its pending messages become `skipped`. Messages that were sent stay in the " +
			"lists and counts. The phone can be used again; the id is never used again.",
		success: "The client is deleted.",
		errors: map[int]errorText{http.StatusConflict: {
			when:   "Other requests keep changing this client. Repeat the request.",
			detail: "others keep changing this client: try again",
		}},
	}, s.deleteClient)
}

// ClientFilters are the filters by which clients are searched, for lists and for
// exports.
type ClientFilters struct {
	Phone        Phone        `query:"phone" doc:"Only the client with this phone."`
	OperatorCode OperatorCode `query:"operator_code" doc:"Only clients with this operator code."`
	Tag          string       `query:"tag" minLength:"1" maxLength:"64" example:"vip" doc:"Only clients with exactly this tag."`
}

// query returns one page of the clients that match the filters.
func (f ClientFilters) query(limit int, cursor string) mailing.ClientQuery {
	return mailing.ClientQuery{
		Phone: string(f.Phone), OperatorCode: string(f.OperatorCode), Tag: f.Tag, Limit: limit, Cursor: cursor,
	}
}

// listClients returns one page of the clients that match all filters.
func (s *server) listClients(ctx context.Context, in *struct {
	Paging
	ClientFilters
},
) (*struct{ Body List[Client] }, error) {
	found, err := s.clients.ListClients(ctx, in.query(in.Limit, in.Cursor))
	if err != nil {
		return nil, err
	}
	return &struct{ Body List[Client] }{listJSON(found, clientJSON)}, nil
}

// createdClient is the answer to a creation.
type createdClient struct {
	Repeated
	Location string `header:"Location" doc:"The URL of the client."`
	Body     Client
}

// createClient adds a client to the directory, once for each idempotency key. The
// rules of the domain are checked only if there is no earlier creation with the
// key. So a repetition gets the first answer, even if a new client would be refused
// by now.
func (s *server) createClient(ctx context.Context, in *struct {
	Idempotent
	Body ClientBody
},
) (*createdClient, error) {
	c, repeated, err := idempotently(ctx, s, in.Idempotent, "create-client", in.Body,
		func(c mailing.Creation) *mailing.Client { return c.Client },
		func(key mailing.Idempotency) (mailing.Client, error) {
			c, err := mailing.NewClient(in.Body.client(0))
			if err != nil {
				return c, err
			}
			return s.clients.CreateClient(ctx, c, key)
		})
	if err != nil {
		return nil, err
	}
	logID(ctx, "client_id", c.ID)
	return &createdClient{repeated, location(ctx, clientsPath, c.ID), clientJSON(c)}, nil
}

// clientAnswer is an answer that holds one client.
type clientAnswer struct{ Body Client }

// ClientInput is the input of an operation on one client without a body.
type ClientInput struct {
	ID idParam `path:"id" doc:"The id of the client."`
}

// getClient returns one client.
func (s *server) getClient(ctx context.Context, in *ClientInput) (*clientAnswer, error) {
	id, err := in.ID.client()
	if err != nil {
		return nil, err
	}
	c, err := s.clients.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	return &clientAnswer{clientJSON(c)}, nil
}

// replaceClient replaces all fields of a client. Fields that the body leaves out
// get their defaults.
func (s *server) replaceClient(ctx context.Context, in *struct {
	ClientInput
	Body ClientBody
},
) (*clientAnswer, error) {
	return s.updateClient(ctx, in.ID, func(c mailing.Client) (mailing.Client, error) {
		return mailing.NewClient(in.Body.client(c.ID))
	})
}

// changeClient applies a merge patch to a client.
func (s *server) changeClient(ctx context.Context, in *struct {
	ClientInput
	Body Patch[ClientBody]
},
) (*clientAnswer, error) {
	return s.updateClient(ctx, in.ID, func(c mailing.Client) (mailing.Client, error) {
		before := clientBody(c)
		if !in.Body.sets("tag") {
			before.Tag = "" // a tag that was stored before may have control characters
		}
		body, err := in.Body.applied(s.schemas(), before)
		if err != nil {
			return c, err
		}
		next := body.client(c.ID)
		if !in.Body.sets("tag") {
			next.Tag = c.Tag
		}
		// A patch of the phone derives the operator code again only if the code was
		// the derived one. The code of a client that took its number to another
		// operator stays.
		if !in.Body.sets("operator_code") {
			next.OperatorCode = c.WithPhone(next.Phone).OperatorCode
		}
		return c.Changed(next)
	})
}

// updateClient changes a client and returns the changed one. If another writer was
// first, the store starts again, so change may run several times.
func (s *server) updateClient(ctx context.Context, param idParam,
	change func(mailing.Client) (mailing.Client, error),
) (*clientAnswer, error) {
	id, err := param.client()
	if err != nil {
		return nil, err
	}
	c, err := s.clients.UpdateClient(ctx, id, change)
	if err != nil {
		return nil, err
	}
	return &clientAnswer{clientJSON(c)}, nil
}

// deleteClient deletes a client. The sender skips the pending messages of the
// client later.
func (s *server) deleteClient(ctx context.Context, in *ClientInput) (*struct{}, error) {
	id, err := in.ID.client()
	if err != nil {
		return nil, err
	}
	return nil, s.clients.DeleteClient(ctx, id)
}
