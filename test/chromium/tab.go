package chromium

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is the longest time that one step in the browser may take. It is long enough
// for a machine whose processors have other work, too.
const patience = 3 * time.Minute

// Tab is a page in the browser, with a record of its requests and errors. It has cookies
// and a storage of its own.
type Tab struct {
	t   *testing.T
	ctx context.Context

	// Clicks and Keys are how often the test has pressed the mouse and the keyboard.
	Clicks, Keys int

	mu       sync.Mutex
	requests []string // method and URL
	errors   []string // the errors that the console shows
}

// Open opens a tab for a test, and closes it after the test.
func (b Browser) Open(t *testing.T) *Tab {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	v := &Tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, v.note); err != nil {
		t.Fatal(err)
	}
	// Each tab behaves as the one that a person looks at.
	focus := emulation.SetFocusEmulationEnabledParams{Enabled: true}
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, focus); err != nil {
		t.Fatal(err)
	}
	return v
}

// note records the events that tests look at.
func (v *Tab) note(event any) {
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
			said := make([]string, len(e.Args))
			for i, arg := range e.Args {
				said[i] = cmp.Or(arg.Description, string(arg.Value))
			}
			v.errors = append(v.errors, "console.error: "+strings.Join(said, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			v.errors = append(v.errors, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// Seen returns the requests, and the errors that the console shows.
func (v *Tab) Seen() (requests, errors []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.requests), slices.Clone(v.errors)
}

// Do runs steps, one after the other.
func (v *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	for i, step := range steps {
		ctx, cancel := context.WithTimeout(v.ctx, patience)
		err := chromedp.Do(ctx, step)
		cancel()
		if err != nil {
			v.fail(fmt.Errorf("step %d of %d: %w", i+1, len(steps), err))
		}
	}
}

// Read runs a step that has a result.
func Read[T any](v *Tab, step chromedp.Action[T]) T {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, step)
	if err != nil {
		v.fail(err)
	}
	return result
}

// fail ends the test with what the tab shows.
func (v *Tab) fail(err error) {
	v.t.Helper()
	_, errors := v.Seen()
	ctx, cancel := context.WithTimeout(v.ctx, 10*time.Second)
	defer cancel()
	shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`)) // only for the message
	v.t.Fatalf("%v\nthe console says: %q\nthe page shows: %s", err, errors, shown)
}
