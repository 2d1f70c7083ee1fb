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

// Imported is the outcome of an import.
type Imported struct {
	Created   int           `json:"created" minimum:"0" doc:"Clients that are new."`
	Updated   int           `json:"updated" minimum:"0" doc:"Clients that were changed."`
	Unchanged int           `json:"unchanged" minimum:"0" doc:"Clients that were as the file has them."`
	Rejected  int           `json:"rejected" minimum:"0" doc:"Rows that are wrong, and changed nothing."`
	Rows      []RejectedRow `json:"rows" nullable:"false" doc:"The rejected rows."`
	NextLine  int           `json:"next_line,omitempty" minimum:"2" doc:"Only if the import stopped before the end of the file: the line from which on nothing was looked at."`
}

// RejectedRow is an invalid row of a file.
type RejectedRow struct {
	Line   int          `json:"line" minimum:"2" example:"7" doc:"Where it begins; the first line of the file is 1."`
	Errors []FieldError `json:"errors" nullable:"false" doc:"The location is a column, or row for the row itself."`
}

// routeImport registers the import of clients.
func (s *server) routeImport() {
	op := operation("import-clients", http.MethodPost, clientsPath+"/import", "clients", "Import clients as CSV",
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	// huma refuses a body of just the limit.
	op.MaxBodyBytes = MaxImport + 1
	op.RequestBody = &huma.RequestBody{Description: "The file, at most 4 MiB."}
	handle(s, op, s.importClients)
	// The description says that a file is required. But huma must not check that:
	// its answer to a missing body would not say which header a file needs. So the
	// description gets a copy of the operation, and huma keeps one whose body is
	// optional.
	item := s.api.OpenAPI().Paths[op.Path]
	described, body := *item.Post, *op.RequestBody
	described.RequestBody, item.Post = &body, &described
	op.RequestBody.Required = false
}

// importClients creates or changes the client of each row. An import is not one
// transaction: valid rows stay, whatever happens to others.
//
// It stops early if the time is nearly up, after [maxRejected] rejected rows, and
// after an error. The answer then names the line to go on from. Rows that are done
// already are unchanged when they come again, so sending too many does no harm. An
// error is returned only for a wrong header, or if no row is known to be in the
// directory.
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
			// The rows before the error are done, and only this answer can say
			// which of them were wrong.
			s.Log.LogAttrs(ctx, slog.LevelError, "import broken off", slog.Int("next_line", open),
				slog.String("request_id", requestID(ctx)), slog.String("error", err.Error()))
			done.NextLine = open
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
	return ok && !s.Now().Before(deadline.Add(-importReserve))
}

// nothing reports whether no row is known to be in the directory. Rejected rows do
// not count.
func (d *Imported) nothing() bool { return d.Created+d.Updated+d.Unchanged == 0 }

// importSome reads as many valid rows as the store writes together, and writes
// them. With an error it returns the first line that may not have been written.
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

// write writes rows and counts their outcomes. lines are the lines in which the
// rows begin. With an error it returns the first line whose outcome is unknown, or
// the first line of all if the store knows each outcome but failed nevertheless.
func (s *server) write(ctx context.Context, lines []int, rows []mailing.ClientRow, done *Imported) (open int, err error) {
	// The store tries again as long as other writers change the same clients. It
	// must stop early enough for the answer to go out.
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

// count counts the outcome of a row, and reports whether the outcome is known.
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

// rowErrors returns the rules that a row breaks, by column. It shows nothing of an
// internal error.
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
