//go:build integration

package integration_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"postrider/internal/keys"
	domain "postrider/internal/mailing"
	"postrider/localstack/stack"
	"postrider/test/chromium"
)

// importRows returns the number of rows of the test of an import: 2,000, or what IMPORT_ROWS
// says, for the figure. One of 200 is wrong.
func importRows(t *testing.T) (rows, wrong int) {
	t.Helper()
	rows = 2000
	if text := os.Getenv("IMPORT_ROWS"); text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil || rows < 1000 || rows%200 != 0 {
			t.Fatalf("IMPORT_ROWS is %q: give a multiple of 200 from 1000 on", text)
		}
	}
	return rows, rows / 200
}

// testLargeFile imports a file, and downloads the rows that were rejected.
func testLargeFile(t *testing.T, v visitor) {
	all, bad := importRows(t)
	tag := tagged("import")
	var file strings.Builder
	file.WriteString("Телефон;tag;timezone\n")
	var wrong []string // their lines
	for n := range all {
		phone := fmt.Sprintf("76%04d%05d", number%10_000, n)
		if n%200 == 100 {
			phone, wrong = "no phone", append(wrong, strconv.Itoa(n+2)) // line 1 is the header
		}
		fmt.Fprintf(&file, "%s;%s;Europe/Moscow\n", phone, tag)
	}
	path := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	v.signIn(stack.AdminKey)
	v.Click("link", "Clients")
	v.Click("link", "Import")
	v.Choose("Choose a file", path)
	v.See("Semicolon", fmt.Sprintf("%d rows have no valid phone and will be rejected", bad))
	begun := time.Now()
	v.Click("button", "Import "+grouped(all)+" rows")
	v.See("The import is done: people.csv")
	took := time.Since(begun)
	v.See("New "+grouped(all-bad), fmt.Sprintf("Rejected %d", bad), fmt.Sprintf("%d rejected rows", bad))

	saved := v.Download(t, "Download as CSV", "people-rejected.csv")
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(saved, []byte("\ufeff"))))
	reader.Comma = ';'
	rows, err := reader.ReadAll()
	if err != nil || len(rows) != bad+1 {
		t.Fatalf("the file of rejected rows: %v, %d rows in %.300s", err, len(rows), saved)
	}
	for i, row := range rows[1:] {
		if row[0] != wrong[i] || row[2] != "no phone" {
			t.Errorf("rejected row %q, want that of line %s", row, wrong[i])
		}
	}
	v.Click("link", "To the clients")
	v.Fill("combobox", "Tag", tag)
	v.Press(kb.Enter)
	v.See(grouped(all-bad) + " clients match.")
	requests := v.clean()
	figure(t, "a file of %d rows imported by the page in %.1f s, %.0f rows a second; %d rejected rows downloaded; %d requests",
		all, took.Seconds(), float64(all)/took.Seconds(), bad, requests)
}

// grouped is a number of less than a million as the pages show it in English.
func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// testHostile puts markup, a script and a formula wherever a text can come from outside, and
// looks at all pages that show them.
func testHostile(t *testing.T, v visitor) {
	const mark = `"'><img src=x onerror=hit=1>`
	tag := strconv.Itoa(number) + mark
	people := phones(8, 2)
	v.signIn(stack.AdminKey)
	v.turn("clients/import")
	path := filepath.Join(t.TempDir(), `<img src=x onerror=hit=1>.csv`)
	var file strings.Builder
	rows := csv.NewWriter(&file)
	err := rows.WriteAll([][]string{
		{"phone", "tag", "timezone", mark},
		{people[0], tag, "UTC", mark},
		{people[1], tag, mark, mark},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	v.Choose("Choose a file", path)
	v.See(filepath.Base(path), mark)
	v.accessible("a preview of hostile texts", 1200, 360)
	v.Click("button", "Import 2 rows")
	v.See("The import is done: <img", "New 1", "Rejected 1")
	v.known(tag, begun)

	v.Click("link", "Mailings")
	v.Click("link", "New mailing")
	text := "Text " + tag
	v.write(text, tag, 1)
	id := v.send(1)
	v.See("Completed", "1 of 1", text)
	sentOnce(t, v.ledger(t, id), 1)
	m := fmt.Sprintf("mailings/%d", id)
	client := v.messages(t, id, "")[0].ClientID
	for _, address := range []string{"", "mailings", m, m + "/edit", "clients?tag=" + url.QueryEscape(tag), fmt.Sprintf("clients/%d", client), "queues", mark, "mailings?text=" + url.QueryEscape(mark)} {
		v.turn(address)
		if chromium.Read(v.Tab, chromedp.Evaluate[bool](`window.hit === 1 || document.querySelector("img[src=x]") !== null`)) {
			t.Errorf("%q: a text was run, or is markup", address)
		}
	}
	v.turn(fmt.Sprintf("clients/%d", client))
	v.See(tag)
	v.clean("404")
}

// testVersions changes a mailing while a person edits it.
func testVersions(t *testing.T, v visitor) {
	m := now("The text before", filter{Tags: []string{tagged("versions")}})
	m.StartAt, m.EndAt = time.Now().Add(24*time.Hour), time.Now().Add(48*time.Hour)
	m = v.create(t, m)
	path := fmt.Sprintf("/api/mailings/%d", m.ID)
	defer v.call(t, http.MethodPost, path+"/cancel", nil, http.StatusOK, nil)
	v.signIn(stack.AdminKey)
	v.Click("link", "Mailings")
	v.turn(fmt.Sprintf("mailings/%d", m.ID))
	v.Click("link", "Edit")
	v.Fill("textbox", "Text", "The text of this person")
	v.call(t, http.MethodPatch, path, map[string]string{"text": "The text of somebody else"}, http.StatusOK, nil)
	v.Click("button", "Review changes")
	v.Click("button", "Save changes")
	v.Find("heading", "Two versions of this mailing")
	v.See("The text of this person", "The text of somebody else", "1 field to choose")
	v.accessible("two versions", 1200, 360)
	v.Click("radio", "The text of this person")
	v.Click("button", "Save the chosen")
	v.See(fmt.Sprintf("Mailing %d is changed.", m.ID))
	v.call(t, http.MethodGet, path, nil, http.StatusOK, &m)
	if m.Text != "The text of this person" {
		t.Errorf("the text is %q", m.Text)
	}
	v.clean("412")
}

// testRevokedKey takes a person's key back while they write a mailing.
func testRevokedKey(t *testing.T, v visitor) {
	ring := openKeyring(t, v.service)
	ring.write(t, ring.before+"\n"+keys.Line(domain.Caller{Role: domain.Admin, Name: "leaver"}, "leavers-key"))
	// A process of the function that has read the keys just before reads them again for an
	// unknown key after five seconds. Others may answer, so one good answer is not enough.
	quiet(t, 6*time.Second)
	ring.until(t, "leavers-key", http.StatusOK)
	v.signIn("leavers-key")
	v.See("leaver")
	v.Click("link", "New mailing")
	v.Fill("textbox", "Text", "Written before the key was revoked")
	v.See("All clients.")

	ring.write(t, ring.before)
	ring.until(t, "leavers-key", http.StatusUnauthorized)
	v.Click("combobox", "Tags")
	const ended = "Your session has ended. Sign in again: what you have typed is still here."
	tags := 0
	poll(t, ended, func() (bool, string) {
		// Each tag counts the recipients. A process of the function may know the key for a
		// minute more.
		if !v.Shows(ended) {
			v.Press(fmt.Sprintf("somebody-%d", tags) + kb.Enter)
			tags++
			quiet(t, 2*time.Second)
		}
		return v.Shows(ended), fmt.Sprintf("%d tags", tags)
	})
	v.Fill("textbox", "Key", "leavers-key")
	v.Press(kb.Enter)
	v.See("This key is not known. It may have been revoked.")
	v.Fill("textbox", "Key", stack.AdminKey)
	v.Press(kb.Enter)
	v.SeeNo("Your session has ended.")
	v.See(stack.AdminKey, "0 recipients")
	const text = `document.querySelector("textarea").value`
	if got := chromium.Read(v.Tab, chromedp.Evaluate[string](text)); got != "Written before the key was revoked" {
		t.Errorf("the text is %q", got)
	}
	v.Do(chromedp.Reload())
	v.See("This is what you had typed before.")
	v.clean(refused)
}

// testLooks looks at each page: by default in Russian, dark, 360 pixels wide. With LOOKS=all
// it looks at each page in English, too, light and wide.
func testLooks(t *testing.T, v visitor) {
	tag := tagged("looks")
	v.people(tag, "UTC", phones(7, 3))
	m := v.create(t, now("Looked at "+tag, filter{Tags: []string{tag}}))
	v.completed(t, m.ID)
	client := v.messages(t, m.ID, "")[0].ClientID
	one := fmt.Sprintf("mailings/%d", m.ID)
	pages := []string{"", "mailings", one, one + "/edit", "mailings/new", "clients", fmt.Sprintf("clients/%d", client), "clients/import", "queues", "help", "nothing-here"}

	v.looksGood("signing in", 1200, 360)
	v.signIn(stack.AdminKey)
	looked := 1
	looks := []struct {
		language, item string // the button of the menu, and its entry
		theme, chosen  string
		id             string
		width          int      // at which axe-core looks
		titles         []string // of the pages in the language
	}{
		{"Language", "English", "Colours", "Light", "en", 1200, []string{"Overview", "Mailings", "New mailing", "Clients", "Queues", "Help"}},
		{"Language", "Русский", "Оформление", "Тёмное", "ru", 360, []string{"Обзор", "Рассылки", "Новая рассылка", "Клиенты", "Очереди", "Справка"}},
	}
	if os.Getenv("LOOKS") == "" {
		looks = looks[1:] // all of them take a minute of the processor's time
	}
	for _, look := range looks {
		v.Click("button", look.language)
		v.Click("menuitemradio", look.item)
		v.Do(chromium.Await(fmt.Sprintf(`document.documentElement.lang === %q`, look.id)))
		v.Click("button", look.theme)
		v.Click("menuitemradio", look.chosen)
		var titles []string
		for _, address := range pages {
			v.turn(address)
			titles = append(titles, v.looksGood(fmt.Sprintf("%q, %s, %s", address, look.chosen, look.id), look.width))
			looked++
		}
		for _, title := range look.titles {
			if !slices.Contains(titles, title) {
				t.Errorf("no page has the title %q: %q", title, titles)
			}
		}
	}
	v.clean()
	first := v.firstPage(5)
	figure(t, "%d looks at %d pages: axe-core finds nothing in %d of them; the first page is shown after %d to %d ms, median %d",
		looked, len(pages)+1, looked, first[0], first[len(first)-1], first[len(first)/2])
}

// looksGood demands that a page is accessible. It returns the page's title.
func (v visitor) looksGood(name string, widths ...int) string {
	v.t.Helper()
	v.settled()
	v.accessible(name, widths...)
	return chromium.Read(v.Tab, chromedp.Evaluate[string](`document.querySelector("h1").innerText`))
}

// firstPage loads the page several times. It returns the times until
// the overview was shown with its data, in milliseconds, in ascending order.
func (v visitor) firstPage(times int) []int {
	v.t.Helper()
	chromium.Read(v.Tab, chromium.Command(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		new MutationObserver(() => {
			if (!window.shownAfter && document.querySelector("main h1") && !document.querySelector(".skeleton")) window.shownAfter = performance.now();
		}).observe(document, {childList: true, subtree: true});`}))
	v.turn("")
	var all []int
	for range times {
		v.Do(chromedp.Reload(), chromium.Await(`window.shownAfter > 0`))
		all = append(all, chromium.Read(v.Tab, chromedp.Evaluate[int](`Math.round(window.shownAfter)`)))
	}
	slices.Sort(all)
	return all
}
