package chromium

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Click presses the mouse on the element with a role and a name, as soon as it is there,
// enabled, at rest, and not covered by another one.
func (v *Tab) Click(role, name string) {
	v.t.Helper()
	v.Clicks++
	v.Do(again(fmt.Sprintf("the %s %q to click", role, name), func(ctx context.Context, t *chromedp.Target) (bool, error) {
		at, err := locate(ctx, t, role, name)
		if err != nil || at == nil {
			return false, err
		}
		if _, err := chromedp.MouseClickXY(at.X, at.Y)(ctx, t); err != nil {
			return false, fmt.Errorf("press the mouse: %w", err)
		}
		return true, nil
	}))
}

// Fill clicks a field, and types a text in place of what is there.
func (v *Tab) Fill(role, name, text string) {
	v.t.Helper()
	v.Click(role, name)
	v.Do(Await(`document.activeElement?.matches("input, textarea")`))
	if Read(v, chromedp.Evaluate[string](`document.activeElement.value`)) != "" {
		v.Do(chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`))
		v.Press("\b")
	}
	v.Press(text)
}

// Press presses keys, one after the other. package kb names those that write nothing.
func (v *Tab) Press(keys string) {
	v.t.Helper()
	v.Keys += utf8.RuneCountInString(keys)
	v.Do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, r := range keys {
			for _, event := range strokes(r) {
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, *event); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

// strokes returns the events of a key. The one that presses it also has its text:
// chromedp.KeyEvent sends the text by itself, which the page then cannot prevent by
// handling the key.
func strokes(r rune) []*input.DispatchKeyEventParams {
	events := kb.Encode(r)
	if len(events) != 3 {
		return events
	}
	down, char, up := events[0], events[1], events[2]
	down.Text, down.UnmodifiedText = char.Text, char.UnmodifiedText
	return []*input.DispatchKeyEventParams{down, up}
}

// Find waits for an element with a role and a name that a person can see.
func (v *Tab) Find(role, name string) {
	v.t.Helper()
	v.Do(again(fmt.Sprintf("the %s %q", role, name), func(ctx context.Context, t *chromedp.Target) (bool, error) {
		found, err := query(ctx, t, role, name)
		return len(found) > 0, err
	}))
}

// Names returns the names of all elements with a role.
func (v *Tab) Names(role string) []string {
	v.t.Helper()
	found := Read(v, func(ctx context.Context, t *chromedp.Target) ([]*accessibility.Node, error) {
		return query(ctx, t, role, "")
	})
	names := make([]string, len(found))
	for i, n := range found {
		if n.Name != nil {
			_ = json.Unmarshal(n.Name.Value, &names[i]) // a name that is no text is none
		}
	}
	return names
}

// See waits until the page shows all of the texts.
func (v *Tab) See(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		v.Do(Await(shows(text)))
	}
}

// SeeNo waits until the page shows none of the texts.
func (v *Tab) SeeNo(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		v.Do(Await("!" + shows(text)))
	}
}

// Shows reports whether the page shows a text now.
func (v *Tab) Shows(text string) bool {
	v.t.Helper()
	return Read(v, chromedp.Evaluate[bool](shows(text)))
}

// shows returns the expression that is true if the page shows a text. Line breaks count as
// blanks.
func shows(text string) string {
	return `document.body.innerText.replace(/\s+/g, " ").includes(` + strconv.Quote(text) + `)`
}

// query returns the elements with a role and, if it is not empty, a name. Elements that
// screen readers pass over are left out, such as those below an open dialog.
func query(ctx context.Context, t *chromedp.Target, role, name string) ([]*accessibility.Node, error) {
	document, err := chromedp.Evaluate[*runtime.RemoteObject]("document", chromedp.EvalObjectGroup("person"))(ctx, t)
	if err != nil {
		return nil, err
	}
	result, err := cdp.Call(ctx, t, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: document.ObjectID, Role: role, AccessibleName: name})
	if err != nil {
		return nil, err
	}
	var found []*accessibility.Node
	for _, n := range result.Nodes {
		if !n.Ignored && n.BackendDOMNodeID != 0 {
			found = append(found, n)
		}
	}
	return found, nil
}

// point is a place in the window.
type point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// aim is a function of an element. It returns where the mouse hits the element, and null if
// it does not hit it now. What is out of sight is scrolled into sight.
const aim = `async function () {
	const frame = () => new Promise((done) => { requestAnimationFrame(done); setTimeout(done, 200); });
	const center = () => {
		const r = this.getBoundingClientRect();
		return {x: r.x + r.width / 2, y: r.y + r.height / 2};
	};
	const hit = ({x, y}) => {
		const top = document.elementFromPoint(x, y);
		return top !== null && (this === top || this.contains(top));
	};
	if (this.disabled || this.getAttribute("aria-disabled") === "true") return null;
	if (!hit(center())) {
		this.scrollIntoView({block: "center", inline: "nearest", behavior: "instant"});
		await frame();
	}
	const at = center();
	await frame();
	await frame();
	const then = center();
	return hit(then) && at.x === then.x && at.y === then.y ? then : null;
}`

// locate returns where the mouse hits an element, nil if it does not hit one now.
func locate(ctx context.Context, t *chromedp.Target, role, name string) (*point, error) {
	found, err := query(ctx, t, role, name)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	node, err := cdp.Call(ctx, t, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: found[0].BackendDOMNodeID, ObjectGroup: "person"})
	if err != nil {
		return nil, err
	}
	yes := true
	result, err := cdp.Call(ctx, t, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		FunctionDeclaration: aim, ObjectID: node.Object.ObjectID, AwaitPromise: &yes, ReturnByValue: &yes,
	})
	if err != nil {
		return nil, err
	}
	var at *point
	if len(result.Result.Value) == 0 {
		return nil, nil //nolint:nilnil // the element was replaced
	}
	return at, json.Unmarshal(result.Result.Value, &at)
}
