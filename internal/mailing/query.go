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

// Overall is the sum over mailings.
type Overall struct {
	Totals   Counts
	Mailings map[Status]int64
}
