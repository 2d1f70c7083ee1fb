package api

import "net/http"

// clientTexts returns the texts of the operations on clients, by operation id.
func clientTexts() map[string]text {
	taken := map[int]problemText{http.StatusConflict: told("Another client has this phone.", "this phone is taken")}
	changed := map[int]problemText{http.StatusConflict: told(
		"Another client has this phone, or others keep changing this client at this very moment (then repeat the request). Nothing was changed.", "this phone is taken")}
	phone := told("The id is not an integer, or a field of the body is missing, unknown, not as its schema says, or a time zone that the IANA database does not have. `errors` says which.",
		"the request is not valid", FieldError{"body.phone", "must be 11 digits that start with 7"})
	taken[http.StatusUnprocessableEntity], changed[http.StatusUnprocessableEntity] = phone, phone
	return map[string]text{
		"list-clients": {
			about: "Lists the directory in storage order, which is not the order of ids or of creation. Filters that are given must all match, exactly. By phone there is at most one client.",
			done:  "A page of clients.", given: List[Client]{Items: []Client{exampleClient()}},
		},
		"create-client": {
			about: "Adds a client to the directory. Without `operator_code` it is derived from the phone, digits 2 to 4; a number that moved to another operator keeps the code that you give. " +
				"Mailings whose audience is not yet looked through may still meet the new client.",
			done: "The client as it is kept, with its id.", asked: exampleClientBody(), given: exampleClient(), errors: taken,
			links: map[string]string{"get-client": "id", "replace-client": "id", "change-client": "id", "delete-client": "id", "list-messages": "client_id"},
		},
		"get-client": {
			about: "Reads one client.",
			done:  "The client.", given: exampleClient(),
		},
		"replace-client": {
			about: "Replaces all fields of a client; what is left out is reset: the tag to empty, the operator code to the phone's. Messages that are not yet handed over go to the new phone, and the new time zone decides when they may.",
			done:  "The client as it is now.", asked: exampleClientBody(), given: exampleClient(), errors: changed,
		},
		"change-client": {
			about: "Changes the fields that the body names (JSON merge patch); null clears the tag, and derives the operator code from the phone. " +
				"A new phone derives the operator code again only where it was the derived one: a code that you had set stays. Null for the phone or the time zone is 422.",
			done: "The client as it is now.", asked: map[string]any{"tag": exampleClient().Tag, "operator_code": nil}, given: exampleClient(), errors: changed,
		},
		"delete-client": {
			about: "Deletes a client. Its pending messages become `skipped`; what was sent stays in history and counts. Its phone can be used again, its id never is.",
			done:  "It is deleted.",
			errors: map[int]problemText{http.StatusConflict: told(
				"Others keep changing this client at this very moment: repeat the request.", "others keep changing this client: try again")},
		},
	}
}
