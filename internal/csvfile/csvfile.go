// Package csvfile reads files of clients, and writes rows, as CSV that spreadsheets
// can open and save. It knows no HTTP.
package csvfile

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"regexp"
	"strconv"
	"strings"

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

// WriteClients returns a header line and a row for each client. A [Reader] reads it
// as it is.
func WriteClients(clients []mailing.Client) ([]byte, error) {
	return Write(clientColumns(), clients, func(c mailing.Client) []string {
		return []string{strconv.FormatInt(int64(c.ID), 10), c.Phone, c.OperatorCode, c.Tag, c.Timezone}
	})
}

// Write returns a header line and a row for each item. Each cell is made safe for
// spreadsheets, see [safeCell].
func Write[T any](columns []string, items []T, cells func(T) []string) ([]byte, error) {
	var file bytes.Buffer
	w := csv.NewWriter(&file)
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
	return file.Bytes(), nil
}

// formulaStarts are the characters that a spreadsheet may take for the beginning of
// a formula (OWASP, CSV Injection), and the apostrophe, which prevents that. The
// apostrophe is among them so that [plainCell] can undo [safeCell] for every text.
const formulaStarts = "=+-@\t\r'"

// Some spreadsheets split rows at semicolons, where a comma separates decimals.
// There a formula may also begin in the middle of a cell. innerFormula finds such
// places, and safeFormula finds those that [safeCell] has made safe.
var (
	innerFormula = regexp.MustCompile(`;([ "]*[=+@\t\r'-])`)
	safeFormula  = regexp.MustCompile(`;'([ "]*[=+@\t\r'-])`)
)

// safeCell returns a text as it is written: a spreadsheet shows it and does not run
// it. [plainCell] undoes this.
func safeCell(text string) string {
	if text != "" && strings.ContainsRune(formulaStarts, rune(text[0])) {
		text = "'" + text
	}
	text = innerFormula.ReplaceAllString(text, ";'$1")
	// encoding/csv reads \r\n at the end of a line in a cell as \n. It takes the
	// first of two carriage returns as text, so one more keeps the text as it is.
	return strings.ReplaceAll(text, "\r\n", "\r\r\n")
}

// plainCell returns the text of a cell that [Write] or a person has written.
func plainCell(cell string) string {
	cell = safeFormula.ReplaceAllString(cell, ";$1")
	if len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune(formulaStarts, rune(cell[1])) {
		return cell[1:]
	}
	return cell
}
