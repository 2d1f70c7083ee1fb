package csvfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	utf16 "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// rightEncoding is the end of the texts about an encoding that is not read.
const rightEncoding = "; UTF-8, UTF-16 with a byte order mark, and Windows-1251 are read: save the file as CSV in UTF-8"

// text returns a file as text in UTF-8, without a byte order mark, and with LF at the
// end of each line. It reads the file once to find its encoding, and then again as the
// text is read. Bytes that cannot be read become U+FFFD, or stay as they are in UTF-8.
func text(file io.ReadSeeker) (io.Reader, error) {
	enc, err := encodingOf(file)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("go back to the start of the file: %w", err)
	}
	return transform.NewReader(file, transform.Chain(enc.NewDecoder(), &lineEnds{})), nil
}

// encodingOf returns the encoding of a file. The error is [mailing.KindInvalid] if the
// encoding is not read, or is not clear.
func encodingOf(file io.Reader) (encoding.Encoding, error) {
	lines := bufio.NewReaderSize(file, 64<<10)
	start, err := lines.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the start of the file: %w", err)
	}
	switch {
	case hasPrefix(start, "\x00\x00\xfe\xff"), hasPrefix(start, "\xff\xfe\x00\x00"):
		return nil, unreadable("the file is in UTF-32")
	case hasPrefix(start, "\xff\xfe"), hasPrefix(start, "\xfe\xff"):
		return utf16.UTF16(utf16.BigEndian, utf16.ExpectBOM), nil
	case hasPrefix(start, "PK\x03\x04"), hasPrefix(start, "\xd0\xcf\x11\xe0"):
		return nil, unreadable("the file is a workbook of a spreadsheet, not CSV")
	case hasPrefix(start, "\ufffd\ufffd"):
		return nil, unreadable("the file is in UTF-16, and lost its byte order mark when it was sent as text")
	}
	seen := survey{line: 1}
	for {
		line, err := lines.ReadSlice('\n')
		seen.look(line)
		switch {
		case errors.Is(err, io.EOF):
			return seen.verdict(hasPrefix(start, "\ufeff"))
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read the file: %w", err)
		}
	}
}

func hasPrefix(b []byte, prefix string) bool { return bytes.HasPrefix(b, []byte(prefix)) }

// maxWords is the number of words by which an encoding is recognised.
const maxWords = 2000

// survey collects the signs of an encoding in a file without a mark of it.
type survey struct {
	line int
	// good is the number of characters in UTF-8 that are not ASCII, and bad is the
	// number of bytes that cannot be read as UTF-8, first in line badLine.
	good, bad, badLine int
	// size is the number of bytes, and zeros is how many of them are 0.
	size, zeros int
	// head is the first line that is not blank.
	head []byte
	// words are the first words that are not ASCII.
	words [][]byte
}

// look takes the next line.
func (s *survey) look(line []byte) {
	if s.head == nil && len(bytes.TrimSpace(line)) > 0 {
		s.head = bytes.Clone(line)
	}
	s.size += len(line)
	s.zeros += bytes.Count(line, []byte{0})
	for rest := line; len(rest) > 0; {
		if rest[0] < utf8.RuneSelf {
			rest = rest[1:]
			continue
		}
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			s.bad++
			if s.badLine == 0 {
				s.badLine = s.line
			}
		} else {
			s.good++
		}
		rest = rest[size:]
	}
	if s.bad > 0 {
		s.collect(line)
	}
	s.line += bytes.Count(line, []byte("\n"))
}

// collect notes the words of a line that are not ASCII.
func (s *survey) collect(line []byte) {
	words := bytes.FieldsFunc(asRunes(line), func(r rune) bool { return r < utf8.RuneSelf && !unicode.IsLetter(r) })
	for _, word := range words {
		if len(s.words) < maxWords && bytes.ContainsFunc(word, func(r rune) bool { return r >= utf8.RuneSelf }) {
			s.words = append(s.words, asBytes(word))
		}
	}
}

// asRunes returns each byte as the character of that number, and asBytes is its
// opposite. So functions for text do not take bytes of an unknown encoding for errors.
func asRunes(line []byte) []byte {
	out := make([]byte, 0, len(line))
	for _, b := range line {
		out = utf8.AppendRune(out, rune(b))
	}
	return out
}

func asBytes(word []byte) []byte {
	out := make([]byte, 0, len(word))
	for _, r := range string(word) {
		out = append(out, byte(r)) //nolint:gosec // asRunes has made the characters of bytes
	}
	return out
}

// verdict returns the encoding. A file with a few bytes that cannot be read, among more
// characters that can, is damaged UTF-8: only the rows with those bytes are rejected.
func (s *survey) verdict(marked bool) (encoding.Encoding, error) {
	switch {
	case 8*s.zeros > s.size:
		return nil, unreadable("the file is in UTF-16 without a byte order mark, or is no text")
	case marked || s.bad <= s.good:
		return utf16.UTF8BOM, nil
	case s.isWindows1251():
		return charmap.Windows1251, nil
	default:
		return nil, unreadable(fmt.Sprintf("the encoding of the file is not clear: line %d is not in UTF-8, "+
			"and not clearly in Windows-1251", s.badLine))
	}
}

// isWindows1251 reports whether the file is clearly Russian text in Windows-1251: its
// header has a known name, or its words are more like Russian in this encoding than in
// the other ones for Cyrillic letters. Words of Latin letters with a few others, such
// as those of Windows-1252, are not Russian.
func (s *survey) isWindows1251() bool {
	head, err := charmap.Windows1251.NewDecoder().Bytes(s.head)
	if err != nil {
		return false
	}
	for name := range strings.FieldsFuncSeq(string(head), func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		if columnOf(name) != "" && strings.ContainsFunc(name, isCyrillic) {
			return true
		}
	}
	mixed := 0
	for _, word := range s.words {
		if bytes.ContainsFunc(asRunes(word), func(r rune) bool { return r < utf8.RuneSelf }) {
			mixed++
		}
	}
	cost, letters := strangeness(s.words, charmap.Windows1251)
	if letters < 3 || 2*mixed >= len(s.words) || cost > 16*letters {
		return false
	}
	for _, other := range []*charmap.Charmap{charmap.KOI8R, charmap.CodePage866, charmap.ISO8859_5} {
		if rival, _ := strangeness(s.words, other); 10*rival < 11*cost {
			return false
		}
	}
	return true
}

func isCyrillic(r rune) bool { return unicode.Is(unicode.Cyrillic, r) }

// byFrequency has the letters of Russian, the most frequent first (Russian National
// Corpus).
const byFrequency = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"

// punctuation has the other characters of Russian texts. They show no encoding.
const punctuation = "«»„“”–—…№\u00a0"

// strangeness returns how unlike Russian the words are in an encoding: the sum of the
// ranks of their letters by frequency, and more for other characters, and for a capital
// letter after a small one. letters is the number of characters that count.
func strangeness(words [][]byte, enc *charmap.Charmap) (cost, letters int) {
	ranks := map[rune]int{}
	for i, r := range []rune(byFrequency) {
		ranks[r] = i
	}
	for _, word := range words {
		small := false
		for _, b := range word {
			if b < utf8.RuneSelf {
				continue
			}
			r := enc.DecodeByte(b)
			if strings.ContainsRune(punctuation, r) {
				continue
			}
			rank, known := ranks[unicode.ToLower(r)]
			if !known {
				rank = 40
			}
			if small && unicode.IsUpper(r) {
				rank += 20
			}
			cost, letters, small = cost+rank, letters+1, unicode.IsLower(r)
		}
	}
	return cost, letters
}

// lineEnds turns CR and CRLF into LF.
type lineEnds struct {
	// after reports whether the last character was a CR, which has been written as LF.
	after bool
}

// Reset implements [transform.Transformer].
func (t *lineEnds) Reset() { t.after = false }

// Transform implements [transform.Transformer].
func (t *lineEnds) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for _, b := range src {
		if b == '\n' && t.after {
			nSrc, t.after = nSrc+1, false
			continue
		}
		if nDst == len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		t.after = b == '\r'
		if t.after {
			b = '\n'
		}
		dst[nDst] = b
		nDst, nSrc = nDst+1, nSrc+1
	}
	return nDst, nSrc, nil
}
