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
	// rowLocation is the location of an error that concerns the whole row, not one
	// column.
	rowLocation = "row"
)

// clientColumns returns the columns that a file of clients may have, in the order
// in which an export writes them.
func clientColumns() []string {
	return []string{idColumn, phoneColumn, operatorColumn, tagColumn, timezoneColumn}
}

// clientFile reads a file of clients row by row. The rows that it returns share no
// memory with the reader.
type clientFile struct {
	body []byte
	// end is the offset in bytes after which there are only blank lines.
	end     int
	rows    *csv.Reader
	columns []string
	// counted is the offset up to which line ends were counted, and lines is their
	// number. So each byte is counted once, however often line is called.
	counted int64
	lines   int
	// seen has the line of each phone in the valid rows so far.
	seen map[string]int
}

// newClientFile reads the header of a file, and returns an error with what is wrong
// with it. It accepts a byte order mark. The separator is a semicolon if the header
// has more semicolons than commas, as spreadsheets write files where a comma
// separates decimals.
func newClientFile(body []byte) (*clientFile, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	f := &clientFile{
		body: body, end: len(bytes.TrimRightFunc(body, unicode.IsSpace)), rows: csv.NewReader(bytes.NewReader(body)), seen: map[string]int{},
	}
	// row compares the numbers of cells itself, to report a difference in our words.
	f.rows.FieldsPerRecord = -1
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

// unknownColumn says why a column's name is unknown. Two causes are common in files
// of spreadsheets: columns that are separated by tabs, and UTF-16, in which every
// other byte of a Latin name is zero.
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

// wrongHeader returns the error for a header with the given fault. It says what a
// right header is, too.
func wrongHeader(what string) error {
	return &mailing.Error{Kind: mailing.KindInvalid, Message: wrongFile, Fields: []mailing.Field{{Location: "body", Message: what + rightHeader}}}
}

// The texts about a wrong header.
const (
	wrongFile   = "the file's header is not valid"
	rightHeader = "; a header in UTF-8, with commas or semicolons, names phone, and as you like operator_code, tag, timezone and id, each once"
)

// ended reports whether only blank lines are left.
func (f *clientFile) ended() bool { return f.rows.InputOffset() >= int64(f.end) }

// line returns the number of the line that is read next. The first line is 1.
func (f *clientFile) line() int {
	at := f.rows.InputOffset()
	f.lines += bytes.Count(f.body[f.counted:at], []byte("\n"))
	f.counted = at
	return f.lines + 1
}

// next reads a row, and returns what it says or what is wrong with it. line is the
// line in which the row begins, 0 at the end of the file. A row can have several
// lines, since a cell in quotes may contain line ends. Blank lines are skipped.
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
		case err != nil: // reading from memory has no other errors
			return f.line(), row, []FieldError{{rowLocation, "cannot be read"}}
		case len(bytes.TrimSpace(f.body[from:f.rows.InputOffset()])) == 0:
			continue
		}
		line, _ = f.rows.FieldPos(0)
		row, wrong = f.row(line, cells)
		return line, row, wrong
	}
}

// broken says what is wrong with the quotes of a row. raw is all that the reader
// took for the row. A quote that is not closed can take in many lines, or the rest
// of the file. The message then says how many, because the rows in between were not
// imported.
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

// closes reports whether the row would be valid with one more quote at its end. It
// distinguishes a quote that is never closed from a quote at a wrong place.
func (f *clientFile) closes(raw []byte) bool {
	again := csv.NewReader(io.MultiReader(bytes.NewReader(raw), strings.NewReader(`"`)))
	again.Comma = f.rows.Comma
	_, err := again.Read()
	return err == nil
}

// row returns what a row says, with all that is wrong with it: at most one error a
// column, in the order in which they are found.
//
// A phone is noted only if its row is valid. So a second row with the phone of an
// invalid row is not a repetition.
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

// located reports whether one of errs is at the location.
func located(errs []FieldError, location string) bool {
	return slices.ContainsFunc(errs, func(e FieldError) bool { return e.Location == location })
}
