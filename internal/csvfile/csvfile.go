// Package csvfile reads files of clients, and writes rows, as CSV that spreadsheets
// can open and save. It knows no HTTP.
package csvfile

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"postrider/internal/mailing"
)

// WriteClients returns a header line and a row for each client. A [Reader] reads it
// as it is.
func WriteClients(clients []mailing.Client) ([]byte, error) {
	return Write(clientColumns(), clients, func(c mailing.Client) []string {
		return []string{strconv.FormatInt(int64(c.ID), 10), c.Phone, c.OperatorCode, c.Tag, c.Timezone}
	})
}

// ByteOrderMark lets spreadsheets read a file as UTF-8.
const ByteOrderMark = "\ufeff"

// Write returns a header line and a row for each item, see [WriteRows].
func Write[T any](columns []string, items []T, cells func(T) []string) ([]byte, error) {
	rows := append(make([][]string, 0, len(items)+1), columns)
	for _, item := range items {
		rows = append(rows, cells(item))
	}
	return WriteRows(rows)
}

// WriteRows returns rows, separated by commas. Each cell is made safe for spreadsheets,
// see [safeCell].
func WriteRows(rows [][]string) ([]byte, error) {
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	for _, row := range rows {
		safe := make([]string, 0, len(row))
		for _, cell := range row {
			safe = append(safe, safeCell(cell))
		}
		if err := w.Write(safe); err != nil {
			return nil, fmt.Errorf("write a row as CSV: %w", err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, fmt.Errorf("write %d rows as CSV: %w", len(rows), err)
	}
	return file.Bytes(), nil
}

// formulaStarts are the characters that a spreadsheet may take for the beginning of
// a formula (OWASP, CSV Injection), and the apostrophe, which prevents that. The
// apostrophe is among them so that [plainCell] can undo [safeCell] for every text.
const formulaStarts = "=+-@\t\r'"

// cellStarts are the characters after which a spreadsheet may begin a cell in the middle
// of a text: some split rows at semicolons, where a comma separates decimals, and some
// at each line end.
const cellStarts = ";\r\n"

// startsFormula reports whether a spreadsheet may take a text for a formula. Blanks and
// quotes do not prevent that.
func startsFormula(text string) bool {
	text = strings.TrimLeft(text, ` "`)
	return text != "" && strings.IndexByte(formulaStarts, text[0]) >= 0
}

// safeCell returns a text as it is written: a spreadsheet shows it and does not run
// it. [plainCell] undoes this.
func safeCell(text string) string {
	var safe strings.Builder
	for i := range len(text) {
		if (i == 0 || strings.IndexByte(cellStarts, text[i-1]) >= 0) && startsFormula(text[i:]) {
			safe.WriteByte('\'')
		}
		safe.WriteByte(text[i])
	}
	return safe.String()
}

// plainCell returns the text of a cell that [Write] or a person has written.
func plainCell(cell string) string {
	var plain strings.Builder
	for i := range len(cell) {
		if cell[i] == '\'' && (i == 0 || strings.IndexByte(cellStarts, cell[i-1]) >= 0) && startsFormula(cell[i+1:]) {
			continue
		}
		plain.WriteByte(cell[i])
	}
	return plain.String()
}
