// Package chromium lets tests use a page with Chromium, as a person does: by pointing at
// what they see, and by typing. It finds elements by their role and name for screen
// readers. So a test that passes also shows that these are right.
package chromium

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// Program returns the path of the browser.
func Program() (string, error) {
	if set := os.Getenv("CHROMIUM"); set != "" {
		return set, nil
	}
	for _, name := range []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
		"/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
	} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium was found: install it (Debian, Ubuntu: apt-get install chromium; macOS: brew install --cask chromium), " +
		"or name the program of a Chromium or Chrome in CHROMIUM")
}

// Browser is a Chromium without a window.
type Browser struct {
	ctx context.Context
	// Version is its name and version.
	Version string
}

// Start starts Chromium for one test, and ends it after the test. The browser can reach
// only this machine.
func Start(t *testing.T) Browser {
	t.Helper()
	program, err := Program()
	if err != nil {
		t.Fatal(err)
	}
	// chromedp makes the browser's folder, not the test: chromedp removes it after all of
	// the browser's processes have ended, and its path is short enough for the browser's
	// socket.
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), // as root chromedp adds --no-sandbox
		chromedp.DisableGPU,
		chromedp.Flag("force-prefers-reduced-motion", true), // without a GPU each frame of an animation takes the processor's time
		chromedp.WindowSize(1200, 900),
		chromedp.Flag("lang", "en-US"), // fields for times are written as in America
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	)
	// The test's own context would end before the cleanup.
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, _ := chromedp.NewContext(allocator)
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
	return Browser{ctx, strings.Replace(strings.TrimPrefix(v.Product, "Headless"), "/", " ", 1)}
}
