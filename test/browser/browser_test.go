//go:build browser

package browser_test

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is the longest time that one step in the browser may take.
const patience = 30 * time.Second

// chromium returns the path of the browser.
func chromium(t *testing.T) string {
	t.Helper()
	if set := os.Getenv("CHROMIUM"); set != "" {
		return set
	}
	for _, name := range []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
		"/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
	} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("these tests need Chromium: install it (Debian, Ubuntu: apt-get install chromium; macOS: brew install --cask chromium), " +
		"or name the program of a Chromium or Chrome in CHROMIUM")
	return ""
}

// startBrowser starts Chromium without a window for one test, and ends it after the test.
// The browser can reach only 127.0.0.1.
func startBrowser(t *testing.T) (ctx context.Context, version string) {
	t.Helper()
	program := chromium(t)
	// chromedp makes the browser's folder, not the test: chromedp removes it after all of
	// the browser's processes have ended, and its path is short enough for the browser's
	// socket.
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), // as root chromedp adds --no-sandbox
		chromedp.DisableGPU,
		chromedp.WindowSize(1200, 900),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	// The test's own context would end before the cleanup.
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, _ = chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("end the browser: %v", err)
		}
		end()
	})
	v, err := chromedp.CallBrowser(ctx, browser.GetVersion, cdp.Empty{})
	if err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return ctx, strings.Replace(strings.TrimPrefix(v.Product, "Headless"), "/", " ", 1)
}

// tab is a page in the browser, with a record of its requests and errors.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string // method and URL
	errors   []string // the errors that the console shows
}

func openTab(browser context.Context, t *testing.T) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	v := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, v.note); err != nil {
		t.Fatal(err)
	}
	return v
}

// note records the events that these tests look at.
func (v *tab) note(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "data:") { // a data URL causes no request
			v.requests = append(v.requests, e.Request.Method+" "+e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		v.errors = append(v.errors, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			said := []string{"console.error:"}
			for _, arg := range e.Args {
				said = append(said, cmp.Or(arg.Description, string(arg.Value)))
			}
			v.errors = append(v.errors, strings.Join(said, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			v.errors = append(v.errors, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// seen returns the requests, and the errors that the console shows.
func (v *tab) seen() (requests, errors []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.requests...), append([]string(nil), v.errors...)
}

// do runs steps, one after the other.
func (v *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	for i, step := range steps {
		ctx, cancel := context.WithTimeout(v.ctx, patience)
		err := chromedp.Do(ctx, step)
		cancel()
		if err != nil {
			_, errors := v.seen()
			v.t.Fatalf("step %d of %d: %v; the console says: %q", i+1, len(steps), err, errors)
		}
	}
}

// read runs a step that has a result.
func read[T any](v *tab, step chromedp.Action[T]) T {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, step)
	if err != nil {
		_, errors := v.seen()
		v.t.Fatalf("%v; the console says: %q", err, errors)
	}
	return result
}
