package csvfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// separators are the characters that may be between the cells of a row. Excel also takes
// any other one that a line such as sep=^ names.
const separators = ",;\t|"

// Config is how a file of clients is read.
type Config struct {
	// IgnoreUnknown leaves out columns with unknown names, which otherwise are an error.
	IgnoreUnknown bool
}

// Row is one row of a file.
type Row struct {
	// Line is the line in which the row begins. The first line of the file is 1.
	Line int
	// Text is the row in UTF-8, as it is in the file, with LF as its line ends.
	Text []byte
	// Cells are the cells. They are valid until the next row is read.
	Cells []string
	// fault is why there are no cells: a quote in a wrong place.
	fault *csv.ParseError
}

// Rows reads the rows of a file of clients of any size, without looking at what is in
// their cells. It may be used by one goroutine at a time.
type Rows struct {
	header header
	names  []string
	// head is the text up to the header and including it.
	head []byte
	csv  *csv.Reader
	// read is what the CSV reader has taken from the file. at is the offset of its
	// beginning, and line is the line of that.
	read bytes.Buffer
	at   int64
	line int
	// limit ends a row that is too long.
	limit *limit
}

// maxRow is the length of the longest row, in bytes. It is more than what the longest
// file of one request is in UTF-8, so only files of other sources reach it.
const maxRow = 16 << 20

// NewRows reads the header of a file. A wrong header, and an encoding that is not read,
// are errors of [mailing.KindInvalid], which say what is right.
func NewRows(file io.ReadSeeker, c Config) (*Rows, error) {
	plain, err := text(file)
	if err != nil {
		return nil, err
	}
	r := &Rows{line: 1}
	buffered := bufio.NewReaderSize(plain, 64<<10)
	if r.head, err = preamble(buffered); err != nil {
		return nil, err
	}
	r.line += bytes.Count(r.head, []byte("\n"))
	first, err := buffered.Peek(buffered.Size())
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	r.limit = &limit{from: buffered, left: maxRow}
	r.csv = csv.NewReader(io.TeeReader(r.limit, &r.read))
	// The method misfit compares the numbers of cells, to report a difference in our
	// words.
	r.csv.FieldsPerRecord = -1
	r.csv.ReuseRecord = true
	r.csv.Comma = separatorOf(r.head, first)
	head, err := r.next()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err != nil || head.fault != nil {
		return nil, wrongHeader("the first line must be a header")
	}
	r.head = append(r.head, head.Text...)
	r.names = slices.Clone(head.Cells)
	r.header, err = newHeader(head.Cells, c.IgnoreUnknown)
	return r, err
}

// sepLine matches the line by which Excel names the separator. A spreadsheet that has
// saved such a file again has put the line into quotes, or separators after it.
var sepLine = regexp.MustCompile(`(?i)^"?sep=([^"\n\x00\x{FFFD}])"?[,;\t| ]*\n?$`)

// preamble reads and returns the lines before a header: blank ones, those of nothing but
// separators, and one that names the separator.
func preamble(file *bufio.Reader) (lines []byte, err error) {
	for {
		start, err := file.Peek(1024)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the lines before the header: %w", err)
		}
		line := start
		if end := bytes.IndexByte(start, '\n'); end >= 0 {
			line = start[:end+1]
		}
		if len(line) == 0 || !sepLine.Match(line) && len(bytes.Trim(line, separators+" \"\u00a0\n")) > 0 {
			return lines, nil
		}
		lines = append(lines, line...)
		if _, err := file.Discard(len(line)); err != nil {
			return nil, fmt.Errorf("skip a line before the header: %w", err)
		}
	}
}

// separatorOf returns the separator that the lines before the header name, or the one
// that gives the header the most known names, or else the most cells. text begins with
// the header.
func separatorOf(preamble, text []byte) rune {
	for line := range bytes.Lines(preamble) {
		if named := sepLine.FindSubmatch(line); named != nil {
			sep, _ := utf8.DecodeRune(named[1])
			return sep
		}
	}
	head, _, _ := strings.Cut(string(text), "\n")
	best, most := ',', 0
	for _, sep := range separators {
		cells := strings.Split(head, string(sep))
		known := slices.DeleteFunc(slices.Clone(cells), func(c string) bool { return columnOf(c) == "" })
		if score := 1000*len(known) + len(cells); score > most {
			best, most = sep, score
		}
	}
	return best
}

// Head returns the text up to the header and including it, with LF as its line ends. It
// can be put before any rows of the file.
func (r *Rows) Head() []byte { return r.head }

// Names returns the names in the header.
func (r *Rows) Names() []string { return r.names }

// Phone returns the phone of a row, "" if it has no cell for it.
func (r *Rows) Phone(row Row) string {
	if i := slices.Index(r.header.columns, phoneColumn); i < len(row.Cells) {
		return plainCell(row.Cells[i])
	}
	return ""
}

// Next returns the next row, or [io.EOF]. It skips rows of nothing but separators and
// blanks, and repetitions of the header or of the line that names the separator.
func (r *Rows) Next() (Row, error) {
	for {
		row, err := r.next()
		if err != nil || row.fault != nil {
			return row, err
		}
		if !isBlank(row.Cells) && !r.header.repeatedBy(row.Cells) && !sepLine.Match(row.Text) {
			return row, nil
		}
	}
}

// next returns the next row, whatever it is.
func (r *Rows) next() (Row, error) {
	r.limit.left = maxRow
	cells, err := r.csv.Read()
	raw := r.read.Next(int(r.csv.InputOffset() - r.at))
	r.at = r.csv.InputOffset()
	// The CSV reader skips empty lines before a row.
	text := bytes.TrimLeft(raw, "\n")
	row := Row{Line: r.line + len(raw) - len(text), Cells: cells, Text: text}
	r.line += bytes.Count(raw, []byte("\n"))
	switch {
	case err == nil || errors.As(err, &row.fault):
		return row, nil
	case errors.Is(err, errLong):
		return row, invalidFile("the file cannot be read", fmt.Sprintf("the row in line %d is longer than %d MiB: "+
			"probably a quote in it is not closed", row.Line, maxRow>>20))
	case errors.Is(err, io.EOF):
		return row, io.EOF
	default:
		return row, fmt.Errorf("read the row after line %d: %w", r.line, err)
	}
}

var errLong = errors.New("a row is too long")

// limit is a reader that returns left bytes, and then [errLong].
type limit struct {
	from io.Reader
	left int
}

// Read implements [io.Reader].
func (l *limit) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLong
	}
	n, err := l.from.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err //nolint:wrapcheck // io.EOF must stay as it is
}
