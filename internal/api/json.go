package api

// Client is one client of the directory, in answers.
//
// The types of this file are the bodies of requests and answers. Integrators rely
// on the names in their JSON: names may be added, but existing ones are never
// changed or removed.
type Client struct {
	ID           int64  `json:"id" minimum:"1" maximum:"4294967295" example:"1" doc:"Given by the service, never used again."`
	Phone        string `json:"phone" pattern:"^7[0-9]{10}$" patternDescription:"11 digits that start with 7" example:"79001234567" doc:"No two clients have the same."`
	OperatorCode string `json:"operator_code" pattern:"^[0-9]{3}$" patternDescription:"3 digits" example:"900"`
	Tag          string `json:"tag" maxLength:"64" example:"vip" doc:"May be empty."`
	Timezone     string `json:"timezone" format:"iana-timezone" minLength:"1" example:"Europe/Moscow" doc:"A name of the IANA database."`
}

// ClientBody is one client of the directory, in requests.
type ClientBody struct {
	Phone        string   `json:"phone" pattern:"^7[0-9]{10}$" patternDescription:"11 digits that start with 7" example:"79001234567" doc:"A string, taken as it is: never normalised. No two clients may have the same."`
	OperatorCode string   `json:"operator_code,omitempty" pattern:"^[0-9]{3}$" patternDescription:"3 digits" example:"900" doc:"By default, and with null, digits 2 to 4 of the phone."`
	Tag          string   `json:"tag,omitempty" maxLength:"64" example:"vip" doc:"Case-sensitive. Blanks around it are cut off. By default, and with null, empty."`
	Timezone     Timezone `json:"timezone" format:"iana-timezone" minLength:"1" example:"Europe/Moscow" doc:"A name of the IANA database; neither an offset nor Local."`

	ID ignored `json:"id,omitzero"`
}

// Filter chooses clients, in answers. An empty list matches all clients. A client
// must match both lists.
type Filter struct {
	OperatorCodes []string `json:"operator_codes" nullable:"false" maxItems:"50" pattern:"^[0-9]{3}$" patternDescription:"3 digits" example:"[\"900\"]" doc:"The client's is one of these; empty is any."`
	Tags          []string `json:"tags" nullable:"false" maxItems:"50" minLength:"1" maxLength:"64" example:"[\"vip\"]" doc:"The client's is one of these; empty is any."`
}

// FilterBody chooses clients, in requests. The pattern of a tag, as that of a
// mailing's text, lists the blanks of the domain (Unicode's) one by one. The
// meaning of \s depends on the reader of the pattern, and no escape for the other
// blanks is understood by all readers.
type FilterBody struct {
	OperatorCodes []string `json:"operator_codes,omitempty" maxItems:"50" pattern:"^[0-9]{3}$" patternDescription:"3 digits" example:"[\"900\"]" doc:"The client's must be one of these; empty or null is any, and so is the default."`
	Tags          []string `json:"tags,omitempty" maxItems:"50" minLength:"1" maxLength:"64" pattern:"^[^\\t-\\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]([\\s\\S]*[^\\t-\\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])?$" patternDescription:"without blanks around it" example:"[\"vip\"]" doc:"The client's must be one of these; empty or null is any, and so is the default."`
}

// Window is the part of a client's day in which messages may be sent. If from is
// after to, the window crosses midnight. A window may be null.
type Window struct {
	From string `json:"from" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" patternDescription:"a time as HH:MM" example:"09:00"`
	To   string `json:"to" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" patternDescription:"a time as HH:MM" example:"21:00"`
}

// Mailing is a mailing, in answers.
type Mailing struct {
	ID          int64    `json:"id" minimum:"1" maximum:"2097151" example:"1" doc:"Given by the service, never used again."`
	Text        string   `json:"text" minLength:"1" maxLength:"1600" example:"Your order is ready"`
	StartAt     Time     `json:"start_at" doc:"No message is handed over before it."`
	EndAt       Time     `json:"end_at" doc:"No message is handed over at or after it."`
	Filter      Filter   `json:"filter"`
	Window      *Window  `json:"window" doc:"In each client's local time; null is any time."`
	OnUncertain string   `json:"on_uncertain" enum:"resend,stop" doc:"What is done with a message of which nobody knows whether it was delivered."`
	SMS         SMS      `json:"sms" doc:"What the text comes to when it is sent as SMS."`
	Status      string   `json:"status" enum:"scheduled,running,paused,completed,cancelled"`
	PausedBy    PausedBy `json:"paused_by" doc:"Why it is paused: a person asked for it, or the sending API refused at least half of 200 messages in a row or more. Null while it is not paused."`
	Version     int64    `json:"version" minimum:"1" example:"1" doc:"Goes up with each change; it is the ETag, too."`
	CreatedAt   Time     `json:"created_at"`
	UpdatedAt   Time     `json:"updated_at"`
}

// MailingBody is a mailing, in requests.
type MailingBody struct {
	Text        string     `json:"text" minLength:"1" maxLength:"1600" pattern:"[^\\t-\\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]" patternDescription:"more than blanks" example:"Your order is ready" doc:"Up to 1,600 characters, not only blanks."`
	StartAt     Time       `json:"start_at" doc:"May be past: then it starts at once."`
	EndAt       Time       `json:"end_at" doc:"After now and after start_at." example:"2030-01-31T18:00:00.000Z"`
	Filter      FilterBody `json:"filter"`
	Window      *Window    `json:"window,omitempty" nullable:"true" doc:"In each client's local time. By default, and with null, any time."`
	OnUncertain string     `json:"on_uncertain,omitempty" enum:"resend,stop" doc:"What to do with a message of which nobody knows whether it was delivered: hand it over again, or never risk a second time. By default, and with null, resend."`

	ID        ignored `json:"id,omitzero"`
	SMS       ignored `json:"sms,omitzero"`
	Status    ignored `json:"status,omitzero"`
	PausedBy  ignored `json:"paused_by,omitzero"`
	Version   ignored `json:"version,omitzero"`
	CreatedAt ignored `json:"created_at,omitzero"`
	UpdatedAt ignored `json:"updated_at,omitzero"`
}

// SMS is the size of a text that is sent as SMS.
type SMS struct {
	Encoding string `json:"encoding" enum:"GSM-7,UCS-2"`
	Units    int    `json:"units" minimum:"0" example:"19" doc:"Septets, or UTF-16 code units."`
	Segments int    `json:"segments" minimum:"1" example:"1" doc:"How many short messages it takes."`
}

// Message is one message of a mailing to a client.
type Message struct {
	ID                int64  `json:"id" minimum:"1" maximum:"9007199254740991" example:"4294967297" doc:"What the sending API gets as the message's id."`
	MailingID         int64  `json:"mailing_id" minimum:"1" maximum:"2097151" example:"1"`
	ClientID          int64  `json:"client_id" minimum:"0" maximum:"4294967295" example:"1" doc:"0 for a test message."`
	Test              bool   `json:"test,omitempty" doc:"Whether it is a test message, which counts nowhere."`
	Phone             string `json:"phone" pattern:"^(7[0-9]{10})?$" patternDescription:"11 digits that start with 7, or empty" example:"79001234567" doc:"The client's as it is now; empty once the client is deleted."`
	Status            string `json:"status" enum:"queued,retrying,deferred,sending,sent,failed,expired,cancelled,skipped,uncertain"`
	Attempts          int    `json:"attempts" minimum:"0" doc:"How often it was handed over to the sending API."`
	UncertainAttempts int    `json:"uncertain_attempts" minimum:"0" doc:"How many of them may have been accepted without our knowing."`
	LastError         string `json:"last_error" example:"http_400" doc:"The code of the last attempt that did not succeed; empty if there was none."`
	CreatedAt         Time   `json:"created_at"`
	SentAt            *Time  `json:"sent_at" nullable:"true" doc:"When the sending API accepted it; null unless the status is sent."`
}

// TestBody is the body of a request for a test message.
type TestBody struct {
	Phone string `json:"phone" pattern:"^7[0-9]{10}$" patternDescription:"11 digits that start with 7" example:"79001234567" doc:"Where the text goes to; it need not be a client's."`
}

// Counts are the numbers of messages by status. Total is their sum.
type Counts struct {
	Total     int64 `json:"total" minimum:"0"`
	Queued    int64 `json:"queued" minimum:"0"`
	Retrying  int64 `json:"retrying" minimum:"0"`
	Deferred  int64 `json:"deferred" minimum:"0"`
	Sent      int64 `json:"sent" minimum:"0"`
	Failed    int64 `json:"failed" minimum:"0"`
	Expired   int64 `json:"expired" minimum:"0"`
	Cancelled int64 `json:"cancelled" minimum:"0"`
	Skipped   int64 `json:"skipped" minimum:"0"`
	Uncertain int64 `json:"uncertain" minimum:"0"`
}

// List is one page. A page without next_cursor is the last one.
type List[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" format:"cursor" doc:"For the cursor parameter, to get the next page. It is left out on the last one."`
}

// Info is the statistics of one mailing, with a page of its messages.
type Info struct {
	Mailing    Mailing   `json:"mailing"`
	Counts     Counts    `json:"counts"`
	Expanded   bool      `json:"expanded" doc:"Whether the whole audience is known, so that total is final."`
	Progress   *float64  `json:"progress" minimum:"0" maximum:"1" doc:"Terminal over total; null until something is expanded."`
	Rate       float64   `json:"rate" minimum:"0" doc:"Messages a second over the last minute."`
	Rejected   *float64  `json:"rejected_share" nullable:"true" minimum:"0" maximum:"1" doc:"The part of rejections that the mailing is paused for; null unless paused_by is rejections."`
	Messages   []Message `json:"messages" nullable:"false"`
	NextCursor string    `json:"next_cursor,omitempty" format:"cursor" doc:"For the cursor parameter, to get the next page. It is left out on the last one."`
}

// QueueList is the contents of the queues, with some of the dead letters.
type QueueList struct {
	Queues      []Queue      `json:"queues" nullable:"false"`
	DeadLetters []DeadLetter `json:"dead_letters" nullable:"false" doc:"Some of the dead letters, at most 50."`
}

// Queue is the approximate number of entries of one queue.
type Queue struct {
	Name      string   `json:"name" enum:"tasks,deliveries,dead-letters"`
	Waiting   int64    `json:"waiting" minimum:"0" doc:"What can be taken now."`
	InFlight  int64    `json:"in_flight" minimum:"0" doc:"What is being worked on, or comes back for a retry within a minute."`
	Delayed   int64    `json:"delayed" minimum:"0" doc:"What waits for its time."`
	OldestAge *float64 `json:"oldest_age_seconds" minimum:"0" doc:"How long the oldest has waited that could be worked on; null if none has, or it is not known."`
}

// DeadLetter is a message that is not tried again without a request to do so.
type DeadLetter struct {
	MessageID int64  `json:"message_id" minimum:"0" maximum:"9007199254740991" doc:"0 where it is not known."`
	MailingID int64  `json:"mailing_id" minimum:"0" maximum:"2097151" doc:"0 of a test message, or where it is not known."`
	ClientID  int64  `json:"client_id" minimum:"0" maximum:"4294967295" doc:"0 of a test message, or where it is not known."`
	Reason    string `json:"reason" example:"http_400"`
	Attempts  int    `json:"attempts" minimum:"0"`
	At        Time   `json:"at"`
}

// Redriven is the outcome of a redrive: the numbers of dead letters.
type Redriven struct {
	Redriven int  `json:"redriven" minimum:"0" doc:"Their messages are tried again."`
	Stale    int  `json:"stale" minimum:"0" doc:"Their messages had been tried again, or were gone; the letters are removed."`
	Kept     int  `json:"kept" minimum:"0" doc:"Their mailing has ended or was cancelled, they were busy, or cannot be read; the letters stay."`
	More     bool `json:"more" doc:"Whether there may be more: then call again."`
}

// CountedMailing is a mailing with its counts.
type CountedMailing struct {
	Mailing
	Counts Counts `json:"counts"`
}

// FullInfo is a page of mailings with the sums over all of them.
type FullInfo struct {
	Mailings         []CountedMailing `json:"mailings" nullable:"false"`
	Totals           Counts           `json:"totals"`
	MailingsByStatus MailingsByStatus `json:"mailings_by_status"`
	NextCursor       string           `json:"next_cursor,omitempty" format:"cursor" doc:"For the cursor parameter, to get the next page. It is left out on the last one."`
}

// MailingsByStatus are the numbers of mailings by status.
type MailingsByStatus struct {
	Scheduled int64 `json:"scheduled" minimum:"0"`
	Running   int64 `json:"running" minimum:"0"`
	Paused    int64 `json:"paused" minimum:"0"`
	Completed int64 `json:"completed" minimum:"0"`
	Cancelled int64 `json:"cancelled" minimum:"0"`
}
