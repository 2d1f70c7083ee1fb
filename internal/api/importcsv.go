package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"postrider/internal/mailing"
)

const (
	csvType = "text/csv"
	// MaxImport is the largest file that can be imported, in bytes: what Lambda
	// takes is 6 MB, and that as JSON text.
	MaxImport = 4 << 20
	// maxRejected is how many rejected rows end an import: with all that is wrong
	// with each, the answer stays below the 6 MB that Lambda takes.
	maxRejected = 10_000
	// importReserve is how long before its time is up an import begins no more
	// rows: those under way may be refused and tried again.
	importReserve = 3 * time.Second
	// answerReserve is how long before its time is up an import stops writing.
	answerReserve = time.Second
)

// Imported is what became of the rows of a file.
type Imported struct {
	Created   int           `json:"created" minimum:"0" doc:"Clients that are new."`
	Updated   int           `json:"updated" minimum:"0" doc:"Clients that were changed."`
	Unchanged int           `json:"unchanged" minimum:"0" doc:"Clients that were as the file has them."`
	Rejected  int           `json:"rejected" minimum:"0" doc:"Rows that are wrong, and changed nothing."`
	Rows      []RejectedRow `json:"rows" nullable:"false" doc:"The rejected rows."`
	NextLine  int           `json:"next_line,omitempty" minimum:"2" doc:"Only if the import stopped before the end of the file: the line from which on nothing was looked at."`
}

// RejectedRow is a row of a file that is wrong.
type RejectedRow struct {
	Line   int          `json:"line" minimum:"2" example:"7" doc:"Where it begins; the first line of the file is 1."`
	Errors []FieldError `json:"errors" nullable:"false" doc:"The location is a column, or row for the row itself."`
}

func (s *server) routeImport() {
	op := operation("import-clients", http.MethodPost, clientsPath+"/import", "clients", "Import clients as CSV",
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	op.MaxBodyBytes = MaxImport + 1 // huma refuses a body of just this size
	op.RequestBody = &huma.RequestBody{Description: "The file, at most 4 MiB."}
	handle(s, op, s.importClients)
	// A file is needed, and described so; but huma's own answer to none would say
	// nothing of the header.
	item := s.api.OpenAPI().Paths[op.Path]
	described, body := *item.Post, *op.RequestBody
	described.RequestBody, item.Post = &body, &described
	op.RequestBody.Required = false
}

func (s *server) importClients(ctx context.Context, in *struct {
	RawBody []byte `contentType:"text/csv"`
},
) (*struct{ Body Imported }, error) {
	file, err := newClientFile(in.RawBody)
	if err != nil {
		return nil, err
	}
	done := Imported{Rows: []RejectedRow{}}
	for !file.ended() {
		if s.outOfTime(ctx) || len(done.Rows) >= maxRejected {
			done.NextLine = file.line()
			break
		}
		open, err := s.importSome(ctx, file, &done)
		if err != nil && done.nothing() {
			return nil, err
		}
		if err != nil {
			// What is done is worth telling: nobody else knows which rows were wrong.
			s.Log.LogAttrs(ctx, slog.LevelError, "import broken off", slog.Int("next_line", open),
				slog.String("request_id", requestID(ctx)), slog.String("error", err.Error()))
			done.NextLine = open
			break
		}
	}
	done.Rejected = len(done.Rows)
	slices.SortFunc(done.Rows, func(a, b RejectedRow) int { return cmp.Compare(a.Line, b.Line) })
	return &struct{ Body Imported }{done}, nil
}

// outOfTime reports whether what is begun now may not come to its end.
func (s *server) outOfTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !s.Now().Before(deadline.Add(-importReserve))
}

// nothing reports whether nothing is known to be as the file has it.
func (d *Imported) nothing() bool { return d.Created+d.Updated+d.Unchanged == 0 }

// importSome reads as many good rows as are written together, and writes them.
// With an error comes the line from which on nothing may have been done.
func (s *server) importSome(ctx context.Context, file *clientFile, done *Imported) (open int, err error) {
	var lines []int
	var rows []mailing.ClientRow
	for len(rows) < mailing.ImportRows && len(done.Rows) < maxRejected && !file.ended() {
		line, row, wrong := file.next()
		switch {
		case line == 0: // only blank lines were left
		case len(wrong) > 0:
			done.Rows = append(done.Rows, RejectedRow{line, wrong})
		default:
			lines, rows = append(lines, line), append(rows, row)
		}
	}
	if len(rows) == 0 {
		return 0, nil
	}
	return s.write(ctx, lines, rows, done)
}

// write writes rows, and counts what becomes of them.
func (s *server) write(ctx context.Context, lines []int, rows []mailing.ClientRow, done *Imported) (open int, err error) {
	// Others may keep changing these clients: in the end the answer must get out.
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerReserve))
		defer cancel()
	}
	results, err := s.Clients.UpsertClients(ctx, rows)
	for i, r := range results {
		if !done.count(lines[i], r) && open == 0 {
			open = lines[i]
		}
	}
	switch {
	case err == nil && open > 0:
		err = errors.New("rows were left open")
	case err != nil && open == 0:
		open = lines[0]
	}
	if err != nil {
		return open, fmt.Errorf("import %d rows: %w", len(rows), err)
	}
	return 0, nil
}

// count counts what became of a row, and tells whether that is known.
func (d *Imported) count(line int, r mailing.RowResult) bool {
	switch r.Outcome {
	case mailing.RowCreated:
		d.Created++
	case mailing.RowUpdated:
		d.Updated++
	case mailing.RowUnchanged:
		d.Unchanged++
	case mailing.RowRejected:
		d.Rows = append(d.Rows, RejectedRow{line, rowErrors(r.Err)})
	case mailing.RowOpen:
		return false
	}
	return true
}

// rowErrors are the rules that a row breaks, by column.
func rowErrors(err error) []FieldError {
	var e *mailing.Error
	if !errors.As(err, &e) || e.Kind == mailing.KindInternal {
		return []FieldError{{rowLocation, "could not be written"}}
	}
	if len(e.Fields) == 0 {
		return []FieldError{{rowLocation, e.Message}}
	}
	found := make([]FieldError, len(e.Fields))
	for i, f := range e.Fields {
		found[i] = FieldError{strings.TrimPrefix(f.Location, "body."), f.Message}
	}
	return found
}
