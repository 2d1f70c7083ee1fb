package chromium

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Choose clicks a button that asks for a file, and chooses one.
func (v *Tab) Choose(button, file string) {
	v.t.Helper()
	opened := make(chan *page.EventFileChooserOpened, 1)
	err := chromedp.Listen(v.ctx, func(event any) {
		if e, ok := event.(*page.EventFileChooserOpened); ok {
			select {
			case opened <- e:
			default: // an earlier one, of another call
			}
		}
	})
	if err != nil {
		v.fail(err)
	}
	intercept := page.SetInterceptFileChooserDialogParams{Enabled: true}
	if _, err := chromedp.Call(v.ctx, page.SetInterceptFileChooserDialog, intercept); err != nil {
		v.fail(err)
	}
	v.Click("button", button)
	select {
	case e := <-opened:
		set := dom.SetFileInputFilesParams{Files: []string{file}, BackendNodeID: e.BackendNodeID}
		if _, err := chromedp.Call(v.ctx, dom.SetFileInputFiles, set); err != nil {
			v.fail(err)
		}
	case <-time.After(patience):
		v.t.Fatalf("the button %q asks for no file", button)
	}
}

// Download clicks a button, and returns the content of the file with a name that the
// browser then saves.
func (v *Tab) Download(t *testing.T, button, name string) []byte {
	t.Helper()
	dir := t.TempDir()
	_, err := chromedp.CallBrowser(v.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, BrowserContextID: chromedp.FromContext(v.ctx).BrowserContextID,
	})
	if err != nil {
		v.fail(err)
	}
	v.Click("button", button)
	path := filepath.Join(dir, name)
	timeout := time.After(patience)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		// The browser gives the file its name after the last byte.
		if content, err := os.ReadFile(path); err == nil { //nolint:gosec // G304: a folder of the test
			return content
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("the browser has saved no %s", name)
		}
	}
}
