//go:build integration

package integration_test

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	domain "postrider/internal/mailing"
	"postrider/localstack/stack"
	"postrider/test/chromium"
)

// testPages uses the admin pages as persons do, each with a browser's tab of their own. The
// persons are there at the same time.
func testPages(t *testing.T, s *service) {
	browser := chromium.Start(t)
	for _, one := range []struct {
		name string
		test func(*testing.T, visitor)
	}{
		{"first mailing", testFirstMailing},
		{"hours of a mailing", testHours},
		{"failures are retried", testFailures},
		{"only the keyboard", testKeyboard},
		{"a large file", testLargeFile},
		{"a viewer looks", testViewer},
		{"a revoked key", testRevokedKey},
		{"the API is away", testAway},
		{"two versions", testVersions},
		{"hostile texts", testHostile},
		{"looks of each page", testLooks},
	} {
		if borrowed && one.name == "a revoked key" {
			continue // it writes the stack's parameter
		}
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			s.part(t, func(t *testing.T, s *service) { one.test(t, s.visit(t, browser)) })
		})
	}
}

// visitor is a person at the admin pages.
type visitor struct {
	*chromium.Tab
	*service
	t *testing.T
}

// visit opens the address of the stack in a new tab.
func (s *service) visit(t *testing.T, b chromium.Browser) visitor {
	t.Helper()
	v := visitor{b.Open(t), s, t}
	v.Do(chromedp.Navigate(s.base + "/"))
	v.See("Sign in to Postrider")
	return v
}

func (v visitor) signIn(key string) {
	v.t.Helper()
	v.Fill("textbox", "Key", key)
	v.Click("button", "Sign in")
	v.Find("link", "Overview")
}

// refused is in the line of the console about a request without a session.
const refused = "401"

// clean demands that all requests went to the stack, and that the console shows no errors
// but those that contain one of some texts.
func (v visitor) clean(expected ...string) (requests int) {
	v.t.Helper()
	made, errors := v.Seen()
	for _, r := range made {
		_, to, _ := strings.Cut(r, " ")
		if !strings.HasPrefix(strings.TrimPrefix(to, "blob:"), v.base+"/") {
			v.t.Errorf("a request goes elsewhere: %s", r)
		}
	}
	for _, e := range errors {
		// The first question who is signed in has no other answer.
		session := strings.Contains(e, refused) && strings.HasSuffix(e, "/api/session")
		if !session && !slices.ContainsFunc(expected, func(text string) bool { return strings.Contains(e, text) }) {
			v.t.Errorf("the console shows: %s", e)
		}
	}
	return len(made)
}

// number is a number that no other run uses: a stack that somebody works with knows the
// phones and tags of earlier runs.
var number = int(time.Now().UnixMilli() / 500 % 100_000)

// phones returns n phones that no other part uses: part is a digit.
func phones(part, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("75%d%05d%03d", part, number, i)
	}
	return all
}

// tagged returns a tag that no other run uses.
func tagged(name string) string { return name + "-" + strconv.Itoa(number) }

// people imports clients with a tag.
func (v visitor) people(tag, timezone string, phones []string) {
	v.t.Helper()
	begun := time.Now()
	var file strings.Builder
	file.WriteString("phone,tag,timezone\n")
	for _, phone := range phones {
		fmt.Fprintf(&file, "%s,%s,%s\n", phone, tag, timezone)
	}
	if done, _ := v.importAll(v.t, file.String()); done.Created+done.Unchanged != len(phones) {
		v.t.Fatalf("imported: %+v", done)
	}
	v.known(tag, begun)
}

// known records the clients with a tag, who were created after an instant.
func (v visitor) known(tag string, after time.Time) {
	v.t.Helper()
	rows, _ := v.exported(v.t, "/api/clients/export?tag="+url.QueryEscape(tag))
	for _, row := range rows {
		id, err := strconv.ParseUint(row[0], 10, 32)
		if err != nil {
			v.t.Fatal(err)
		}
		v.directory.add(after, domain.Client{ID: domain.ClientID(id), Phone: row[1], OperatorCode: row[2], Tag: row[3], Timezone: row[4]})
	}
}

// created returns the id of the mailing whose page has just been opened, and records it.
func (v visitor) created() int64 {
	v.t.Helper()
	v.Do(chromium.Await(`/^#\/mailings\/\d+$/.test(location.hash)`))
	at := chromium.Read(v.Tab, chromedp.Location())
	id, err := strconv.ParseInt(at[strings.LastIndex(at, "/")+1:], 10, 64)
	if err != nil {
		v.t.Fatal(err)
	}
	v.mailings.add(domain.ID(id))
	return id
}

// turn goes to a page by its address, as a bookmark does.
func (v visitor) turn(address string) {
	v.t.Helper()
	v.Do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`location.hash = %q`, "#/"+address)))
	v.settled()
}

// accessible demands that what is shown now violates no rule of axe-core at some widths, in
// pixels, and that it fits into 360 pixels. The widths are 1200 and 360.
func (v visitor) accessible(name string, widths ...int) {
	v.t.Helper()
	axe, err := readAxe()
	if err != nil {
		v.t.Fatal(err)
	}
	check := func(width int) {
		v.t.Helper()
		if !slices.Contains(widths, width) {
			return
		}
		for _, violation := range chromium.Read(v.Tab, axe.Violations()) {
			v.t.Errorf("%s, %d px: %s", name, width, violation)
		}
	}
	check(1200)
	v.Do(chromedp.EmulateViewport(360, 780), chromium.Await(`innerWidth === 360`))
	v.settled()
	check(360)
	const wide = `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > 361).map(e => e.outerHTML.slice(0, 120))[0] ?? ""`
	if width := chromium.Read(v.Tab, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)); width > 360 {
		v.t.Errorf("%s: %d px wide, because of %s", name, width, chromium.Read(v.Tab, chromedp.Evaluate[string](wide)))
	}
	v.Do(chromedp.EmulateViewport(1200, 900), chromium.Await(`innerWidth === 1200`))
}

var readAxe = sync.OnceValues(func() (chromium.Axe, error) { return chromium.ReadAxe(filepath.FromSlash("../..")) })

// settled waits until nothing of a page is being loaded.
func (v visitor) settled() {
	v.t.Helper()
	v.Do(chromium.Await(`document.querySelector("h1") !== null && document.querySelector(".skeleton, .starting, [aria-busy=true]") === null`))
}

// writes are the names of controls that change something. Only an admin sees them.
var writes = regexp.MustCompile(`^(New mailing|Add client|Add clients|Import|Import clients|Pause|Resume|Resume anyway|Edit|Delete|Retry|Duplicate|` +
	`Cancel mailing|Send test|Try all again|Try these again|Try message .* again|Review mailing|Choose a file|Actions for .*)$`)

// testViewer visits all pages with a viewer's key, and signs out.
func testViewer(t *testing.T, v visitor) {
	tag := tagged("viewer")
	v.people(tag, "Europe/Moscow", phones(1, 2))
	m := v.create(t, now("Seen by a viewer "+tag, filter{Tags: []string{tag}}))
	v.completed(t, m.ID)
	v.signIn(stack.ViewerKey)
	v.See("viewer: you can look, and change nothing")
	look := func(page string) {
		t.Helper()
		v.settled()
		for _, name := range append(v.Names("button"), v.Names("link")...) {
			if writes.MatchString(name) {
				t.Errorf("%s: a viewer sees %q", page, name)
			}
		}
	}
	look("Overview")
	for _, page := range []string{"Mailings", "Clients", "Queues", "Help", "Mailings"} {
		v.Click("link", page)
		v.Find("heading", page)
		look(page)
	}
	v.Click("link", m.Text)
	v.See("Completed", "Export messages")
	look("a mailing")
	v.Click("link", phones(1, 2)[0])
	v.See(tag, "Mailing "+strconv.FormatInt(m.ID, 10))
	look("a client")
	v.turn("mailings/new")
	v.See("Your key can only look")
	look("a new mailing")
	v.turn("clients/import")
	v.See("Only admins import clients")
	look("an import")

	v.Click("button", "Sign out")
	v.See("Sign in to Postrider")
	v.Do(chromedp.Reload())
	v.See("Sign in to Postrider")
	v.clean()
}

// testAway takes the API away while a person looks at a mailing, and gives it back.
func testAway(t *testing.T, v visitor) {
	hours, _, closed := openAt(time.Now())
	tag := tagged("away")
	v.people(tag, closed[0], phones(2, 3))
	m := now("Seen without the API "+tag, filter{Tags: []string{tag}})
	m.Window = &hours
	m = v.create(t, m)
	v.until(t, m.ID, "all wait for their hours", func(i info) bool { return i.Expanded && i.Counts.Deferred == 3 })
	v.signIn(stack.AdminKey)
	v.turn(fmt.Sprintf("mailings/%d", m.ID))
	v.See("Running", "3 wait for their hours")

	v.block(v.base + "/api/*")
	v.See("The service does not answer.", "The page shows what was last known, and tries again by itself.")
	if !v.Shows("3 wait for their hours") || !v.Shows(m.Text) {
		t.Error("the last data has gone")
	}
	v.call(t, http.MethodPost, fmt.Sprintf("/api/mailings/%d/cancel", m.ID), nil, http.StatusOK, nil)
	v.block()
	begun := time.Now()
	v.SeeNo("The service does not answer.")
	v.See("Cancelled")
	figure(t, "the API came back: the page went on %.1f s later", time.Since(begun).Seconds())
	v.clean("net::ERR")
}

// block makes the browser refuse requests to addresses; without addresses to none.
func (v visitor) block(addresses ...string) {
	v.t.Helper()
	var p network.SetBlockedURLsParams
	for _, at := range addresses {
		p.URLPatterns = append(p.URLPatterns, &network.BlockPattern{URLPattern: at, Block: true})
	}
	chromium.Read(v.Tab, chromium.Command(network.SetBlockedURLs, p))
}
