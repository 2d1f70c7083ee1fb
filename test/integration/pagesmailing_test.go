//go:build integration

package integration_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"postrider/localstack/stack"
	"postrider/test/chromium"
)

// write fills in the form of a new mailing.
func (v visitor) write(text, tag string, recipients int) {
	v.t.Helper()
	v.Fill("textbox", "Text", text)
	v.Click("combobox", "Tags")
	v.Press(tag + kb.Enter)
	v.See(recipientsOf(recipients))
}

// recipientsOf is a number of recipients as the pages show it.
func recipientsOf(n int) string {
	if n == 1 {
		return "1 recipient"
	}
	return fmt.Sprintf("%d recipients", n)
}

// send confirms a new mailing, and returns its id.
func (v visitor) send(recipients int) int64 {
	v.t.Helper()
	v.Click("button", "Review mailing")
	v.Find("heading", "Confirm the mailing")
	v.accessible("confirming a mailing", 360)
	v.Click("button", fmt.Sprintf("Send to %s now", recipientsOf(recipients)))
	id := v.created()
	v.See(fmt.Sprintf("Mailing %d is created.", id))
	return id
}

// testFirstMailing goes from the sign-in to a delivered mailing. It measures a person's
// path on a stack where there is nothing.
func testFirstMailing(t *testing.T, v visitor) {
	begun, tag, people := time.Now(), tagged("first"), phones(3, 2)
	v.signIn(stack.AdminKey)
	v.Click("link", "Clients")
	for _, phone := range people {
		v.Click("button", "Add client")
		v.Find("heading", "Add a client")
		v.accessible("adding a client", 360)
		v.Fill("textbox", "Phone", phone)
		v.Fill("combobox", "Tag (optional)", tag)
		v.Press(kb.Enter)
		v.See("Client " + phone + " is added.")
	}
	v.known(tag, begun)
	v.Click("link", "Mailings")
	v.Click("link", "New mailing")
	text := "Your order is ready " + tag
	v.write(text, tag, 2)
	id := v.send(2)
	v.See("Completed", "2 of 2", "100%")
	took := time.Since(begun)
	sentOnce(t, v.ledger(t, id), 2)
	figure(t, "from the sign-in to a delivered mailing, with 2 clients added by hand: %d clicks, %d keys, %.1f s, most of them the browser's and the machine's",
		v.Clicks, v.Keys, took.Seconds())

	v.Click("link", people[0])
	v.Click("link", fmt.Sprintf("Mailing %d", id))
	v.Find("heading", text)
	v.clean()
}

// typed returns the keys that write a time of day into a field of a browser that speaks
// American English.
func typed(at time.Time) string { return at.Format("0304PM") }

// testHours pauses, resumes and edits a mailing whose hours are yet to come, and cancels a
// copy of it.
func testHours(t *testing.T, v visitor) {
	tag := tagged("hours")
	v.people(tag, "UTC", phones(4, 2))
	v.signIn(stack.AdminKey)
	v.Click("link", "Mailings")
	v.Click("link", "New mailing")
	text := "Only in some hours " + tag
	v.write(text, tag, 2)
	v.later()
	id := v.send(2)
	v.See("Running", "2 wait for their hours")

	v.Click("button", "Pause")
	v.See("Paused. Nothing is sent until you resume it.", "This mailing is paused", "2 messages wait.")
	v.Click("button", "Resume")
	v.See("Resumed.", "2 wait for their hours")
	v.SeeNo("This mailing is paused")
	if sent := v.ledger(t, id); len(sent) > 0 {
		t.Errorf("handed over outside of the hours: %+v", sent)
	}

	// A copy of it, by the table of mailings.
	v.Click("link", "Mailings")
	v.Click("button", "Actions for "+text)
	v.Click("menuitem", "Duplicate")
	v.See("2 recipients")
	v.Fill("textbox", "Text", "A copy of it "+tag)
	v.later()
	copied := v.send(2)
	v.See("Running", "2 wait for their hours")
	v.Click("button", "Actions for A copy of it "+tag)
	v.Click("menuitem", "Cancel mailing")
	v.See("2 messages that are not sent yet will never be sent. 0 messages are sent already and stay so.")
	v.accessible("cancelling a mailing", 1200, 360)
	v.Click("button", "Cancel mailing")
	v.See("Cancelled. The numbers follow within a minute.", "2 of 2")
	if sent := v.ledger(t, copied); len(sent) > 0 {
		t.Errorf("a cancelled mailing was handed over: %+v", sent)
	}

	// An edit lets the first one go at once.
	v.Click("link", "Mailings")
	v.Click("link", text)
	v.Click("link", "Edit")
	v.See("Text, end and hours can still be changed, for the 2 messages that are not sent yet")
	v.Click("button", "Any time")
	v.Click("button", "Review changes")
	v.Find("heading", "Confirm the changes")
	v.accessible("confirming a change", 1200, 360)
	v.See("This applies to the 2 messages that are not sent yet.")
	v.Click("button", "Save changes")
	v.See(fmt.Sprintf("Mailing %d is changed.", id), "Completed", "2 of 2")
	sentOnce(t, v.ledger(t, id), 2)
	v.clean()
}

// later sets hours that begin in two hours.
func (v visitor) later() {
	v.t.Helper()
	at := time.Now().UTC().Add(2 * time.Hour)
	v.Click("button", "Set hours")
	v.Do(chromium.Await(`document.querySelectorAll("input[type=time]").length === 2`))
	for i, hour := range []time.Time{at, at.Add(2 * time.Hour)} {
		// A field for a time has a part for each of its numbers, so a click may hit any.
		v.Do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelectorAll("input[type=time]")[%d].focus()`, i)))
		v.Press(typed(hour))
	}
	v.See(fmt.Sprintf("%s–%s", at.Format("15:04"), at.Add(2*time.Hour).Format("15:04")))
}

// testFailures watches a mailing of which some messages fail, and tries them again.
func testFailures(t *testing.T, v visitor) {
	const all, bad = 300, 3
	tag, people := tagged("failures"), phones(5, all)
	v.people(tag, "UTC", people)
	v.behave(t, behaviour{LatencyMS: 1000, RejectPhones: people[:bad]})
	v.signIn(stack.AdminKey)
	v.Click("link", "New mailing") // of the overview
	v.write("Some of them fail "+tag, tag, all)
	id := v.send(all)
	done := v.watch(all)
	v.See("Completed", fmt.Sprintf("%d of %d", all, all), "Reasons of failure", "The sending API refused the message")
	sentOnce(t, v.ledger(t, id), all-bad)

	v.setBehaviour(t, behaviour{})
	one := v.messages(t, id, "&status=failed")[0].ID
	v.Click("link", "Queues")
	v.Click("button", fmt.Sprintf("Try message %d again", one))
	v.See("It failed with the reason")
	v.accessible("a dead letter", 1200, 360)
	v.Click("button", "Try again")
	v.See("1 message is tried again")
	v.turn(fmt.Sprintf("mailings/%d", id))
	v.Find("button", fmt.Sprintf("Sent %d", all-bad+1))
	v.See("Completed")

	v.Click("button", "Retry")
	v.See(fmt.Sprintf("%d failed messages", bad-1))
	v.accessible("a retry", 1200, 360)
	v.Click("button", fmt.Sprintf("Retry %d messages", bad-1))
	v.See(fmt.Sprintf("%d messages are tried again.", bad-1))
	v.Find("button", fmt.Sprintf("Sent %d", all))
	v.See("Completed")
	sentOnce(t, v.ledger(t, id), all)
	figure(t, "a mailing to %d was watched: done %v; of %d failures one was redriven as a dead letter, the others retried; all %d sent once", all, done, bad, all)
	v.clean()
}

// watch returns the numbers of messages that are done, as the page shows them one after
// the other, until all are done. They never go back.
func (v visitor) watch(all int) (done []int) {
	v.t.Helper()
	last := -1
	for last < all {
		v.Do(chromium.Await(fmt.Sprintf(`(%s) !== %d`, doneShown, last)))
		n := chromium.Read(v.Tab, chromedp.Evaluate[int](doneShown))
		if n < last {
			v.t.Errorf("%d messages were done, now %d are", last, n)
		}
		if last = n; n >= 0 {
			done = append(done, n)
		}
	}
	return done
}

// doneShown is the number of messages that are done, -1 while the page does not show it.
const doneShown = `Number(document.querySelector("main").innerText.match(/(\d+) of \d+/)?.[1] ?? -1)`

// testKeyboard creates a mailing without a mouse.
func testKeyboard(t *testing.T, v visitor) {
	tag := tagged("keyboard")
	v.people(tag, "UTC", phones(6, 2))
	v.Press(stack.AdminKey + kb.Enter)
	v.Find("heading", "Overview")
	v.Press("n") // the shortcut for a new mailing
	v.Find("heading", "New mailing")
	v.tabTo("Text")
	v.Press("Written without a mouse")
	v.tabTo("Tags")
	v.Press(tag + kb.Enter)
	v.See("2 recipients")
	v.tabTo("Review mailing")
	v.Press(kb.Enter)
	v.Find("button", "Send to 2 recipients now")
	v.tabTo("Send to 2 recipients now")
	v.Press(kb.Enter)
	id := v.created()
	v.See("Completed", "2 of 2")
	sentOnce(t, v.ledger(t, id), 2)
	figure(t, "a mailing without a mouse: %d keys", v.Keys)
	v.clean()
}

// tabTo moves the focus by the Tab key until it is on an element with a name.
func (v visitor) tabTo(name string) {
	v.t.Helper()
	const focused = `(e => (e.getAttribute("aria-label") ?? e.labels?.[0]?.innerText ?? e.innerText).trim())(document.activeElement)`
	for range 150 {
		v.Press(kb.Tab)
		if chromium.Read(v.Tab, chromedp.Evaluate[string](focused)) == name {
			return
		}
	}
	v.t.Fatalf("the Tab key does not lead to %q", name)
}
