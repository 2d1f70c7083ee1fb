package mailing

// Page sizes of lists.
const (
	DefaultLimit = 50
	MaxLimit     = 100
)

// ClientQuery asks for a page of the directory. Empty fields match every client.
type ClientQuery struct {
	Phone        string
	OperatorCode string
	Tag          string
	Limit        int
	Cursor       string
}

// MailingQuery asks for a page of mailings, newest first. An empty status matches every
// mailing.
type MailingQuery struct {
	Status Status
	Limit  int
	Cursor string
}

// MessageQuery asks for a page of messages, in storage order: the messages of one
// mailing, or with Mailing 0 those of all mailings, newest mailing first. Zero fields
// match every message.
type MessageQuery struct {
	Mailing ID
	Client  ClientID
	Status  MessageStatus
	Limit   int
	Cursor  string
}

// List is one page of a list. A page may have fewer items than the limit even if more pages
// follow. Next is the cursor of the next page, "" for the last page.
type List[T any] struct {
	Items []T
	Next  string
}

// Progress is the known state of one mailing's messages at one moment.
type Progress struct {
	Counts Counts
	// Expanded is true once the whole audience is known, so that Total is final.
	Expanded bool
}

// Statistics is a mailing with all that is counted of it, except its series.
type Statistics struct {
	Mailing Mailing
	Progress
	// Slices are the states of the slices that Counts were summed up from. For a
	// finished mailing Counts are its own.
	Slices SliceStates
	// Rate is the number of messages a second that were sent over the last minute.
	Rate float64
}

// Overview is a page of mailings with their progress, and the sums over all mailings.
type Overview struct {
	List[Mailing]
	// Progress has the progress of each mailing of the page.
	Progress []Progress
	Overall
	// Version changes when any of the mailings or counts above may have changed. It
	// says nothing about the query.
	Version string
	// Unchanged reports that nothing has changed since the version that the caller
	// has seen. The other fields, except Version, are then empty.
	Unchanged bool
}

// Overall is the sum over mailings.
type Overall struct {
	Totals   Counts
	Mailings map[Status]int64
}
