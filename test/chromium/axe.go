package chromium

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/chromedp/chromedp"
)

// Axe is the script of axe-core, which finds what keeps people with disabilities from using
// a page.
type Axe string

// ReadAxe reads axe-core from the npm packages of the admin pages. root is the folder of
// the repository.
func ReadAxe(root string) (Axe, error) {
	script, err := os.ReadFile(filepath.Join(root, "web", "node_modules", "axe-core", "axe.min.js")) //nolint:gosec // G304: a package of the repository
	if err != nil {
		return "", fmt.Errorf("axe-core is not installed: run make web-tools (%w)", err)
	}
	return Axe(script), nil
}

// run returns each violation with the elements that cause it.
const run = `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => v.id + ": " +
	v.nodes.map(n => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).slice(0, 3).join(" | "))))`

// Violations returns what axe-core finds, of any level.
func (a Axe) Violations() chromedp.Action[[]string] {
	return func(ctx context.Context, t *chromedp.Target) ([]string, error) {
		if _, err := chromedp.Evaluate[any](`typeof axe === "object" ? 0 : (() => {`+string(a)+`; return 0})()`)(ctx, t); err != nil {
			return nil, fmt.Errorf("load axe-core: %w", err)
		}
		text, err := chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise)(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("run axe-core: %w", err)
		}
		var found []string
		return found, json.Unmarshal([]byte(text), &found)
	}
}
