package api

import (
	"regexp"
	"strings"
)

// formulaStarts are the characters that a spreadsheet may take for the beginning of
// a formula (OWASP, CSV Injection), and the apostrophe, which prevents that. The
// apostrophe is among them so that [plainCell] can undo [safeCell] for every text.
const formulaStarts = "=+-@\t\r'"

// Some spreadsheets split rows at semicolons, where a comma separates decimals.
// There a formula may also begin in the middle of a cell. formulaBehind finds such
// places, and safeBehind finds those that [safeCell] has made safe.
var (
	formulaBehind = regexp.MustCompile(`;([ "]*[=+@\t\r'-])`)
	safeBehind    = regexp.MustCompile(`;'([ "]*[=+@\t\r'-])`)
)

// safeCell returns a text as it is exported: a spreadsheet shows it and does not
// run it. [plainCell] undoes this.
func safeCell(text string) string {
	if text != "" && strings.ContainsRune(formulaStarts, rune(text[0])) {
		text = "'" + text
	}
	text = formulaBehind.ReplaceAllString(text, ";'$1")
	// encoding/csv reads \r\n at the end of a line in a cell as \n. It takes the
	// first of two carriage returns as text, so one more keeps the text as it is.
	return strings.ReplaceAll(text, "\r\n", "\r\r\n")
}

// plainCell returns the text of a cell that was exported by this service or written
// by a person.
func plainCell(cell string) string {
	cell = safeBehind.ReplaceAllString(cell, ";$1")
	if len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune(formulaStarts, rune(cell[1])) {
		return cell[1:]
	}
	return cell
}
