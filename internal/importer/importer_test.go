package importer_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"

	"postrider/internal/api"
	"postrider/internal/csvfile"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/importer"
	"postrider/internal/mailing"
)

// service is the real API over a store in memory.
type service struct {
	t       *testing.T
	url     string
	handler http.Handler
	// before may answer in place of the API. It returns whether it has.
	before func(w http.ResponseWriter, body []byte) bool
	// sizes are the numbers of lines of all requests.
	sizes []int
	out   bytes.Buffer
	waits []time.Duration
}

type anyKey struct{}

func (anyKey) Caller(_ context.Context, key string) (mailing.Caller, bool, error) {
	return mailing.Caller{Role: mailing.Admin, Name: key}, key == "right", nil
}

func serve(t *testing.T) *service {
	t.Helper()
	s := &service{t: t, before: func(http.ResponseWriter, []byte) bool { return false }}
	s.handler = api.New(dynamotest.StartMemory(t).Store(), nil, nil, nil, anyKey{}, api.Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.sizes = append(s.sizes, bytes.Count(body, []byte("\n")))
		if !s.before(w, body) {
			s.handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// file writes a file of clients.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "contacts.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run imports a file, in parts of 10 rows.
func (s *service) run(path string, change ...func(*importer.Config)) error {
	s.t.Helper()
	c := importer.Config{
		URL: s.url + "/", Key: "right", File: path, PartRows: 10, Out: &s.out, Client: http.DefaultClient,
		Wait: func(ctx context.Context, d time.Duration) error {
			s.waits = append(s.waits, d)
			return ctx.Err()
		},
	}
	for _, f := range change {
		f(&c)
	}
	return importer.Run(s.t.Context(), c)
}

// clients returns the tags of all clients by their phones.
func (s *service) clients() map[string]string {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/api/clients/export?limit=5000", http.NoBody)
	r.Header.Set("X-Api-Key", "right")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	tags := map[string]string{}
	for _, row := range rowsOf(s.t, w.Body.String())[1:] {
		tags[row[1]] = row[3]
	}
	return tags
}

func rowsOf(t *testing.T, text string) [][]string {
	t.Helper()
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// rejected returns the rows of the file with the rejected rows, without the header.
func rejected(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(strings.TrimSuffix(path, ".csv") + ".rejected.csv")
	if err != nil {
		t.Fatal(err)
	}
	plain, marked := strings.CutPrefix(string(text), csvfile.ByteOrderMark)
	rows := rowsOf(t, plain)
	if !marked || !slices.Equal(rows[0][:2], []string{"line", "reason"}) {
		t.Errorf("a byte order mark: %v, header %v", marked, rows[0])
	}
	return rows[1:]
}

// mixed is a file of 40 rows with 5 wrong ones, and lines that are no rows.
func mixed() string {
	var text strings.Builder
	text.WriteString("sep=;\r\n\r\ntag;phone;timezone\r\n") // lines 1 to 3
	for n := range 40 {
		switch n {
		case 7:
			text.WriteString("a;+79000000007;UTC\r\n") // line 11
		case 12:
			text.WriteString(";;\r\n\"a\r\nb\";79000000012;UTC\r\n") // lines 16 to 18
		case 15:
			text.WriteString("twice;79000000003;UTC\r\n") // line 21
		case 16:
			text.WriteString("twice;79000000014;UTC\r\n") // line 22
		case 33:
			text.WriteString("b\"a\"d;79000000033;UTC\r\n") // line 39
		default:
			fmt.Fprintf(&text, "t%d;790000000%02d;UTC\r\n", n, n)
		}
	}
	return text.String()
}

// rejectedOfMixed are the rejected rows of [mixed].
var rejectedOfMixed = [][]string{
	{"11", "phone: must be 11 digits that start with 7; it looks like +7...: write 79000000007", "a", "'+79000000007", "UTC"},
	{"17", "tag: must have no control characters, such as line breaks; it contains U+000A", "a\nb", "79000000012", "UTC"},
	{"21", "phone: is already in line 7", "twice", "79000000003", "UTC"},
	{"22", "phone: is already in line 20", "twice", "79000000014", "UTC"},
	{"39", `has a quote (") in a wrong place: a cell with a quote must be in quotes, and that quote doubled`, `b"a"d;79000000033;UTC`},
}

func (s *service) wantMixed(path string) {
	s.t.Helper()
	if diff := cmp.Diff(rejectedOfMixed, rejected(s.t, path)); diff != "" {
		s.t.Errorf("rejected (-want +got):\n%s", diff)
	}
	tags := s.clients()
	if len(tags) != 35 || tags["79000000003"] != "t3" || tags["79000000039"] != "t39" {
		s.t.Errorf("%d clients: %v", len(tags), tags)
	}
	if _, err := os.Stat(path + ".import.json"); !os.IsNotExist(err) {
		s.t.Errorf("the state is left: %v", err)
	}
}

func TestAFileIsImportedInPartsAndItsRejectedRowsHaveTheLinesOfTheFile(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := file(t, mixed())
	if err := s.run(path); err != nil {
		t.Fatal(err)
	}
	s.wantMixed(path)
	for _, want := range []string{"up to line 13 (", "done: 35 created, 0 updated, 0 unchanged, 5 rejected", "contacts.rejected.csv"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("no %q in the progress:\n%s", want, &s.out)
		}
	}
	if len(s.sizes) != 4 {
		t.Errorf("%d requests", len(s.sizes))
	}
	if err := s.run(path); err != nil || !strings.Contains(s.out.String(), "done: 0 created, 0 updated, 35 unchanged, 5 rejected") {
		t.Errorf("again: %v\n%s", err, &s.out)
	}
}

func TestAnInterruptedImportGoesOnWithTheRowsThatAreLeft(t *testing.T) {
	t.Parallel()
	for after := range 4 {
		s := serve(t)
		path := file(t, mixed())
		ctx, cancel := context.WithCancel(t.Context())
		requests := 0
		s.before = func(http.ResponseWriter, []byte) bool {
			if requests++; requests > after {
				cancel()
			}
			return false
		}
		wait := func(c *importer.Config) {
			c.Client = &http.Client{Transport: cancelled{ctx}}
			c.Wait = func(context.Context, time.Duration) error { return ctx.Err() }
		}
		if err := s.run(path, wait); err == nil || !strings.Contains(err.Error(), "Run the same command again") {
			t.Fatalf("after %d parts: %v", after, err)
		}
		s.before, s.sizes = func(http.ResponseWriter, []byte) bool { return false }, nil
		if err := s.run(path); err != nil {
			t.Fatal(err)
		}
		s.wantMixed(path)
		if len(s.sizes) != 4-after {
			t.Errorf("after %d parts, %d requests were made", after, len(s.sizes))
		}
	}
}

// cancelled fails each request after the context has ended, also those that have an
// answer by then.
type cancelled struct{ ctx context.Context }

func (c cancelled) RoundTrip(r *http.Request) (*http.Response, error) {
	w, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && c.ctx.Err() != nil {
		_ = w.Body.Close()
		return nil, c.ctx.Err()
	}
	return w, err
}

func TestErrorsOfTheAPIThatMayPassAreWaitedFor(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := file(t, mixed())
	errs := []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError, 0, http.StatusBadGateway}
	s.before = func(w http.ResponseWriter, _ []byte) bool {
		if len(errs) == 0 {
			return false
		}
		status := errs[0]
		errs = errs[1:]
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "7")
		}
		if status != 0 {
			w.WriteHeader(status)
		}
		return status != 0
	}
	if err := s.run(path); err != nil {
		t.Fatal(err)
	}
	s.wantMixed(path)
	if want := []time.Duration{time.Second, 7 * time.Second, 4 * time.Second, time.Second}; !slices.Equal(s.waits, want) {
		t.Errorf("waited %v, want %v", s.waits, want)
	}
}

func TestAPartThatIsTooLargeOrTakesTooLongIsDivided(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusRequestEntityTooLarge, http.StatusGatewayTimeout} {
		s := serve(t)
		path := file(t, mixed())
		s.before = func(w http.ResponseWriter, body []byte) bool {
			if bytes.Count(body, []byte("\n")) <= 6 {
				return false
			}
			w.WriteHeader(status)
			return true
		}
		if err := s.run(path); err != nil {
			t.Fatal(err)
		}
		s.wantMixed(path)
	}
}

func TestAnImportStopsAtAnErrorThatDoesNotPass(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := file(t, mixed())
	err := s.run(path, func(c *importer.Config) { c.Key = "wrong" })
	if err == nil || !strings.Contains(err.Error(), "401") || len(s.sizes) != 1 {
		t.Errorf("%d requests, %v", len(s.sizes), err)
	}
	err = s.run(path, func(c *importer.Config) { c.URL = "http://127.0.0.1:1" })
	if err == nil || !strings.Contains(err.Error(), "does not answer") || len(s.waits) != 11 {
		t.Errorf("%d waits, %v", len(s.waits), err)
	}
	for text, want := range map[string]string{
		"name;phone\nAnna;79000000001\n": "set IGNORE_UNKNOWN=1", "": "must be a header", "PK\x03\x04": "workbook",
	} {
		if err := s.run(file(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := s.run(filepath.Join(t.TempDir(), "none.csv")); err == nil {
		t.Error("a file that does not exist is imported")
	}
}

func TestAFileThatChangesWhileItsImportIsInterruptedIsNotMixedUp(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := file(t, mixed())
	s.before = func(w http.ResponseWriter, _ []byte) bool {
		if len(s.sizes) == 2 {
			w.WriteHeader(http.StatusForbidden)
		}
		return len(s.sizes) == 2
	}
	if err := s.run(path); err == nil {
		t.Fatal("no error")
	}
	if err := os.WriteFile(path, []byte(mixed()+"x;79000000050;UTC\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.run(path); err == nil || !strings.Contains(err.Error(), "has changed since") {
		t.Fatalf("%v", err)
	}
	if err := os.Remove(path + ".import.json"); err != nil {
		t.Fatal(err)
	}
	if err := s.run(path); err != nil || len(s.clients()) != 36 {
		t.Errorf("%v, %d clients", err, len(s.clients()))
	}
}

func TestAFileInWindows1251IsImportedAndItsRejectedRowsCanBeMended(t *testing.T) {
	t.Parallel()
	s := serve(t)
	text, err := charmap.Windows1251.NewEncoder().String("имя;телефон;тег;часовой пояс\nАнна;79000000001;друзья;UTC\nИван;79000000002;друзья;Москва\n")
	if err != nil {
		t.Fatal(err)
	}
	ignore := func(c *importer.Config) { c.IgnoreUnknown = true }
	path := file(t, text)
	if err := s.run(path, ignore); err != nil {
		t.Fatal(err)
	}
	rows := rejected(t, path)
	if len(rows) != 1 || !slices.Equal(rows[0][2:], []string{"Иван", "79000000002", "друзья", "Москва"}) {
		t.Fatalf("rejected %v", rows)
	}
	again := strings.TrimSuffix(path, ".csv") + ".rejected.csv"
	mended, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(again, bytes.ReplaceAll(mended, []byte("Москва"), []byte("Europe/Moscow")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.run(again, ignore); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"79000000001": "друзья", "79000000002": "друзья"}, s.clients()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
