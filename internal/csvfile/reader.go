package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"postrider/internal/mailing"
)

// Reader reads a file of clients row by row. The rows that it returns share no
// memory with it. It may be used by one goroutine at a time.
type Reader struct {
	rows *Rows
	// ahead is the row that comes next. err is why there is none: [io.EOF] at the end.
	ahead Row
	err   error
	// seen has the line of each phone in the valid rows so far.
	seen map[string]int
}

// NewReader reads the header of a file. If the header is wrong, the error says why,
// and what a right header has. See [NewRows] for what is read.
func NewReader(file []byte, c Config) (*Reader, error) {
	rows, err := NewRows(bytes.NewReader(file), c)
	if err != nil {
		return nil, err
	}
	r := &Reader{rows: rows, seen: map[string]int{}}
	r.ahead, r.err = rows.Next()
	return r, nil
}

// Done reports whether no row is left.
func (r *Reader) Done() bool { return errors.Is(r.err, io.EOF) }

// Line returns the line in which the row begins that is read next. The first line is 1.
func (r *Reader) Line() int { return r.ahead.Line }

// Next reads a row, and returns its fields or the rules that it breaks, by column.
// line is the line in which the row begins, 0 at the end of the file. A row can
// have several lines, since a cell in quotes may contain line ends.
func (r *Reader) Next() (line int, row mailing.ClientRow, broken []mailing.Field) {
	switch {
	case r.Done():
		return 0, row, nil
	case r.err != nil: // reading from memory has few errors
		r.err = io.EOF
		return r.ahead.Line, row, wholeRow("cannot be read, nor the rows after it")
	case r.ahead.fault != nil:
		broken = r.wrongQuote(r.ahead)
	default:
		row, broken = r.row(r.ahead.Line, r.ahead.Cells)
	}
	line = r.ahead.Line
	r.ahead, r.err = r.rows.Next()
	return line, row, broken
}

// wholeRow returns an error that concerns the row, not one column.
func wholeRow(message string) []mailing.Field {
	return []mailing.Field{{Location: "row", Message: message}}
}

// wrongQuote says what is wrong with the quotes of a row. A quote that is not closed
// can take in many lines, or the rest of the file. The message then says how many,
// because the rows in between were not read.
func (r *Reader) wrongQuote(row Row) []mailing.Field {
	message := `has a quote (") in a wrong place: a cell with a quote must be in quotes, and that quote doubled`
	switch last := row.Line + bytes.Count(bytes.TrimSuffix(row.Text, []byte("\n")), []byte("\n")); {
	case errors.Is(row.fault, csv.ErrQuote) && r.closes(row.Text):
		message = "has a quote that is never closed: the rest of the file was read as this row"
	case last > row.Line:
		message = fmt.Sprintf("has a quote that is not closed at the end of its cell: "+
			"all lines up to %d were read as this row", last)
	}
	return wholeRow(message)
}

// closes reports whether the row would be valid with one more quote at its end. It
// distinguishes a quote that is never closed from a quote at a wrong place.
func (r *Reader) closes(raw []byte) bool {
	again := csv.NewReader(io.MultiReader(bytes.NewReader(raw), strings.NewReader(`"`)))
	again.Comma = r.rows.csv.Comma
	_, err := again.Read()
	return err == nil
}

// row returns the fields of a row, with the rules that it breaks: at most one error
// a column, in the order in which they are found.
//
// A phone is noted only if its row is valid. So a second row with the phone of an
// invalid row is not a repetition.
func (r *Reader) row(line int, cells []string) (row mailing.ClientRow, broken []mailing.Field) {
	if misfit := r.rows.header.misfit(cells); misfit != "" {
		return row, wholeRow(misfit)
	}
	row, broken = r.rows.header.fields(cells)
	var rules []mailing.Field
	if err := row.Check(); err != nil {
		rules = withHints(BrokenRules(err), row)
	}
	if earlier, twice := r.seen[row.Phone]; twice && !located(broken, phoneColumn) {
		rules = append(rules, mailing.Field{Location: phoneColumn, Message: fmt.Sprintf("is already in line %d", earlier)})
	}
	for _, e := range rules {
		if !located(broken, e.Location) {
			broken = append(broken, e)
		}
	}
	if len(broken) == 0 {
		r.seen[row.Phone] = line
	}
	return row, broken
}

// located reports whether one of the errors is at the location.
func located(errs []mailing.Field, location string) bool {
	return slices.ContainsFunc(errs, func(e mailing.Field) bool { return e.Location == location })
}

// BrokenRules returns the rules that a row breaks, by column. It shows no detail of
// an internal error.
func BrokenRules(err error) []mailing.Field {
	var e *mailing.Error
	if !errors.As(err, &e) || e.Kind == mailing.KindInternal {
		return wholeRow("could not be written")
	}
	if len(e.Fields) == 0 {
		return wholeRow(e.Message)
	}
	fields := slices.Clone(e.Fields)
	for i := range fields {
		fields[i].Location = strings.TrimPrefix(fields[i].Location, "body.")
	}
	return fields
}
