package mailing

import (
	"strings"
	"unicode/utf16"
)

// Encoding is the alphabet in which a text is sent as SMS.
type Encoding string

// The encodings of SMS (3GPP TS 23.038).
const (
	GSM7 Encoding = "GSM-7"
	UCS2 Encoding = "UCS-2"
)

// SMS is the size of a text that is sent as SMS.
type SMS struct {
	Encoding Encoding
	// Units is the length in the units of the encoding: septets or UTF-16 code units.
	Units int
	// Segments is the number of short messages that the text takes, at least one.
	Segments int
}

// The alphabet of GSM-7. A character of the basic table takes one septet. A character of
// the extension table takes two: an escape comes before it.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtension = "\f^{}\\[~]|€"
)

// The number of units that fit into a single short message, and into one part of several.
// Each part begins with six octets that identify it.
const (
	gsmAlone, gsmPart   = 160, 153
	ucs2Alone, ucs2Part = 70, 67
)

// NewSMS counts a text by the rules of 3GPP TS 23.038 (alphabets, sections 6.2.1 and
// 6.2.3) and TS 23.040 (140 octets of user data, section 9.2.3.24.1 for parts of a
// concatenated message). The text is GSM-7 if all of it is in that alphabet's default
// tables, else UCS-2. Two units that belong together, an escape with its character or a
// surrogate pair, stay in one segment.
func NewSMS(text string) SMS {
	if sms, ok := fill(text, SMS{Encoding: GSM7}, gsmAlone, gsmPart, gsmUnits); ok {
		return sms
	}
	sms, _ := fill(text, SMS{Encoding: UCS2}, ucs2Alone, ucs2Part, ucs2Units)
	return sms
}

// fill counts a text in one encoding. It returns false if a character is not in the
// alphabet: unitsOf returns 0 for it.
func fill(text string, sms SMS, alone, part int, unitsOf func(rune) int) (SMS, bool) {
	segments, filled := 1, 0
	for _, r := range text {
		n := unitsOf(r)
		if n == 0 {
			return sms, false
		}
		sms.Units += n
		if filled += n; filled > part {
			segments, filled = segments+1, n
		}
	}
	if sms.Segments = 1; sms.Units > alone {
		sms.Segments = segments
	}
	return sms, true
}

func gsmUnits(r rune) int {
	switch {
	case strings.ContainsRune(gsmBasic, r):
		return 1
	case strings.ContainsRune(gsmExtension, r):
		return 2
	}
	return 0
}

func ucs2Units(r rune) int { return utf16.RuneLen(r) }
