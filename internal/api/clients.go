package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

const (
	clientsPath = "/api/clients"
	clientPath  = clientsPath + "/{id}"
)

// clientAnswer is an answer that holds one client.
type clientAnswer struct{ Body Client }

// clientCreated is the answer to a creation.
type clientCreated struct {
	Repeated
	Location string `header:"Location" doc:"Where the client is."`
	Body     Client
}

// ClientFilters are the filters by which clients are searched, for lists and for
// exports.
type ClientFilters struct {
	Phone        string `query:"phone" pattern:"^7[0-9]{10}$" patternDescription:"11 digits that start with 7"`
	OperatorCode string `query:"operator_code" pattern:"^[0-9]{3}$" patternDescription:"3 digits"`
	Tag          string `query:"tag" minLength:"1" maxLength:"64"`
}

// clientsSearched is the input of a list of clients.
type clientsSearched struct {
	Paging
	ClientFilters
}

// clientNamed is the input of an operation on one client without a body.
type clientNamed struct {
	ID idParam `path:"id"`
}

// routeClients registers the operations on clients.
func (s *server) routeClients() {
	op := func(id, method, path, summary string, errs ...int) huma.Operation {
		o := operation(id, method, path, "clients", summary, errs...)
		if path == clientPath {
			o.Parameters = []*huma.Param{idDoc("path", "id", "The client's id.")}
		}
		return o
	}
	handle(s, op("list-clients", http.MethodGet, clientsPath, "List and search clients", http.StatusBadRequest), s.listClients)
	create := op("create-client", http.MethodPost, clientsPath, "Create a client",
		http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	create.DefaultStatus = http.StatusCreated
	handle(s, create, s.createClient)
	handle(s, op("get-client", http.MethodGet, clientPath, "Read a client", http.StatusNotFound), s.getClient)
	changeErrs := []int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusConflict,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
	}
	handle(s, op("replace-client", http.MethodPut, clientPath, "Replace a client", changeErrs...), s.replaceClient)
	patch := op("change-client", http.MethodPatch, clientPath, "Change a client", changeErrs...)
	patch.RequestBody = patchBody[ClientBody](s)
	handle(s, patch, s.changeClient)
	handle(s, op("delete-client", http.MethodDelete, clientPath, "Delete a client", http.StatusNotFound), s.deleteClient)
}

// listClients returns one page of the clients that match all filters.
func (s *server) listClients(ctx context.Context, in *clientsSearched) (*struct{ Body List[Client] }, error) {
	found, err := s.Clients.ListClients(ctx, mailing.ClientQuery{
		Phone: in.Phone, OperatorCode: in.OperatorCode, Tag: in.Tag, Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	return &struct{ Body List[Client] }{listJSON(found, clientJSON)}, nil
}

// clientToCreate is the input of a creation.
type clientToCreate struct {
	Idempotent
	Body ClientBody
}

// createClient adds a client to the directory, once for each idempotency key. The
// rules of the domain are checked only if there is no earlier creation with the
// key. So a repetition gets the first answer, also if a new client would be refused
// by now.
func (s *server) createClient(ctx context.Context, in *clientToCreate) (*clientCreated, error) {
	c, repeated, err := idempotently(ctx, s, in.Idempotent, "create-client", in.Body,
		func(c mailing.Creation) *mailing.Client { return c.Client },
		func(o mailing.Idempotency) (mailing.Client, error) {
			c, err := mailing.NewClient(in.Body.client(0))
			if err != nil {
				return c, err
			}
			return s.Clients.CreateClient(ctx, c, o)
		})
	if err != nil {
		return nil, err
	}
	made(ctx, "client_id", c.ID)
	return &clientCreated{repeated, location(ctx, clientsPath, c.ID), clientJSON(c)}, nil
}

// getClient returns one client.
func (s *server) getClient(ctx context.Context, in *clientNamed) (*clientAnswer, error) {
	id, err := in.ID.client()
	if err != nil {
		return nil, err
	}
	c, err := s.Clients.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	return &clientAnswer{clientJSON(c)}, nil
}

// clientReplaced is the input of a PUT.
type clientReplaced struct {
	ID   idParam `path:"id"`
	Body ClientBody
}

// replaceClient replaces all fields of a client. Fields that the body leaves out
// get their defaults.
func (s *server) replaceClient(ctx context.Context, in *clientReplaced) (*clientAnswer, error) {
	return s.updateClient(ctx, in.ID, func(c mailing.Client) (mailing.Client, error) {
		return mailing.NewClient(in.Body.client(c.ID))
	})
}

// clientChanged is the input of a PATCH.
type clientChanged struct {
	ID   idParam `path:"id"`
	Body Patch[ClientBody]
}

// changeClient applies a merge patch to a client.
func (s *server) changeClient(ctx context.Context, in *clientChanged) (*clientAnswer, error) {
	return s.updateClient(ctx, in.ID, func(c mailing.Client) (mailing.Client, error) {
		body, err := in.Body.applied(s.schemas(), clientBody(c))
		if err != nil {
			return c, err
		}
		next := body.client(c.ID)
		// A patch of the phone derives the operator code again only if the code was
		// the derived one: a client that took its number to another operator keeps
		// its own.
		if !in.Body.sets("operator_code") {
			next.OperatorCode = c.WithPhone(body.Phone).OperatorCode
		}
		return mailing.NewClient(next)
	})
}

// updateClient changes a client and returns the changed one. If another writer was
// first, the store starts again, so change may run several times.
func (s *server) updateClient(ctx context.Context, param idParam, change func(mailing.Client) (mailing.Client, error)) (*clientAnswer, error) {
	id, err := param.client()
	if err != nil {
		return nil, err
	}
	c, err := s.Clients.UpdateClient(ctx, id, change)
	if err != nil {
		return nil, err
	}
	return &clientAnswer{clientJSON(c)}, nil
}

// deleteClient deletes a client. The sender skips the client's pending messages
// later.
func (s *server) deleteClient(ctx context.Context, in *clientNamed) (*struct{}, error) {
	id, err := in.ID.client()
	if err != nil {
		return nil, err
	}
	return nil, s.Clients.DeleteClient(ctx, id)
}
