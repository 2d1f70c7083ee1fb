package importer

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"postrider/internal/csvfile"
)

// row is a row of the file.
type row struct {
	// line is the line of the file in which the row begins, and after is the line after
	// its end.
	line, after int
	// text is the row with a line end.
	text  []byte
	cells []string
	phone string
}

// newRow returns a row that shares no memory with r.
func newRow(r csvfile.Row, phone string) row {
	text := append(bytes.TrimSuffix(bytes.Clone(r.Text), []byte("\n")), '\n')
	cells := slices.Clone(r.Cells)
	if len(cells) == 0 { // a quote in a wrong place
		first, _, _ := strings.Cut(string(text), "\n")
		cells = []string{first}
	}
	return row{line: r.Line, after: r.Line + bytes.Count(text, []byte("\n")), text: text, cells: cells, phone: phone}
}

// part has rows that were read and are not done.
type part struct {
	head []byte
	rows []row
	// size is the number of bytes of a request with all rows.
	size int
}

// newPart returns an empty part of a file with this header.
func newPart(head []byte) part {
	head = append(bytes.TrimSuffix(bytes.Clone(head), []byte("\n")), '\n')
	return part{head: head, size: len(head)}
}

func (p *part) add(r row) {
	p.rows = append(p.rows, r)
	p.size += len(r.text)
}

// drop removes the first n rows.
func (p *part) drop(n int) {
	for _, r := range p.rows[:n] {
		p.size -= len(r.text)
	}
	p.rows = slices.Delete(p.rows, 0, n)
}

// sent are rows of a part that go into one request.
type sent struct {
	rows []row
	// text is the body, empty if no row is in it. at has the line of each row in the
	// body, 0 for a row whose phone was imported before: it is not sent.
	text []byte
	at   []int
}

// first returns the first rows, as many as the limits allow and at least one.
func (p *part) first(rows, size int, seen map[string]int) sent {
	var s sent
	var body bytes.Buffer
	body.Write(p.head)
	line := 1 + bytes.Count(p.head, []byte("\n"))
	for _, r := range p.rows {
		if len(s.rows) > 0 && (len(s.rows) == rows || body.Len()+len(r.text) > size) {
			break
		}
		s.rows = append(s.rows, r)
		if _, twice := seen[r.phone]; twice {
			s.at = append(s.at, 0)
			continue
		}
		s.at = append(s.at, line)
		body.Write(r.text)
		line += r.after - r.line
	}
	if body.Len() > len(p.head) {
		s.text = body.Bytes()
	}
	return s
}

// settled is what an answer means for the rows that were sent.
type settled struct {
	// rows is the number of rows that are done, from the first one on.
	rows     int
	rejects  []reject
	rejected map[int]bool
}

// reject is a row that was not imported.
type reject struct {
	row
	reason string
}

// settle returns the outcome of each row. Lines in the answer are those of the body, and
// become those of the file.
func (s sent) settle(a answer, seen map[string]int) settled {
	done := settled{rejected: map[int]bool{}}
	reasons := map[int][]fieldError{}
	for _, r := range a.Rows {
		reasons[r.Line] = r.Errors
	}
	for i, r := range s.rows {
		if a.NextLine > 0 && s.at[i] >= a.NextLine {
			break
		}
		done.rows++
		reason := ""
		if s.at[i] == 0 {
			reason = fmt.Sprintf("phone: is already in line %d", seen[r.phone])
		} else if errs := reasons[s.at[i]]; len(errs) > 0 {
			reason = s.reason(errs)
		}
		if reason != "" {
			done.rejects = append(done.rejects, reject{r, reason})
			done.rejected[r.line] = true
		}
	}
	return done
}

// lineIn matches the places in the API's messages that name a line.
var lineIn = regexp.MustCompile(`(already in line |all lines up to )([0-9]+)`)

// reason returns the rules that a row breaks as one text, with the lines of the file.
func (s sent) reason(errs []fieldError) string {
	all := make([]string, 0, len(errs))
	for _, e := range errs {
		message := lineIn.ReplaceAllStringFunc(e.Message, func(found string) string {
			parts := lineIn.FindStringSubmatch(found)
			n, err := strconv.Atoi(parts[2])
			if err != nil {
				return found
			}
			return parts[1] + strconv.Itoa(s.lineOfFile(n))
		})
		if e.Location != "row" {
			message = e.Location + ": " + message
		}
		all = append(all, message)
	}
	return strings.Join(all, "; ")
}

// lineOfFile returns the line of the file for a line of the body.
func (s sent) lineOfFile(line int) int {
	of := 0
	for i, at := range s.at {
		if at > 0 && at <= line {
			of = s.rows[i].line + line - at
		}
	}
	return of
}
