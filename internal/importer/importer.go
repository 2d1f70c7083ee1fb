// Package importer sends a file of clients of any size to the API, in parts. It is a
// client of the public API, and knows no store.
package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"postrider/internal/csvfile"
)

// Limits of one part. The API takes files of up to 4 MiB.
const (
	partRows  = 10_000
	partBytes = 4 << 20
)

// Config is what an import needs. All fields but IgnoreUnknown and PartRows are required.
type Config struct {
	// URL is the address of the API, without /api, and Key is the key of an admin.
	URL, Key string
	// File is the path of the file. The rejected rows and the state of the import are
	// written beside it.
	File string
	// IgnoreUnknown leaves out columns with unknown names.
	IgnoreUnknown bool
	// PartRows is the largest number of rows of one request, 10,000 by default.
	PartRows int
	// Out gets the progress.
	Out    io.Writer
	Client *http.Client
	// Wait waits before a request is repeated. It returns early with an error when the
	// context ends.
	Wait func(context.Context, time.Duration) error
}

// job is one run of an import.
type job struct {
	Config

	state state
	rows  *csvfile.Rows
	part  part
	// most is the number of rows that the next part may have: fewer after a part that was
	// too large or took too long.
	most int
	// seen has the line of each phone that was imported. The API knows the phones of one
	// part only.
	seen    map[string]int
	rejects *rejects
	atEnd   bool
	file    *os.File
}

// Run imports the file, and begins where an earlier run of the same file has stopped. It
// returns an error if rows are left: then the same call goes on with them. Rejected rows
// are no error.
func Run(ctx context.Context, c Config) (err error) {
	file, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open the file of clients: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("look at the file of clients: %w", err)
	}
	c.PartRows = cmp.Or(c.PartRows, partRows)
	j := &job{Config: c, most: c.PartRows, seen: map[string]int{}, file: file}
	if j.rows, err = csvfile.NewRows(file, csvfile.Config{IgnoreUnknown: c.IgnoreUnknown}); err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), "repeat the request with ?ignore_unknown=true", "set IGNORE_UNKNOWN=1"))
	}
	if j.state, err = readState(c.File, info); err != nil {
		return err
	}
	if j.rejects, err = openRejects(c.File, j.rows.Names(), &j.state); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.rejects.file.Close()) }()
	j.part = newPart(j.rows.Head())
	if err := j.skip(); err != nil {
		return err
	}
	for {
		if err := j.fill(); err != nil {
			return err
		}
		if len(j.part.rows) == 0 {
			return j.finish()
		}
		if err := j.step(ctx); err != nil {
			return fmt.Errorf("%w\nThe rows before line %d are done. Run the same command again to go on from there",
				err, j.state.NextLine)
		}
	}
}

// skip reads the rows that an earlier run has done.
func (j *job) skip() error {
	if j.state.NextLine == 0 {
		return nil
	}
	fmt.Fprintf(j.Out, "going on from line %d\n", j.state.NextLine)
	for !j.atEnd {
		row, err := j.read()
		switch {
		case err != nil:
			return err
		case j.atEnd:
		case row.line >= j.state.NextLine:
			j.part.add(row)
			return nil
		case !j.rejects.lines[row.line]:
			j.note(row)
		}
	}
	return nil
}

// read returns the next row. At the end of the file it sets atEnd.
func (j *job) read() (row, error) {
	next, err := j.rows.Next()
	if errors.Is(err, io.EOF) {
		j.atEnd = true
		return row{}, nil
	}
	if err != nil {
		return row{}, err //nolint:wrapcheck // it says what is wrong with which line
	}
	return newRow(next, j.rows.Phone(next)), nil
}

// note remembers the phone of a row that is in the directory.
func (j *job) note(r row) {
	if _, twice := j.seen[r.phone]; !twice && r.phone != "" {
		j.seen[r.phone] = r.line
	}
}

// fill reads rows until the part is full or the file ends.
func (j *job) fill() error {
	for !j.atEnd && len(j.part.rows) < j.most && j.part.size < partBytes {
		r, err := j.read()
		if err != nil {
			return err
		}
		if j.atEnd {
			break
		}
		j.part.add(r)
	}
	return nil
}

// step sends as much of the part as one request can take, and settles its answer.
func (j *job) step(ctx context.Context) error {
	sent := j.part.first(j.most, partBytes, j.seen)
	var answer answer
	if len(sent.text) > 0 {
		var err error
		if answer, err = j.send(ctx, sent); errors.Is(err, errTooLarge) && len(sent.rows) > 1 {
			j.most = len(sent.rows) / 2
			return nil
		} else if err != nil {
			return err
		}
		j.most = min(2*len(sent.rows), j.PartRows)
	}
	done := sent.settle(answer, j.seen)
	if done.rows == 0 {
		return fmt.Errorf("the API has read none of the rows from line %d on", sent.rows[0].line)
	}
	for _, r := range sent.rows[:done.rows] {
		if !done.rejected[r.line] {
			j.note(r)
		}
	}
	size, err := j.rejects.write(done.rejects)
	if err != nil {
		return err
	}
	j.part.drop(done.rows)
	j.state.add(answer, len(done.rejects), sent.rows[done.rows-1].after, size)
	if err := j.state.write(j.File); err != nil {
		return err
	}
	// The file is read some kilobytes ahead.
	at, err := j.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("find the position in the file of clients: %w", err)
	}
	fmt.Fprintf(j.Out, "up to line %d (%d %%): %s\n", j.state.NextLine-1, 100*at/max(1, j.state.Size), j.state.counts())
	return nil
}

// finish says what was done, and removes what only an unfinished import needs.
func (j *job) finish() error {
	fmt.Fprintf(j.Out, "done: %s\n", j.state.counts())
	if j.state.Rejected > 0 {
		fmt.Fprintf(j.Out, "the rejected rows, with their lines and the reasons: %s\n", j.rejects.file.Name())
	} else if err := os.Remove(j.rejects.file.Name()); err != nil {
		return fmt.Errorf("remove the empty file of rejected rows: %w", err)
	}
	return removeState(j.File)
}
