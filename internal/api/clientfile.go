package api

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

// The columns of a file of clients.
const (
	idColumn       = "id"
	phoneColumn    = "phone"
	operatorColumn = "operator_code"
	tagColumn      = "tag"
	timezoneColumn = "timezone"
	// rowLocation is where an error is that is no single column's.
	rowLocation = "row"
)

func clientColumns() []string {
	return []string{idColumn, phoneColumn, operatorColumn, tagColumn, timezoneColumn}
}

// clientFile is a file of clients, read row by row. It copies what it gives.
type clientFile struct {
	body []byte
	// end is where nothing but blank lines comes any more.
	end     int
	rows    *csv.Reader
	columns []string
	// counted is how far the lines of the file were counted, and lines how many
	// end there.
	counted int64
	lines   int
	// seen are the phones of the rows so far, and their lines.
	seen map[string]int
}

// newClientFile reads the header.
func newClientFile(body []byte) (*clientFile, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	f := &clientFile{
		body: body, end: len(bytes.TrimRightFunc(body, unicode.IsSpace)), rows: csv.NewReader(bytes.NewReader(body)), seen: map[string]int{},
	}
	f.rows.FieldsPerRecord = -1 // that of the header; told in our words
	f.rows.ReuseRecord = true
	head, _, _ := bytes.Cut(bytes.TrimLeft(body, "\r\n"), []byte("\n"))
	if bytes.Count(head, []byte(";")) > bytes.Count(head, []byte(",")) {
		f.rows.Comma = ';'
	}
	header, err := f.rows.Read()
	if err != nil {
		return nil, wrongHeader("the first line must be a header")
	}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case !slices.Contains(clientColumns(), name):
			return nil, wrongHeader(unknownColumn(i+1, name))
		case slices.Contains(f.columns, name):
			return nil, wrongHeader("the header names " + name + " twice")
		}
		f.columns = append(f.columns, name)
	}
	if !slices.Contains(f.columns, phoneColumn) {
		return nil, wrongHeader("the header names no phone")
	}
	return f, nil
}

// unknownColumn says what is wrong with a name that no column has: spreadsheets
// also write files with tabs, or in UTF-16, in which every other byte of a name
// is zero.
func unknownColumn(number int, name string) string {
	switch {
	case strings.Contains(name, "\x00"):
		return "the file is in UTF-16"
	case strings.Contains(name, "\t"):
		return "the header has tabs between its columns"
	default:
		return fmt.Sprintf("column %d of the header has a name that is not known", number)
	}
}

func wrongHeader(what string) error {
	return &mailing.Error{Kind: mailing.KindInvalid, Message: wrongFile, Fields: []mailing.Field{{Location: "body", Message: what + rightHeader}}}
}

// What is said of a wrong header.
const (
	wrongFile   = "the file's header is not valid"
	rightHeader = "; a header in UTF-8, with commas or semicolons, names phone, and as you like operator_code, tag, timezone and id, each once"
)

// ended reports whether nothing but blank lines comes any more.
func (f *clientFile) ended() bool { return f.rows.InputOffset() >= int64(f.end) }

// line is the number of the line that is read next.
func (f *clientFile) line() int {
	at := f.rows.InputOffset()
	f.lines += bytes.Count(f.body[f.counted:at], []byte("\n"))
	f.counted = at
	return f.lines + 1
}

// next reads a row: what it says, or what is wrong with it. line is where it
// begins, 0 at the end of the file.
func (f *clientFile) next() (line int, row mailing.ClientRow, wrong []FieldError) {
	for {
		from := f.rows.InputOffset()
		cells, err := f.rows.Read()
		var broken *csv.ParseError
		switch {
		case errors.As(err, &broken):
			return broken.StartLine, row, f.broken(broken, f.body[from:f.rows.InputOffset()])
		case errors.Is(err, io.EOF):
			return 0, row, nil
		case err != nil: // there is nothing else that reading from memory can come to
			return f.line(), row, []FieldError{{rowLocation, "cannot be read"}}
		case len(bytes.TrimSpace(f.body[from:f.rows.InputOffset()])) == 0:
			continue
		}
		line, _ = f.rows.FieldPos(0)
		row, wrong = f.row(line, cells)
		return line, row, wrong
	}
}

// broken says what is wrong with the quotes of a row.
func (f *clientFile) broken(e *csv.ParseError, raw []byte) []FieldError {
	message := `has a " where none can be: a cell with one in it stands in quotes, and has it doubled`
	switch last := f.line() - 1; {
	case errors.Is(e, csv.ErrQuote) && f.ended() && f.closes(raw):
		message = "a quote is opened and never closed: all of the file from here on was taken for this row"
	case last > e.StartLine:
		message = fmt.Sprintf("a quote is not closed where its cell ends: all up to line %d was taken for this row", last)
	}
	return []FieldError{{rowLocation, message}}
}

// closes reports whether one more quote is all that a row lacks.
func (f *clientFile) closes(raw []byte) bool {
	again := csv.NewReader(io.MultiReader(bytes.NewReader(raw), strings.NewReader(`"`)))
	again.Comma = f.rows.Comma
	_, err := again.Read()
	return err == nil
}

// row is what a row says. All that is wrong with it is told together, by column.
func (f *clientFile) row(line int, cells []string) (row mailing.ClientRow, wrong []FieldError) {
	if len(cells) != len(f.columns) {
		return row, []FieldError{{rowLocation, fmt.Sprintf("has %d cells, the header has %d", len(cells), len(f.columns))}}
	}
	for i, column := range f.columns {
		cell := cells[i]
		if !utf8.ValidString(cell) || strings.ContainsRune(cell, utf8.RuneError) {
			wrong = append(wrong, FieldError{column, "has characters that cannot be read: save the file as UTF-8"})
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
	var broken []FieldError
	if err := row.Check(); err != nil {
		broken = rowErrors(err)
	}
	if earlier, twice := f.seen[row.Phone]; twice && !located(wrong, phoneColumn) {
		broken = append(broken, FieldError{phoneColumn, fmt.Sprintf("is in line %d already", earlier)})
	}
	for _, e := range broken {
		if !located(wrong, e.Location) {
			wrong = append(wrong, e)
		}
	}
	if len(wrong) == 0 {
		f.seen[row.Phone] = line
	}
	return row, wrong
}

func located(errs []FieldError, location string) bool {
	return slices.ContainsFunc(errs, func(e FieldError) bool { return e.Location == location })
}
