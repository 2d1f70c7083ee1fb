package api

import "net/http"

const (
	aboutImport = "Each row is a client, found by its phone: one that is there is changed, else a new one is made. Good rows stay whatever is wrong with others.\n\n" +
		"The file is CSV in UTF-8 with or without a byte order mark, with commas or semicolons, up to 4 MiB. Its first line names the columns, in any order: " +
		"`phone` (required), `operator_code`, `tag`, `timezone`, and `id`, which is ignored, so that an export can be imported.\n\n" +
		"A column that is not there leaves its field as it is. An empty cell clears the tag and derives the operator code from the phone; a time zone cannot be empty, and a new client needs one. " +
		"A phone that comes twice in the file is rejected the second time.\n\n" +
		"A large file may take longer than one request can. Then the answer has `next_line`: send the rest from that line on, with the header, or all of it again. " +
		"Rows that are done are unchanged the second time, so neither does any harm. The same holds after an error, and after 10,000 rejected rows.\n\nSearching by tag or operator code may miss for some seconds what has just been imported."
	aboutExport = "One page of rows in UTF-8, with commas, each page with the header line. While there is more, the `Link` header leads to the next page; a page may be short before the end.\n\n" +
		"A cell that a spreadsheet would run as a formula (it begins with one of `= + - @ '`, a tab or a carriage return) has a `'` put before it, also behind a semicolon, where some spreadsheets split rows; an import takes it off again."
	clientsFile  = "id,phone,operator_code,tag,timezone\n1,79001234567,900,vip,Europe/Moscow\n"
	messagesFile = "id,mailing_id,client_id,phone,status,attempts,uncertain_attempts,last_error,created_at,sent_at\n" +
		"4294967297,1,1,79001234567,sent,1,0,,2030-03-01T09:30:00.000Z,2030-03-01T09:31:00.000Z\n"
)

// fileTexts returns the texts of the operations that read or write CSV, by
// operation id.
func fileTexts() map[string]text {
	return map[string]text{
		"import-clients": {
			about: aboutImport,
			done:  "What became of the rows.", asked: "phone,tag,timezone\n79001234567,vip,Europe/Moscow\n79007654321,,Europe/Moskow\n",
			given: Imported{Created: 1, Rejected: 1, Rows: []RejectedRow{{3, []FieldError{{"timezone", "must be the name of a zone of the IANA database, such as Europe/Moscow"}}}}},
			errors: map[int]problemText{
				http.StatusRequestEntityTooLarge: told("The file is larger than 4 MiB.", "the body is larger than 4 MiB"),
				http.StatusUnsupportedMediaType:  told("The `Content-Type` is not `text/csv`. A body without one is taken for that.", "the body's Content-Type must be "+csvType),
				http.StatusUnprocessableEntity: told("The first line of the file does not name the columns, or there is a query parameter. Nothing was changed.",
					wrongFile, FieldError{"body", "the header names no phone" + rightHeader}),
			},
		},
		"export-clients": {
			about: aboutExport + "\n\nThe file can be imported as it is.",
			done:  "A page of clients.", given: clientsFile,
		},
		"export-messages": {
			about: aboutExport + "\n\nTimes are in UTC. `sent_at` is empty unless the message was sent, and `phone` is once the client is deleted.",
			done:  "A page of messages.", given: messagesFile,
		},
	}
}
