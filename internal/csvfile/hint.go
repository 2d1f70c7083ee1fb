package csvfile

import (
	"fmt"
	"regexp"
	"unicode"

	"postrider/internal/mailing"
)

// withHints returns the rules that a row breaks. Where a cell looks like what a
// spreadsheet or a person often makes of a right value, the message says so.
func withHints(broken []mailing.Field, row mailing.ClientRow) []mailing.Field {
	for i, field := range broken {
		hint := ""
		switch field.Location {
		case phoneColumn:
			hint = phoneHint(row.Phone)
		case operatorColumn:
			hint = strangeHint(*row.OperatorCode)
		case timezoneColumn:
			hint = strangeHint(*row.Timezone)
		}
		if hint != "" {
			broken[i].Message += "; it " + hint
		}
	}
	return broken
}

var (
	// exponent matches how spreadsheets show large numbers, and decimal how programs
	// write numbers that they take for fractions.
	exponent = regexp.MustCompile(`(?i)^[0-9]([.,][0-9]{1,20})?E\+?[0-9]{1,3}$`)
	decimal  = regexp.MustCompile(`^(7[0-9]{10})[.,]0+$`)
	// quoted matches the form by which people keep spreadsheets from changing numbers.
	quoted = regexp.MustCompile(`^="(.*)"$`)
	// number matches the digits of a phone, with the 7, the 8 or nothing before the ten
	// digits of the number.
	number = regexp.MustCompile(`^(\+?7|8|)([0-9]{10})$`)
	// decoration matches what people write between the digits.
	decoration = regexp.MustCompile(`[ ().'-]`)
)

// phoneHint returns how to correct a phone, "" if that is not clear.
func phoneHint(cell string) string {
	if hint := strangeHint(cell); hint != "" {
		return hint
	}
	if exponent.MatchString(cell) {
		return "looks like a spreadsheet's " + cell + ": format the column as text"
	}
	if parts := decimal.FindStringSubmatch(cell); parts != nil {
		return "looks like a number with decimals: write " + parts[1]
	}
	form := ""
	if parts := quoted.FindStringSubmatch(cell); parts != nil {
		cell, form = parts[1], `="..."`
	}
	plain := decoration.ReplaceAllString(cell, "")
	parts := number.FindStringSubmatch(plain)
	switch {
	case parts == nil:
		return ""
	case form != "":
	case parts[1] == "+7":
		form = "+7..."
	case parts[1] == "8":
		form = "8..."
	case parts[1] == "":
		form = "a number without the 7"
	default:
		form = "7... with blanks or signs in it"
	}
	return fmt.Sprintf("looks like %s: write 7%s", form, parts[2])
}

// strangeHint names the first character of a cell that is not visible, or that looks
// like another one. It returns "" if there is none.
func strangeHint(cell string) string {
	for _, r := range cell {
		if r > unicode.MaxASCII && !unicode.IsLetter(r) || unicode.IsControl(r) {
			return fmt.Sprintf("contains U+%04X", r)
		}
	}
	return ""
}
