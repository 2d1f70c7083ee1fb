package importer

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"postrider/internal/csvfile"
)

// state is how far an import has come. It is stored after each part.
type state struct {
	// Size and Modified are those of the file. If they have changed, it is another file.
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	// NextLine is the first line that is not done, 0 at the beginning.
	NextLine  int `json:"next_line"`
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Rejected  int `json:"rejected"`
	// RejectedBytes is the size of the file of rejected rows.
	RejectedBytes int64 `json:"rejected_bytes"`
}

func statePath(file string) string { return file + ".import.json" }

// readState returns the state of an earlier run that was not finished, or that of an
// import that begins.
func readState(file string, info fs.FileInfo) (state, error) {
	s := state{Size: info.Size(), Modified: info.ModTime().UTC()}
	text, err := os.ReadFile(statePath(file))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the state of an earlier run: %w", err)
	}
	var earlier state
	if err := json.Unmarshal(text, &earlier); err != nil {
		return s, fmt.Errorf("read the state of an earlier run in %s; remove it to begin again: %w", statePath(file), err)
	}
	if earlier.Size != s.Size || !earlier.Modified.Equal(s.Modified) {
		return s, fmt.Errorf("%s has changed since an import of it was interrupted at line %d; remove %s to import all of it",
			file, earlier.NextLine, statePath(file))
	}
	return earlier, nil
}

func (s *state) add(a answer, rejected, next int, size int64) {
	s.Created, s.Updated, s.Unchanged = s.Created+a.Created, s.Updated+a.Updated, s.Unchanged+a.Unchanged
	s.Rejected, s.NextLine, s.RejectedBytes = s.Rejected+rejected, next, size
}

func (s *state) counts() string {
	return fmt.Sprintf("%d created, %d updated, %d unchanged, %d rejected", s.Created, s.Updated, s.Unchanged, s.Rejected)
}

// write stores the state. A crash leaves the old one or the new one.
func (s *state) write(file string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write the state of the import: %w", err)
	}
	temporary := statePath(file) + ".new"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return fmt.Errorf("write the state of the import: %w", err)
	}
	if err := os.Rename(temporary, statePath(file)); err != nil {
		return fmt.Errorf("replace the state of the import: %w", err)
	}
	return nil
}

func removeState(file string) error {
	if err := os.Remove(statePath(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the state of the finished import: %w", err)
	}
	return nil
}

// rejects is the file of rejected rows: CSV in UTF-8 with the columns line and reason
// before those of the imported file.
type rejects struct {
	file *os.File
	size int64
	// lines are the lines of the rows in it when it was opened.
	lines map[int]bool
}

// openRejects opens the file. Rows that were written after the state was stored are
// removed: they come again.
func openRejects(file string, names []string, s *state) (*rejects, error) {
	path := strings.TrimSuffix(file, filepath.Ext(file)) + ".rejected.csv"
	opened, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the caller chooses the file
	if err != nil {
		return nil, fmt.Errorf("open the file of rejected rows: %w", err)
	}
	r := &rejects{file: opened, size: s.RejectedBytes, lines: map[int]bool{}}
	err = opened.Truncate(r.size)
	if err == nil && r.size > 0 {
		err = r.read()
	}
	if err == nil && r.size == 0 {
		var head []byte
		if head, err = csvfile.WriteRows([][]string{append([]string{"line", "reason"}, names...)}); err == nil {
			err = r.append(append([]byte(csvfile.ByteOrderMark), head...))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the file of rejected rows %s: %w", path, err), opened.Close())
	}
	return r, nil
}

// read reads the lines of the rows.
func (r *rejects) read() error {
	rows := csv.NewReader(r.file)
	rows.FieldsPerRecord, rows.ReuseRecord = -1, true
	for {
		cells, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err //nolint:wrapcheck // openRejects wraps it
		}
		if line, err := strconv.Atoi(cells[0]); err == nil {
			r.lines[line] = true
		}
	}
}

// write adds rows, and returns the size of the file.
func (r *rejects) write(rows []reject) (size int64, err error) {
	cells := make([][]string, 0, len(rows))
	for _, one := range rows {
		cells = append(cells, append([]string{strconv.Itoa(one.line), one.reason}, one.cells...))
	}
	text, err := csvfile.WriteRows(cells)
	if err == nil {
		err = r.append(text)
	}
	if err != nil {
		return 0, fmt.Errorf("write %d rejected rows: %w", len(rows), err)
	}
	return r.size, nil
}

func (r *rejects) append(text []byte) error {
	n, err := r.file.WriteAt(text, r.size)
	r.size += int64(n)
	return err //nolint:wrapcheck // the callers wrap it
}
