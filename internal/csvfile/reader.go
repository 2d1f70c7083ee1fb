package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"postrider/internal/mailing"
)

// Reader reads a file of clients row by row. The rows that it returns share no
// memory with it. It may be used by one goroutine at a time.
type Reader struct {
	file []byte
	// end is the offset in bytes after which there are only blank lines.
	end     int
	rows    *csv.Reader
	columns []string
	// counted is the offset up to which line ends were counted, and lines is their
	// number. So each byte is counted once, however often Line is called.
	counted int64
	lines   int
	// seen has the line of each phone in the valid rows so far.
	seen map[string]int
}

// NewReader reads the header of a file. If the header is wrong, the error says why,
// and what a right header has. It accepts a byte order mark. The separator is a
// semicolon if the header has more semicolons than commas, as spreadsheets write
// files where a comma separates decimals.
func NewReader(file []byte) (*Reader, error) {
	file = bytes.TrimPrefix(file, []byte("\ufeff"))
	r := &Reader{
		file: file, end: len(bytes.TrimRightFunc(file, unicode.IsSpace)),
		rows: csv.NewReader(bytes.NewReader(file)), seen: map[string]int{},
	}
	// The method row compares the numbers of cells, to report a difference in our
	// words.
	r.rows.FieldsPerRecord = -1
	r.rows.ReuseRecord = true
	head, _, _ := bytes.Cut(bytes.TrimLeft(file, "\r\n"), []byte("\n"))
	if bytes.Count(head, []byte(";")) > bytes.Count(head, []byte(",")) {
		r.rows.Comma = ';'
	}
	header, err := r.rows.Read()
	if err != nil {
		return nil, wrongHeader("the first line must be a header")
	}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case !slices.Contains(clientColumns(), name):
			return nil, wrongHeader(unknownColumn(i+1, name))
		case slices.Contains(r.columns, name):
			return nil, wrongHeader("the header has the column " + name + " twice")
		}
		r.columns = append(r.columns, name)
	}
	if !slices.Contains(r.columns, phoneColumn) {
		return nil, wrongHeader("the header has no column phone")
	}
	return r, nil
}

// rightHeader is the end of the texts about a wrong header.
const rightHeader = "; a header in UTF-8, separated by commas or semicolons, has the column phone and, " +
	"optionally, operator_code, tag, timezone and id, each once"

// wrongHeader returns the error for a header with the given fault.
func wrongHeader(fault string) error {
	return &mailing.Error{
		Kind: mailing.KindInvalid, Message: "the header of the file is not valid",
		Fields: []mailing.Field{{Location: "body", Message: fault + rightHeader}},
	}
}

// unknownColumn says why the name of a column is unknown. Two causes are common in
// files of spreadsheets: columns that are separated by tabs, and UTF-16, in which
// every other byte of a Latin name is zero.
func unknownColumn(number int, name string) string {
	switch {
	case strings.Contains(name, "\x00"):
		return "the file is in UTF-16"
	case strings.Contains(name, "\t"):
		return "the header has tabs between its columns"
	default:
		return fmt.Sprintf("column %d of the header has an unknown name", number)
	}
}

// Done reports whether only blank lines are left.
func (r *Reader) Done() bool { return r.rows.InputOffset() >= int64(r.end) }

// Line returns the number of the line that is read next. The first line is 1.
func (r *Reader) Line() int {
	at := r.rows.InputOffset()
	r.lines += bytes.Count(r.file[r.counted:at], []byte("\n"))
	r.counted = at
	return r.lines + 1
}

// Next reads a row, and returns its fields or the rules that it breaks, by column.
// line is the line in which the row begins, 0 at the end of the file. A row can
// have several lines, since a cell in quotes may contain line ends. Blank lines are
// skipped.
func (r *Reader) Next() (line int, row mailing.ClientRow, broken []mailing.Field) {
	for {
		from := r.rows.InputOffset()
		cells, err := r.rows.Read()
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax):
			return syntax.StartLine, row, r.wrongQuote(syntax, r.file[from:r.rows.InputOffset()])
		case errors.Is(err, io.EOF):
			return 0, row, nil
		case err != nil: // reading from memory has no other errors
			return r.Line(), row, wholeRow("cannot be read")
		case len(bytes.TrimSpace(r.file[from:r.rows.InputOffset()])) == 0:
			continue
		}
		line, _ = r.rows.FieldPos(0)
		row, broken = r.row(line, cells)
		return line, row, broken
	}
}

// wholeRow returns an error that concerns the row, not one column.
func wholeRow(message string) []mailing.Field {
	return []mailing.Field{{Location: "row", Message: message}}
}

// wrongQuote says what is wrong with the quotes of a row. raw is all that was read
// as the row. A quote that is not closed can take in many lines, or the rest of the
// file. The message then says how many, because the rows in between were not read.
func (r *Reader) wrongQuote(e *csv.ParseError, raw []byte) []mailing.Field {
	message := `has a quote (") in a wrong place: a cell with a quote must be in quotes, and that quote doubled`
	switch last := r.Line() - 1; {
	case errors.Is(e, csv.ErrQuote) && r.Done() && r.closes(raw):
		message = "has a quote that is never closed: the rest of the file was read as this row"
	case last > e.StartLine:
		message = fmt.Sprintf("has a quote that is not closed at the end of its cell: "+
			"all lines up to %d were read as this row", last)
	}
	return wholeRow(message)
}

// closes reports whether the row would be valid with one more quote at its end. It
// distinguishes a quote that is never closed from a quote at a wrong place.
func (r *Reader) closes(raw []byte) bool {
	again := csv.NewReader(io.MultiReader(bytes.NewReader(raw), strings.NewReader(`"`)))
	again.Comma = r.rows.Comma
	_, err := again.Read()
	return err == nil
}

// row returns the fields of a row, with the rules that it breaks: at most one error
// a column, in the order in which they are found.
//
// A phone is noted only if its row is valid. So a second row with the phone of an
// invalid row is not a repetition.
func (r *Reader) row(line int, cells []string) (row mailing.ClientRow, broken []mailing.Field) {
	if len(cells) != len(r.columns) {
		return row, wholeRow(fmt.Sprintf("has %d cells, but the header has %d", len(cells), len(r.columns)))
	}
	for i, column := range r.columns {
		cell := cells[i]
		if !utf8.ValidString(cell) || strings.ContainsRune(cell, utf8.RuneError) {
			broken = append(broken, mailing.Field{
				Location: column, Message: "has characters that cannot be read: save the file as UTF-8",
			})
		}
		cell = plainCell(cell)
		switch column {
		case phoneColumn:
			row.Phone = cell
		case operatorColumn:
			row.OperatorCode = &cell
		case tagColumn:
			row.Tag = &cell
		case timezoneColumn:
			row.Timezone = &cell
		}
	}
	var rules []mailing.Field
	if err := row.Check(); err != nil {
		rules = BrokenRules(err)
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
