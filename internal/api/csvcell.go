package api

import (
	"regexp"
	"strings"
)

// formulaStarts are what a spreadsheet may take for the beginning of a formula
// (OWASP, CSV Injection), and the apostrophe that keeps it from doing so: with
// that one among them there is only one way back.
const formulaStarts = "=+-@\t\r'"

// Where a spreadsheet splits rows at semicolons, as those do whose decimals have
// a comma, a formula may begin in the middle of a cell, too.
var (
	formulaBehind = regexp.MustCompile(`;([ "]*[=+@\t\r'-])`)
	safeBehind    = regexp.MustCompile(`;'([ "]*[=+@\t\r'-])`)
)

// safeCell is a text as it is exported: a spreadsheet shows it and does not run
// it. [plainCell] takes back what it does.
func safeCell(text string) string {
	if text != "" && strings.ContainsRune(formulaStarts, rune(text[0])) {
		text = "'" + text
	}
	text = formulaBehind.ReplaceAllString(text, ";'$1")
	// encoding/csv reads a line's end with a carriage return as one without.
	return strings.ReplaceAll(text, "\r\n", "\r\r\n")
}

// plainCell is the text of a cell that was exported, or that a person wrote.
func plainCell(cell string) string {
	cell = safeBehind.ReplaceAllString(cell, ";$1")
	if len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune(formulaStarts, rune(cell[1])) {
		return cell[1:]
	}
	return cell
}
