package csvfile

import (
	"fmt"
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
)

// clientColumns returns the columns that a file of clients may have, in the order
// in which [WriteClients] writes them.
func clientColumns() []string {
	return []string{idColumn, phoneColumn, operatorColumn, tagColumn, timezoneColumn}
}

// columnOf returns the column that a name in a header means, "" if it means none. Case,
// characters that are not visible, and the characters between words do not matter.
func columnOf(name string) string {
	switch plainName(name) {
	case "id":
		return idColumn
	case "phone", "телефон", "номер телефона":
		return phoneColumn
	case "operator code", "код оператора":
		return operatorColumn
	case "tag", "тег", "тэг":
		return tagColumn
	case "timezone", "time zone", "часовой пояс", "временная зона":
		return timezoneColumn
	default:
		return ""
	}
}

// plainName returns a name in lower case, without characters that are not visible, and
// with one blank between words.
func plainName(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("_\"", r)
	})
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.Join(words, " "))
}

// header has the column of each cell of a row, "" for a cell that is ignored.
type header struct {
	columns []string
	// names are the names in the file, as [plainName] returns them.
	names []string
}

// newHeader reads the cells of a header. A column without a name is ignored, since
// spreadsheets write such columns at the end. A column with an unknown name is ignored on
// request.
func newHeader(cells []string, ignoreUnknown bool) (header, error) {
	var h header
	for i, cell := range cells {
		name, column := plainName(cell), columnOf(cell)
		switch {
		case column == "" && name != "" && !ignoreUnknown:
			return h, wrongHeader(fmt.Sprintf("column %d of the header has an unknown name: correct it, or repeat the "+
				"request with ?ignore_unknown=true to leave out such columns", i+1))
		case column != "" && slices.Contains(h.columns, column):
			return h, wrongHeader("the header has the column " + column + " twice")
		}
		h.columns, h.names = append(h.columns, column), append(h.names, name)
	}
	if !slices.Contains(h.columns, phoneColumn) {
		return h, wrongHeader("the header has no column phone")
	}
	return h, nil
}

// repeatedBy reports whether a row is the header again, as in files that were joined.
func (h header) repeatedBy(cells []string) bool {
	return slices.EqualFunc(h.names, cells, func(name, cell string) bool { return name == plainName(cell) })
}

// misfit returns what is wrong with the number of cells of a row, "" if nothing is. Each
// cell of a column that is read must be there, and cells after the header must be blank.
func (h header) misfit(cells []string) string {
	needed := len(h.columns)
	for needed > 0 && h.columns[needed-1] == "" {
		needed--
	}
	if len(cells) >= needed && (len(cells) <= len(h.columns) || isBlank(cells[len(h.columns):])) {
		return ""
	}
	return fmt.Sprintf("has %d cells, but the header has %d", len(cells), len(h.columns))
}

// fields returns the fields of a row with the right number of cells. broken has the cells
// that cannot be read.
func (h header) fields(cells []string) (row mailing.ClientRow, broken []mailing.Field) {
	for i, column := range h.columns {
		if column == "" {
			continue
		}
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
			cell = strings.Trim(cell, " ")
			row.OperatorCode = &cell
		case tagColumn:
			row.Tag = &cell
		case timezoneColumn:
			cell = strings.Trim(cell, " ")
			row.Timezone = &cell
		}
	}
	return row, broken
}

// isBlank reports whether all cells are blank.
func isBlank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" })
}

// rightHeader is the end of the texts about a wrong header.
const rightHeader = "; a header, separated by commas, semicolons or tabs, has the column phone and, " +
	"optionally, operator_code, tag, timezone and id, each once"

// wrongHeader returns the error for a header with the given fault.
func wrongHeader(fault string) error {
	return invalidFile("the header of the file is not valid", fault+rightHeader)
}

// unreadable returns the error for a file that is not text in an encoding that is read.
func unreadable(fault string) error {
	return invalidFile("the file cannot be read", fault+rightEncoding)
}

func invalidFile(message, fault string) error {
	return &mailing.Error{
		Kind: mailing.KindInvalid, Message: message, Fields: []mailing.Field{{Location: "body", Message: fault}},
	}
}
