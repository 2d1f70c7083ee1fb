package api

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/csvfile"
	"postrider/internal/mailing"
)

const (
	csvType = "text/csv"
	// excelType is what browsers on Windows with Excel call a CSV file.
	excelType = "application/vnd.ms-excel"
	tabsType  = "text/tab-separated-values"
	// MaxImport is the size of the largest file that can be imported, in bytes.
	// Lambda accepts events of 6 MB, and the event holds the file as JSON text,
	// which is longer.
	MaxImport = 4 << 20
	// maxRejected is the number of rejected rows that ends an import. Even with all
	// errors of each row, the answer then stays below the 6 MB that Lambda accepts.
	maxRejected = 10_000
	// importReserve is the time before the deadline in which an import begins no
	// more rows. Rows that are being written may be refused and tried again in that
	// time.
	importReserve = 3 * time.Second
	// answerReserve is the time before the deadline at which an import stops
	// writing, so that the answer can still go out.
	answerReserve = time.Second
)

// The texts about the import and the exports.
var (
	//go:embed texts/import-clients.md
	aboutImport string
	//go:embed texts/export.md
	aboutExport string
)

// routeFiles registers the import and the exports.
func (s *server) routeFiles() {
	_, err := csvfile.NewReader([]byte("tag\n"), csvfile.Config{})
	var noPhone *mailing.Error
	errors.As(err, &noPhone)
	wrongHeader := domainProblem(noPhone)
	const example = "phone,tag,timezone\n79001234567,vip,Europe/Moscow\n79007654321,,Europe/Moskow\n"
	importClients := operation{
		id: "import-clients", method: http.MethodPost, path: clientsPath + "/import", tag: clientsTag,
		summary: "Import clients as CSV",
		about:   aboutImport, maxBody: MaxImport,
		body: &huma.RequestBody{
			Description: "The file, or a form with the file as its part `file`. The body has at most 4 MiB.",
			Content: map[string]*huma.MediaType{
				csvType: binaryFile(), excelType: binaryFile(), tabsType: binaryFile(),
			},
		},
		request: example,
		success: "The numbers of rows by outcome, and the rejected rows.",
		answer:  Imported{Created: 1, Rejected: 1, Rows: []RejectedRow{{3, []FieldError{{"timezone", mailing.ZoneRule}}}}},
		errors: map[int]errorText{
			http.StatusBadRequest: {
				when: "The body is `multipart/form-data` and cannot be read as a form.", detail: unreadableForm,
			},
			http.StatusRequestEntityTooLarge: {
				when: "The body is larger than 4 MiB. The detail says how to split the file.", detail: fileTooLarge,
			},
			http.StatusUnsupportedMediaType: {
				when: "The `Content-Type` is not one of those described. A body without one is read as CSV.",
				detail: "the body's Content-Type must be " + excelType + " or " + formType + " or " + csvType + " or " +
					tabsType,
			},
			http.StatusUnprocessableEntity: {
				when: "The first line of the file is not a valid header, the encoding is not read or not clear, a query " +
					"parameter is unknown or invalid, or a form does not consist of the part `file`. Nothing was changed.",
				detail: wrongHeader.Detail, fields: wrongHeader.Errors,
			},
		},
	}
	register(s, importClients, s.importClients)
	// huma reads the body of a form like that of a file, see [importedFile]. It is
	// described only now, because huma would parse a body that has a schema.
	h := s.registered(importClients.method, importClients.path)
	h.RequestBody.Content[formType] = importForm(example)
	// The description says that a file is required. But huma must not check that:
	// its answer to a missing body would not say which header a file needs. So the
	// description gets a copy of the operation, and huma keeps one whose body is
	// optional.
	described, body := *h, *h.RequestBody
	described.RequestBody, s.api.OpenAPI().Paths[h.Path].Post = &body, &described
	h.RequestBody.Required = false

	register(s, operation{
		id: "export-clients", method: http.MethodGet, path: clientsPath + "/export", tag: clientsTag,
		summary: "Export clients as CSV",
		about:   aboutExport + "\n\nThe file can be imported as it is.", answerType: csvType,
		success: "A page of clients.",
		answer:  "id,phone,operator_code,tag,timezone\n1,79001234567,900,vip,Europe/Moscow\n",
	}, s.exportClients)
	register(s, operation{
		id: "export-messages", method: http.MethodGet, path: mailingPath + "/messages/export", tag: messagesTag,
		summary: "Export the messages of a mailing as CSV",
		about: aboutExport + "\n\nTimes are in UTC. `sent_at` is empty if the message was not sent. " +
			"`phone` is empty if the client is deleted.",
		answerType: csvType, success: "A page of messages.",
		answer: "id,mailing_id,client_id,phone,status,attempts,uncertain_attempts,last_error,created_at,sent_at\n" +
			"4294967297,1,1,79001234567,sent,1,0,,2030-03-01T09:30:00.000Z,2030-03-01T09:31:00.000Z\n",
	}, s.exportMessages)
}

// binaryFile returns the description of a body with a file.
func binaryFile() *huma.MediaType {
	return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
}

// fileTooLarge is the detail of the answer to a file that is too large.
const fileTooLarge = "the body is larger than 4 MiB: send the file in parts of complete rows, one after the other, each " +
	"part with the header line; the pages at / and the command make import FILE=... do this"

// Imported is the outcome of an import.
type Imported struct {
	Created   int           `json:"created" minimum:"0" doc:"The number of new clients."`
	Updated   int           `json:"updated" minimum:"0" doc:"The number of changed clients."`
	Unchanged int           `json:"unchanged" minimum:"0" doc:"The number of clients that were already as in the file."`
	Rejected  int           `json:"rejected" minimum:"0" doc:"The number of invalid rows. They changed nothing."`
	Rows      []RejectedRow `json:"rows" nullable:"false" doc:"The rejected rows."`
	NextLine  int           `json:"next_line,omitempty" minimum:"2" doc:"Only if the import stopped before the end of the file: the line in which the first row begins that was not read. Lines end with LF, CR or CRLF, and the first line of what was sent is 1."`
}

// RejectedRow is an invalid row of a file.
type RejectedRow struct {
	Line   int          `json:"line" minimum:"2" example:"7" doc:"The line in which the row begins. The first line of the file is 1."`
	Errors []FieldError `json:"errors" nullable:"false" doc:"The location is a column, or row for the row itself."`
}

// importClients creates or changes the client of each row. An import is not one
// transaction: valid rows stay, even if other rows are invalid.
//
// It stops early if the time is nearly up, after [maxRejected] rejected rows, and
// after an error. The answer then has the line to continue from. Rows that are
// stored already are unchanged when they come again. An error is returned only for
// a wrong header, or if no row is known to be in the directory.
func (s *server) importClients(ctx context.Context, in *struct {
	// ContentType is hidden because the body's description has it.
	ContentType   string `header:"Content-Type" hidden:"true"`
	IgnoreUnknown flag   `query:"ignore_unknown" doc:"Whether columns with unknown names are left out. Otherwise such a file is refused."`
	RawBody       []byte `contentType:"text/csv"`
},
) (*struct{ Body Imported }, error) {
	content, err := importedFile(in.ContentType, in.RawBody)
	if err != nil {
		return nil, err
	}
	file, err := csvfile.NewReader(content, csvfile.Config{IgnoreUnknown: in.IgnoreUnknown.on})
	if err != nil {
		return nil, err
	}
	done := Imported{Rows: []RejectedRow{}}
	for !file.Done() {
		if s.outOfTime(ctx) || len(done.Rows) >= maxRejected {
			done.NextLine = file.Line()
			break
		}
		open, err := s.importSome(ctx, file, &done)
		if err != nil && done.Created+done.Updated+done.Unchanged == 0 {
			return nil, err
		}
		if err != nil {
			// The rows before the error are done, and only this answer can say
			// which of them were invalid.
			s.log.LogAttrs(ctx, slog.LevelError, "import stopped", slog.Int("next_line", open), failure(ctx, err))
			done.NextLine = open
			done.Rows = slices.DeleteFunc(done.Rows, func(r RejectedRow) bool { return r.Line >= open })
			break
		}
	}
	done.Rejected = len(done.Rows)
	// Rows that the reader rejects are noted before rows that the store rejects, so
	// they are out of order.
	slices.SortFunc(done.Rows, func(a, b RejectedRow) int { return cmp.Compare(a.Line, b.Line) })
	return &struct{ Body Imported }{done}, nil
}

// outOfTime reports whether rows that are begun now might not be finished before
// the deadline.
func (s *server) outOfTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !s.now().Before(deadline.Add(-importReserve))
}

// importSome reads as many valid rows as the store writes together, and writes
// them. With an error it returns the first line that may not have been written.
func (s *server) importSome(ctx context.Context, file *csvfile.Reader, done *Imported) (open int, err error) {
	var lines []int
	var rows []mailing.ClientRow
	for len(rows) < mailing.ImportRows && len(done.Rows) < maxRejected && !file.Done() {
		line, row, broken := file.Next()
		switch {
		case line == 0: // only blank lines were left
		case len(broken) > 0:
			done.reject(line, broken)
		default:
			lines, rows = append(lines, line), append(rows, row)
		}
	}
	if len(rows) == 0 {
		return 0, nil
	}
	return s.writeRows(ctx, lines, rows, done)
}

// writeRows writes rows and counts their outcomes. lines are the lines in which the
// rows begin. With an error it returns the first line whose outcome is unknown, or
// the first line of all if the store knows each outcome but failed nevertheless. Rows
// from that line on are not counted: they come again with the next request, and each row
// is counted once.
func (s *server) writeRows(ctx context.Context, lines []int, rows []mailing.ClientRow, done *Imported,
) (open int, err error) {
	// The store tries again as long as other writers change the same clients. It
	// must stop early enough for the answer to go out.
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerReserve))
		defer cancel()
	}
	results, err := s.clients.UpsertClients(ctx, rows)
	unknown := slices.IndexFunc(results, func(r mailing.RowResult) bool { return r.Outcome == mailing.RowOpen })
	switch {
	case err == nil && unknown >= 0:
		err = errors.New("the outcome of some rows is unknown")
	case err != nil && unknown < 0:
		unknown = 0
	}
	if unknown >= 0 {
		open, results = lines[unknown], results[:min(unknown, len(results))]
	}
	for i, r := range results {
		done.count(lines[i], r)
	}
	if err != nil {
		return open, fmt.Errorf("import %d rows: %w", len(rows), err)
	}
	return 0, nil
}

// count counts the outcome of a row.
func (d *Imported) count(line int, r mailing.RowResult) {
	switch r.Outcome {
	case mailing.RowCreated:
		d.Created++
	case mailing.RowUpdated:
		d.Updated++
	case mailing.RowUnchanged:
		d.Unchanged++
	case mailing.RowRejected:
		d.reject(line, csvfile.BrokenRules(r.Err))
	case mailing.RowOpen: // it comes again
	}
}

// reject notes an invalid row, with the rules that it breaks.
func (d *Imported) reject(line int, broken []mailing.Field) {
	d.Rows = append(d.Rows, RejectedRow{line, each(broken, fieldJSON)})
}

// ExportPaging is the paging of exports. Their pages are larger than those of
// lists.
type ExportPaging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"5000" default:"1000" doc:"The maximum number of rows."`
	Cursor string `query:"cursor" format:"cursor" doc:"The cursor in the Link header of the previous page. No other value is accepted."`
	BOM    flag   `query:"bom" doc:"Whether each page begins with a byte order mark. Spreadsheets need it to read the file as UTF-8."`
}

// csvAnswer is one page of an export.
type csvAnswer struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Disposition string `header:"Content-Disposition" doc:"The name of the file."`
	Link        string `header:"Link" doc:"If there are more rows: <?...>; rel=\"next\", with the query of the next page at the same path."`
	Body        []byte
}

// exportClients returns one page of the clients that match all filters. The columns
// are those that an import accepts.
func (s *server) exportClients(ctx context.Context, in *struct {
	ExportPaging
	ClientFilters
},
) (*csvAnswer, error) {
	found, err := s.clients.ListClients(ctx, in.query(in.Limit, in.Cursor))
	if err != nil {
		return nil, err
	}
	body, err := csvfile.WriteClients(found.Items)
	if err != nil {
		return nil, err
	}
	return in.page("clients.csv", body, found.Next,
		map[string]string{"phone": string(in.Phone), "operator_code": string(in.OperatorCode), "tag": in.Tag}), nil
}

// messageColumns returns the columns of an export of messages.
func messageColumns() []string {
	return []string{
		"id", "mailing_id", "client_id", "phone", "status", "attempts", "uncertain_attempts", "last_error",
		"created_at", "sent_at",
	}
}

// messageCells returns the cells of a message, in the order of [messageColumns].
func messageCells(m mailing.Message) []string {
	j := messageJSON(m)
	sent := ""
	if j.SentAt != nil {
		sent = j.SentAt.String()
	}
	return []string{
		fmt.Sprint(j.ID), fmt.Sprint(j.MailingID), fmt.Sprint(j.ClientID), string(j.Phone), string(j.Status),
		strconv.Itoa(j.Attempts), strconv.Itoa(j.UncertainAttempts), j.LastError, j.CreatedAt.String(), sent,
	}
}

// exportMessages returns one page of the messages of a mailing. A deleted mailing
// is not found.
func (s *server) exportMessages(ctx context.Context, in *struct {
	MailingInput
	ExportPaging
	Status MessageStatus `query:"status" doc:"Only messages of this status."`
},
) (*csvAnswer, error) {
	m, err := s.mailing(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	found, err := s.mailings.ListMessages(ctx, mailing.MessageQuery{
		Mailing: m.ID, Status: mailing.MessageStatus(in.Status), Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	body, err := csvfile.Write(messageColumns(), found.Items, messageCells)
	if err != nil {
		return nil, err
	}
	return in.page(fmt.Sprintf("mailing-%d-messages.csv", m.ID), body, found.Next,
		map[string]string{"status": string(in.Status)}), nil
}

// page returns the answer with one page. The link to the next page consists of a
// query only, so it stays right where API Gateway puts the name of a stage before
// the path. Filters without a value are left out, because the API refuses empty
// parameters.
func (p ExportPaging) page(name string, body []byte, next string, filters map[string]string) *csvAnswer {
	if p.BOM.on {
		body = append([]byte(csvfile.ByteOrderMark), body...)
		filters["bom"] = "true"
	}
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
