//go:build browser

package browser_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"postrider/test/chromium"
)

// page is the documentation in a tab.
type page struct {
	*chromium.Tab
	t *testing.T
}

// description holds the fields of openapi.json that these tests read.
type description struct {
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		SecuritySchemes map[string]struct {
			Type string `json:"type"`
		} `json:"securitySchemes"`
	} `json:"components"`
}

func (s service) description(t *testing.T) description {
	t.Helper()
	resp, err := http.Get(s.url + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var d description
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

// operations returns all described operations, as "GET /healthz".
func (d description) operations() []string {
	var all []string
	for path, methods := range d.Paths {
		for method := range methods {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

func TestTheDocumentationShowsAndTriesOutEveryOperation(t *testing.T) {
	s := newService(t)
	d := s.description(t)
	browser := chromium.Start(t)
	for _, at := range []struct{ name, base string }{{"at the root", s.url}, {"under a prefix", s.url + prefix}} {
		t.Run(at.name, func(t *testing.T) {
			base := at.base
			page := page{browser.Open(t), t}
			page.Do(chromedp.Navigate(base+"/docs"), chromedp.WaitVisible(chromedp.CSS(".opblock")))
			if got := chromium.Read(page.Tab, chromedp.Location()); got != base+"/docs/" {
				t.Errorf("/docs leads to %s", got)
			}
			listed := page.listed()
			if diff := cmp.Diff(d.operations(), listed); diff != "" {
				t.Errorf("operations (-described +listed):\n%s", diff)
			}
			if file := os.Getenv("SCREENSHOT"); file != "" && base == s.url {
				page.screenshot(file)
			}
			page.authorize(s.key)
			page.tryOut("GET", "/healthz", base, `"status": "ok"`)
			page.tryOut("GET", "/api/clients", base, phone)
			page.fillIn("PATCH", "/api/mailings/{id}")
			page.openSchemas()

			requests, errors := page.Seen()
			if len(errors) > 0 {
				t.Errorf("the console shows errors: %q", errors)
			}
			elsewhere := slices.DeleteFunc(slices.Clone(requests), func(r string) bool { return strings.Contains(r, " "+base+"/") })
			if len(elsewhere) > 0 {
				t.Errorf("requests go elsewhere: %q", elsewhere)
			}
			t.Logf("figure: /docs/ in %s, %s: %d of %d operations listed, 2 tried out, %d requests, %d of them elsewhere, %d errors in the console",
				browser.Version, at.name, len(listed), len(d.operations()), len(requests), len(elsewhere), len(errors))
		})
	}
}

// listed returns the operations that the page shows.
func (v page) listed() []string {
	v.t.Helper()
	all := chromium.Read(v.Tab, chromedp.Evaluate[[]string](`[...document.querySelectorAll(".opblock")].filter(o => o.checkVisibility()).map(o =>
		o.querySelector(".opblock-summary-method").textContent + " " + o.querySelector("[data-path]").dataset.path)`))
	slices.Sort(all)
	return all
}

// authorize enters the key for every security scheme of the description.
func (v page) authorize(key string) {
	v.t.Helper()
	v.Do(chromedp.Click(chromedp.CSS(".auth-wrapper > .authorize")), chromedp.WaitVisible(chromedp.CSS(".auth-container input")))
	for i := range chromium.Read(v.Tab, chromedp.Evaluate[int](`document.querySelectorAll(".auth-container").length`)) {
		scheme := fmt.Sprintf(".auth-container:nth-of-type(%d)", i+1)
		v.Do(
			chromedp.SendKeys(chromedp.CSS(scheme+" input"), key),
			chromedp.Click(chromedp.CSS(scheme+" .authorize")),
			chromedp.WaitNotPresent(chromedp.CSS(scheme+" input")),
		)
	}
	v.Do(chromedp.Click(chromedp.CSS(".auth-btn-wrapper .btn-done")), chromedp.WaitNotPresent(chromedp.CSS(".dialog-ux")))
}

// fillIn opens an operation's form, and returns its selector.
func (v page) fillIn(method, path string) string {
	v.t.Helper()
	operation := "#" + chromium.Read(v.Tab, chromedp.Evaluate[string](fmt.Sprintf(
		`document.querySelector('.opblock-%s [data-path=%q]').closest(".opblock").id`, strings.ToLower(method), path)))
	v.Do(
		chromedp.Click(chromedp.CSS(operation+" .opblock-summary-control")),
		chromedp.Click(chromedp.CSS(operation+" .try-out__btn"), chromedp.NodeVisible),
		chromedp.WaitVisible(chromedp.CSS(operation+" .execute")),
	)
	return operation
}

// tryOut executes an operation with the values of its form, and looks for a text in the
// answer. The call must go to base followed by the unchanged path.
func (v page) tryOut(method, path, base, text string) {
	v.t.Helper()
	operation := v.fillIn(method, path)
	v.Do(
		chromedp.Click(chromedp.CSS(operation+" .execute")),
		chromedp.WaitVisible(chromedp.CSS(operation+" .live-responses-table .response-col_status")),
	)
	status := chromium.Read(v.Tab, chromedp.Text(chromedp.CSS(operation+" .live-responses-table .response .response-col_status")))
	body := chromium.Read(v.Tab, chromedp.TextContent(chromedp.CSS(operation+" .live-responses-table .response .response-col_description")))
	if !strings.HasPrefix(status, "200") || !strings.Contains(body, text) {
		v.t.Errorf("%s %s: status %s, want 200 and %q in: %s", method, path, status, text, body)
	}
	requests, _ := v.Seen()
	if !slices.ContainsFunc(requests, func(r string) bool {
		target, _, _ := strings.Cut(r, "?")
		return target == method+" "+base+path
	}) {
		v.t.Errorf("%s %s%s is not among the requests: %q", method, base, path, requests)
	}
}

// openSchemas opens the list of schemas and the first schema. The console reports
// anything in it that the page's policy forbids.
func (v page) openSchemas() {
	v.t.Helper()
	v.Do(
		chromedp.Click(chromedp.CSS(".models .models-control")),
		chromedp.Click(chromedp.CSS(".models .json-schema-2020-12-accordion"), chromedp.NodeVisible),
		chromedp.WaitVisible(chromedp.CSS(".models .json-schema-2020-12-property")),
	)
}

// screenshot writes a picture of the whole page to a file.
func (v page) screenshot(file string) {
	v.t.Helper()
	if err := os.WriteFile(file, chromium.Read(v.Tab, chromedp.FullScreenshot(100)), 0o600); err != nil {
		v.t.Error(err)
	}
}
