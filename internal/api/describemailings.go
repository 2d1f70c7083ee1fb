package api

import "net/http"

// mailingTexts returns the texts of the operations on mailings, by operation id.
// Those of the actions are in [actionTexts].
func mailingTexts() map[string]text {
	const rules = "The id is not an integer, a field of the body is missing, unknown, or not as its schema says, or the fields contradict each other: " +
		"`end_at` must be in the future and after `start_at`, and a window's `from` and `to` must differ. `errors` says which."
	invalid := told(rules, "the mailing is not valid", FieldError{"body.end_at", "must be after start_at"})
	locked := map[int]problemText{
		http.StatusUnprocessableEntity: invalid,
		http.StatusConflict: told("The mailing is completed or cancelled, or it has started and a field that is locked then would change (`start_at`, `filter`, `on_uncertain`), "+busy+". Nothing was changed.",
			"filter cannot be changed once the mailing is running"),
	}
	const editing = "While it is scheduled everything can be changed; while it is running or paused `text`, `end_at` and `window`, which hold for what is not yet sent. " +
		"A locked field may be sent as long as its value stays."
	return map[string]text{
		"list-mailings": {
			about: "Lists mailings, newest first. Deleted ones are not in it.",
			done:  "A page of mailings.", given: List[Mailing]{Items: []Mailing{exampleMailing()}},
		},
		"create-mailing": {
			about: "Creates a mailing, which starts by itself at `start_at`, within seconds: at once if that is past. It goes to each client that the filter matches at that time, each once; `{}` is everyone. " +
				"With a `window`, each message waits for that time of its client's day; what has not gone out at `end_at` ends as `expired`.",
			done: "The mailing, with its id.", asked: exampleMailingBody(), given: exampleMailing(),
			errors: map[int]problemText{
				http.StatusUnprocessableEntity: invalid,
				http.StatusConflict:            told("Others keep creating mailings at this very moment: repeat the request. Nothing was created.", "others keep creating mailings at the same time: try again"),
			},
			links: map[string]string{
				"get-mailing": "id", "replace-mailing": "id", "change-mailing": "id", "delete-mailing": "id", "get-mailing-statistics": "id",
				"pause-mailing": "id", "resume-mailing": "id", "cancel-mailing": "id", "retry-mailing": "id", "test-mailing": "id", "export-messages": "id", "list-messages": "mailing_id",
			},
		},
		"preview-mailing": {
			about: "Tells how many clients a filter chooses now, exactly, and with a `text` what that comes to as SMS. Nothing is made or sent, so a viewer may do it, too. " +
				"Whom a mailing really goes to is decided when it starts.",
			done: "The numbers.", asked: PreviewBody{Filter: FilterBody{Tags: exampleMailing().Filter.Tags}, Text: exampleMailing().Text}, given: examplePreview(),
		},
		"get-mailing": {
			about: "Reads one mailing. Its numbers are in `GET /api/mailings/{id}/info`.",
			done:  "The mailing.", given: exampleMailing(),
		},
		"replace-mailing": {
			about: "Replaces all fields of a mailing; what is left out is reset: no window, `on_uncertain` resend. " + editing,
			done:  asItIsNow, asked: exampleMailingBody(), given: exampleMailingIn("scheduled", 2), errors: locked,
		},
		"change-mailing": {
			about: "Changes the fields that the body names (JSON merge patch); null clears the window, and makes `on_uncertain` resend. " + editing,
			done:  asItIsNow, asked: map[string]any{"text": "Your order is ready", "window": map[string]any{"to": "20:00"}},
			given: exampleMailingIn("scheduled", 2), errors: locked,
		},
		"delete-mailing": {
			about: "Deletes a mailing in any status; one that is not over is cancelled first. From then on it, its statistics and its messages are 404, and it is in no list and no sum.",
			done:  "It is deleted.",
			errors: map[int]problemText{http.StatusConflict: told(
				"Others keep changing this mailing at this very moment: repeat the request.", busyDetail)},
		},
		"test-mailing": {
			about: "Sends the mailing's text to one phone, which need not be a client's, whatever the mailing's status, times and window. The message is marked as a test, counts nowhere, is handed over at most once, " +
				"and expires after ten minutes. The answer does not wait for it: read it at `Location`.",
			done: "The message, which is queued.", asked: TestBody{Phone: exampleClient().Phone}, given: exampleTest(),
			links: map[string]string{"get-message": "id"},
		},
	}
}
