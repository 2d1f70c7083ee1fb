package api

import (
	"maps"
	"net/http"

	"postrider/internal/mailing"
)

// texts returns the texts of all operations, by operation id.
func texts() map[string]text {
	all := serviceTexts()
	for _, some := range []map[string]text{clientTexts(), mailingTexts(), actionTexts(), statisticsTexts(), messageTexts(), fileTexts()} {
		maps.Copy(all, some)
	}
	return all
}

// serviceTexts returns the texts of the operations on the service itself.
func serviceTexts() map[string]text {
	return map[string]text{
		"get-index": {
			about: "Tells where to start from: links, which are relative to the address of the request. Nothing is read for it, so it is also a cheap way to try a key out.",
			done:  "The links.", given: exampleIndex(),
		},
		"get-health": {
			about: "Tells that the service answers. It is public, reads nothing, and takes any query parameter, so that probes can get past caches.\n\n" +
				"It says nothing about whether messages go out: that is in `GET /api/queues`.",
			done: "The service answers.", given: Health{"ok"},
		},
		"get-queues": {
			about: "Tells how much waits in the queues and for how long, and shows up to 50 of the dead letters: messages that will not be tried again by themselves, with the reason. " +
				"The numbers are approximate, as queues cannot count exactly. An entry of `deliveries` is a batch of up to 50 messages, one of `tasks` a piece of work on a mailing. Looking changes nothing.",
			done: "What waits, and what is dead.", given: exampleQueues(),
		},
		"get-metrics": {
			about: "Gives the service's numbers in the text format that Prometheus reads, version 0.0.4: messages and mailings by status, as `GET /api/mailings/fullinfo` sums them up, " +
				"what waits in the queues, roughly, and how long the batch has waited that has waited longest. Give your Prometheus a viewer's key (`authorization` in its scrape configuration), and an interval of 15 seconds or more: " +
				"each scrape reads the counts of all mailings that are not finished.\n\nAll are gauges: a message that failed can be tried again, and a deleted mailing is in no sum. How fast messages go, and how the sending API does, is measured elsewhere: in CloudWatch.",
			done: "The numbers, as `text/plain; version=0.0.4; charset=utf-8`.", given: exampleMetrics(),
		},
		"redrive-dead-letters": {
			about: "Tries the messages of the dead letters again, as if each was retried on its own: with fresh attempts, and reopening its mailing if that was completed. " +
				"A letter is removed when its message is tried again, or is gone or was tried again since; it stays while its mailing cannot be resumed.\n\n" +
				"One call works for up to eight seconds; `more` says that there may be more, then call again. Calling twice does no harm: a message is only tried again if its failure is still the one that the letter tells of.",
			done: "What became of the letters.", given: Redriven{Redriven: 12, Stale: 1},
		},
	}
}

// statisticsTexts returns the texts of the operations on statistics.
func statisticsTexts() map[string]text {
	return map[string]text{
		"get-statistics": {
			about: "Lists mailings newest first, each with its counts, and sums up the counts of all of them. " +
				"`totals` and `mailings_by_status` cover all mailings that match `status`, on every page; deleted ones are in neither. " +
				"The counts of one mailing add up whenever they are read.",
			done: "A page of mailings, and the sums over all of them.", given: exampleFullInfo(),
		},
		"get-mailing-statistics": {
			about: "Tells how far a mailing is, with a page of its messages. `status` chooses among the messages only, the numbers stay; `limit=0` leaves the messages out, which is cheaper. " +
				"While `expanded` is false the audience is still being looked through, and `total` grows. Test messages are not counted and not listed.",
			done: "The mailing, its counts and a page of its messages.", given: exampleInfo(),
		},
	}
}

// messageTexts returns the texts of the operations on messages.
func messageTexts() map[string]text {
	return map[string]text{
		"list-messages": {
			about: "Lists messages, of one mailing or of all (newest mailing first), to one client or to all. Messages are kept for 90 days after their mailing's end, unless the service is set up otherwise; counts stay. " +
				"Test messages are not listed.\n\nSearching by `status` or `client_id` alone looks through everything, so pages may be short or empty while there is a `next_cursor`: name the mailing where you can.",
			done: "A page of messages.", given: List[Message]{Items: []Message{exampleMessage()}},
			errors: map[int]problemText{http.StatusNotFound: told("There is no mailing with the id in `mailing_id`: there never was, or it is deleted.", "there is no mailing with this id")},
		},
		"get-message": {
			about: "Reads one message, a test message too. While a sender holds it, its status is `sending`.",
			done:  "The message.", given: exampleMessage(),
			errors: map[int]problemText{http.StatusNotFound: told(
				"There is no message with this id: there never was, its mailing is deleted, or its time of keeping is over.", "there is no message with this id")},
		},
	}
}

const (
	asItIsNow = "The mailing as it is now."

	busy       = "or others keep changing it at this very moment (then repeat the request)"
	busyDetail = "others keep changing this mailing: try again"
)

// actionTexts returns the texts of the actions on a mailing, and of the request for
// a sweep.
func actionTexts() map[string]text {
	conflict := func(when, detail string) map[int]problemText {
		return map[int]problemText{http.StatusConflict: told(when+", "+busy+". Nothing was changed.", detail)}
	}
	return map[string]text{
		"pause-mailing": {
			about: "Holds a running mailing still: no message is handed over later than two seconds after the answer, and no further clients are looked at. " +
				"Its end stays as it is. Pausing a paused mailing changes nothing and is 200.",
			done: asItIsNow, given: exampleMailingIn(mailing.StatusPaused, 3),
			errors: conflict("The mailing is scheduled (cancel it then, or move its `start_at`), completed or cancelled", "a scheduled mailing cannot be paused: cancel it, or move its start_at"),
		},
		"resume-mailing": {
			about: "Lets a paused mailing run again. What waited for its window meanwhile waits on. Resuming a running mailing changes nothing and is 200.",
			done:  asItIsNow, given: exampleMailingIn(mailing.StatusRunning, 4),
			errors: conflict("The mailing is scheduled, completed or cancelled, or its end has passed", "a scheduled mailing cannot be resumed"),
		},
		"cancel-mailing": {
			about: "Calls a mailing off, for good: no message is handed over later than two seconds after the answer, and all that was not sent ends as `cancelled`. " +
				"The counts follow within a minute. Cancelling a cancelled mailing changes nothing and is 200.",
			done: asItIsNow, given: exampleMailingIn(mailing.StatusCancelled, 3),
			errors: conflict("The mailing is completed", "a completed mailing cannot be cancelled"),
		},
		"retry-mailing": {
			about: "Gives the mailing's failed messages fresh attempts, and reopens it if it was completed. With `uncertain` among the statuses, messages whose outcome is unknown are tried again, too: " +
				"they **may be delivered twice**, and `retrying.uncertain` in the answer says how many at most. A mailing that says `on_uncertain: stop` never allows that: 409. " +
				"Messages that are `expired` or `skipped` are not tried again. Retrying a completed mailing without such messages changes nothing and is 200.",
			done: asItIsNow, asked: RetryBody{Statuses: []string{"failed", "uncertain"}}, given: RetriedMailing{exampleMailingIn(mailing.StatusRunning, 5), Retrying{Failed: 12}},
			errors: conflict("The mailing is scheduled or cancelled, its end has passed, or it says `on_uncertain: stop` and uncertain messages are asked for", "a scheduled mailing has nothing to be tried again"),
		},
		"process-mailings": {
			about: "Asks for the work that otherwise begins each minute: starting mailings whose time has come, and queueing what is overdue. It does not wait for that work, and it is never needed: it only saves some waiting.",
			done:  "It is queued.", given: Accepted{"accepted"},
			errors: map[int]problemText{http.StatusServiceUnavailable: told("It cannot be queued at the moment, which does no harm: the same is done each minute anyway. Or keys cannot be checked at the moment.",
				"it cannot be queued at the moment; it is done each minute anyway")},
		},
	}
}
