//go:build integration

package integration_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	domain "postrider/internal/mailing"
)

const (
	fileRows  = 10_000
	fileLimit = 4 << 20
)

// imported is the result of an import.
type imported struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Rejected  int `json:"rejected"`
	Rows      []struct {
		Line   int `json:"line"`
		Errors []struct {
			Location string `json:"location"`
		} `json:"errors"`
	} `json:"rows"`
	NextLine int `json:"next_line"`
}

// importFile imports one file. If API Gateway has no answer in its 29 s, ok is false, and
// the outcome is not known.
func (s *service) importFile(t *testing.T, file string, want int) (done imported, took time.Duration, ok bool) {
	t.Helper()
	got, err := s.askWith(t.Context(), http.MethodPost, s.base+"/api/clients/import", file, map[string]string{"Content-Type": "text/csv"})
	if err != nil {
		t.Fatal(err)
	}
	if got.status == http.StatusGatewayTimeout {
		return done, got.took, false
	}
	if got.status != want {
		t.Fatalf("an import of %d bytes: status %d, want %d: %.300s", len(file), got.status, want, got.body)
	}
	if err := json.Unmarshal(got.body, &done); err != nil {
		t.Fatal(err)
	}
	return done, got.took, true
}

// importAll imports a file, part by part if the machine is too slow for the whole file:
// an import that runs out of time returns the line at which to go on, and after an import
// without an answer the next part is half as long.
func (s *service) importAll(t *testing.T, file string) (all imported, took time.Duration) {
	t.Helper()
	lines := strings.SplitAfter(file, "\n")
	header, lines := lines[0], lines[1:]
	for from, size := 0, len(lines); from < len(lines); {
		to := min(from+size, len(lines))
		part, waited, ok := s.importFile(t, header+strings.Join(lines[from:to], ""), http.StatusOK)
		took += waited
		if !ok {
			size = max(1, size/2)
			continue
		}
		all.Created, all.Updated = all.Created+part.Created, all.Updated+part.Updated
		all.Unchanged, all.Rejected = all.Unchanged+part.Unchanged, all.Rejected+part.Rejected
		for _, row := range part.Rows {
			row.Line += from
			all.Rows = append(all.Rows, row)
		}
		if part.NextLine > 0 {
			to = from + part.NextLine - 2 // line 1 is the header
		}
		from = to
	}
	return all, took
}

// exported follows an export to its end by its links alone, and returns all rows without
// the header lines.
func (s *service) exported(t *testing.T, path string) (rows [][]string, pages int) {
	t.Helper()
	at, err := url.Parse(s.base + path)
	if err != nil {
		t.Fatal(err)
	}
	for {
		got, err := s.ask(t.Context(), http.MethodGet, at.String(), nil)
		if err != nil || got.status != http.StatusOK || got.header.Get("Content-Type") != "text/csv; charset=utf-8" {
			t.Fatalf("%s: %d %v, %v", path, got.status, got.header, err)
		}
		read, err := csv.NewReader(bytes.NewReader(got.body)).ReadAll()
		if err != nil || len(read) == 0 {
			t.Fatalf("%s: %v, %d rows", path, err, len(read))
		}
		rows, pages = append(rows, read[1:]...), pages+1
		next, more := strings.CutSuffix(got.header.Get("Link"), `>; rel="next"`)
		if !more {
			return rows, pages
		}
		if at, err = at.Parse(strings.TrimPrefix(next, "<")); err != nil {
			t.Fatal(err)
		}
	}
}

// testFiles imports a file of 4 MiB, exports it, and imports the export.
func testFiles(t *testing.T, s *service) {
	// Every thousandth row is wrong. The ignored column id makes the file large enough.
	var file strings.Builder
	file.WriteString("id;timezone;tag;phone\n")
	var wrong []int
	for n := range fileRows {
		zone := "Europe/Moscow"
		if n%1000 == 500 {
			zone, wrong = "Europe/Moskow", append(wrong, n+2)
		}
		fmt.Fprintf(&file, "%0372d;%s;file;7999%07d\n", n, zone, n)
	}
	file.WriteString(strings.Repeat("\n", fileLimit-file.Len()))
	begun := time.Now()
	done, took := s.importAll(t, file.String())
	valid := fileRows - len(wrong)
	// Rows of an import without an answer may be in the directory already.
	if done.Created+done.Unchanged != valid || done.Updated != 0 || done.Rejected != len(wrong) || len(done.Rows) != len(wrong) {
		t.Fatalf("imported: %+v", done)
	}
	for i, row := range done.Rows {
		if row.Line != wrong[i] || row.Errors[0].Location != "timezone" {
			t.Errorf("row %+v is rejected, want line %d for its time zone", row, wrong[i])
		}
	}
	again, second := s.importAll(t, file.String())
	if again.Unchanged != valid || again.Created != 0 || again.Updated != 0 {
		t.Errorf("the same file again: %+v", again)
	}

	rows, pages := s.exported(t, "/api/clients/export?tag=file")
	var back bytes.Buffer
	w := csv.NewWriter(&back)
	if err := w.WriteAll(append([][]string{{"id", "phone", "operator_code", "tag", "timezone"}}, rows...)); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		id, err := strconv.ParseUint(row[0], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		s.directory.add(begun, domain.Client{ID: domain.ClientID(id), Phone: row[1], OperatorCode: row[2], Tag: row[3], Timezone: row[4]})
	}
	if len(rows) != valid {
		t.Errorf("%d rows are exported, %d were imported", len(rows), valid)
	}
	round, _ := s.importAll(t, back.String())
	if round.Unchanged != len(rows) {
		t.Errorf("an export, imported: %+v", round)
	}
	var preview struct {
		Recipients int `json:"recipients"`
	}
	asked := s.call(t, http.MethodPost, "/api/mailings/preview", `{"filter": {"tags": ["file"]}}`, http.StatusOK, &preview)
	if preview.Recipients != len(rows) {
		t.Errorf("a preview counts %d", preview.Recipients)
	}
	figure(t, "%d rows in %.1f MB imported in %.1f s, %d of them rejected by their lines; the same again in %.1f s; exported in %d pages; previewed in %d ms",
		fileRows, float64(file.Len())/1e6, took.Seconds(), done.Rejected, second.Seconds(), pages, asked.took.Milliseconds())

	s.importFile(t, file.String()+"\n", http.StatusRequestEntityTooLarge)
	s.importFile(t, "name;phone\n", http.StatusUnprocessableEntity)
}

// testTwice sends the same requests several times, some of them at once.
func testTwice(t *testing.T, s *service) {
	s.clients(t, "1860", 60, func(_ int, c *client) { c.Tag = "twice" })
	body, err := json.Marshal(now("twice", filter{Tags: []string{"twice"}}))
	if err != nil {
		t.Fatal(err)
	}
	const times = 8
	ids, replayed := make([]int64, times), make([]bool, times)
	group := limited(t, times)
	for i := range times {
		group.Go(func() error {
			got, err := s.askWith(t.Context(), http.MethodPost, s.base+"/api/mailings", string(body), map[string]string{"Idempotency-Key": "twice-1"})
			if err != nil {
				return err
			}
			var m mailing
			if err := json.Unmarshal(got.body, &m); err != nil || got.status != http.StatusCreated {
				return fmt.Errorf("status %d, %w: %s", got.status, err, got.body)
			}
			ids[i], replayed[i] = m.ID, got.header.Get("Idempotency-Replayed") == "true"
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	first := 0
	for i, id := range ids {
		if id != ids[0] {
			t.Errorf("request %d created mailing %d, another one %d", i, id, ids[0])
		}
		if !replayed[i] {
			first++
		}
	}
	if first != 1 {
		t.Errorf("%d of %d answers say that they are the first", first, times)
	}
	other, err := s.askWith(t.Context(), http.MethodPost, s.base+"/api/mailings", strings.Replace(string(body), "twice", "thrice", 1),
		map[string]string{"Idempotency-Key": "twice-1"})
	if err != nil || other.status != http.StatusUnprocessableEntity {
		t.Errorf("another request with the key: %v, status %d: %s", err, other.status, other.body)
	}
	i := s.completed(t, ids[0])
	sentOnce(t, s.ledger(t, ids[0]), i.Counts.Total)
	rows, pages := s.exported(t, fmt.Sprintf("/api/mailings/%d/messages/export?limit=25", ids[0]))
	if len(rows) != 60 || pages < 3 {
		t.Errorf("%d messages are exported, in %d pages", len(rows), pages)
	}
	figure(t, "the same POST %d times at once: 1 mailing, %d messages, each once; exported in %d pages", times, len(rows), pages)
}
