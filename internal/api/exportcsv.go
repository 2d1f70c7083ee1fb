package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

// ExportPaging is the paging of exports. Their pages are larger than those of
// lists.
type ExportPaging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"5000" default:"1000" doc:"How many rows at most."`
	Cursor string `query:"cursor" format:"cursor" doc:"That of the Link header of the page before; nothing else can be used."`
}

// csvAnswer is one page of an export.
type csvAnswer struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Disposition string `header:"Content-Disposition" doc:"The name of the file."`
	Link        string `header:"Link" doc:"While there is more: <?...>; rel=\"next\", with the query of the next page at this very path."`
	Body        []byte
}

// clientsExported is the input of an export of clients.
type clientsExported struct {
	ExportPaging
	ClientFilters
}

// messagesExported is the input of an export of a mailing's messages.
type messagesExported struct {
	ExportPaging
	ID     idParam            `path:"id"`
	Status messageStatusParam `query:"status"`
}

// routeExport registers the exports.
func (s *server) routeExport() {
	clients := exportOp(operation("export-clients", http.MethodGet, clientsPath+"/export", "clients", "Export clients as CSV", http.StatusBadRequest))
	handle(s, clients, s.exportClients)
	messages := exportOp(mailingOp("export-messages", http.MethodGet, mailingPath+"/messages/export", "Export the messages of a mailing as CSV",
		http.StatusBadRequest, http.StatusNotFound))
	messages.Tags = []string{"messages"}
	handle(s, messages, s.exportMessages)
}

// exportOp describes the answer of an operation as CSV.
func exportOp(op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{strconv.Itoa(http.StatusOK): {
		Content: map[string]*huma.MediaType{csvType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	return op
}

// exportClients returns one page of the clients that match all filters. The columns
// are those that an import accepts.
func (s *server) exportClients(ctx context.Context, in *clientsExported) (*csvAnswer, error) {
	found, err := s.Clients.ListClients(ctx, mailing.ClientQuery{
		Phone: in.Phone, OperatorCode: in.OperatorCode, Tag: in.Tag, Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	body, err := csvPage(clientColumns(), found.Items, clientCells)
	if err != nil {
		return nil, err
	}
	return in.page("clients.csv", body, found.Next,
		map[string]string{"phone": in.Phone, "operator_code": in.OperatorCode, "tag": in.Tag}), nil
}

// clientCells returns the cells of a client, in the order of [clientColumns].
func clientCells(c mailing.Client) []string {
	return []string{strconv.FormatInt(int64(c.ID), 10), c.Phone, c.OperatorCode, c.Tag, c.Timezone}
}

// messageColumns returns the columns of an export of messages.
func messageColumns() []string {
	return []string{
		"id", "mailing_id", "client_id", "phone", "status", "attempts", "uncertain_attempts", "last_error", "created_at", "sent_at",
	}
}

// exportMessages returns one page of a mailing's messages. A deleted mailing is not
// found.
func (s *server) exportMessages(ctx context.Context, in *messagesExported) (*csvAnswer, error) {
	m, err := s.mailing(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	found, err := s.Mailings.ListMessages(ctx, mailing.MessageQuery{
		Mailing: m.ID, Status: mailing.MessageStatus(in.Status), Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	body, err := csvPage(messageColumns(), found.Items, messageCells)
	if err != nil {
		return nil, err
	}
	return in.page(fmt.Sprintf("mailing-%d-messages.csv", m.ID), body, found.Next,
		map[string]string{"status": string(in.Status)}), nil
}

// messageCells returns the cells of a message, in the order of [messageColumns].
func messageCells(m mailing.Message) []string {
	j, sent := messageJSON(m), ""
	if j.SentAt != nil {
		sent = timeText(*j.SentAt)
	}
	return []string{
		strconv.FormatInt(j.ID, 10), strconv.FormatInt(j.MailingID, 10), strconv.FormatInt(j.ClientID, 10), j.Phone, j.Status,
		strconv.Itoa(j.Attempts), strconv.Itoa(j.UncertainAttempts), j.LastError, timeText(j.CreatedAt), sent,
	}
}

// timeText returns an instant as JSON has it, without the quotes.
func timeText(t Time) string { return time.Time(t).UTC().Format(timeFormat) }

// csvPage returns a header line and a row for each item. Each cell is made safe for
// spreadsheets, see [safeCell].
func csvPage[T any](columns []string, items []T, cells func(T) []string) ([]byte, error) {
	var body bytes.Buffer
	w := csv.NewWriter(&body)
	rows := append(make([][]string, 0, len(items)+1), columns)
	for _, item := range items {
		row := cells(item)
		for i := range row {
			row[i] = safeCell(row[i])
		}
		rows = append(rows, row)
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("write %d rows as CSV: %w", len(rows), err)
	}
	return body.Bytes(), nil
}

// page returns the answer with one page. The link to the next page consists of a
// query only, so it stays right where API Gateway puts the stage's name before the
// path. Filters without a value are left out, because the API refuses empty
// parameters.
func (p ExportPaging) page(name string, body []byte, next string, filters map[string]string) *csvAnswer {
	answer := &csvAnswer{
		ContentType: csvType + "; charset=utf-8", Disposition: `attachment; filename="` + name + `"`, Body: body,
	}
	if next == "" {
		return answer
	}
	query := url.Values{"cursor": {next}, "limit": {strconv.Itoa(p.Limit)}}
	for filter, value := range filters {
		if value != "" {
			query.Set(filter, value)
		}
	}
	answer.Link = "<?" + query.Encode() + `>; rel="next"`
	return answer
}
