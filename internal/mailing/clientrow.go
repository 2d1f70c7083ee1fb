package mailing

// ClientRow is what one row of an import says of the client that has a phone. A
// nil field is one that the file has no column for; "" is an empty cell.
type ClientRow struct {
	Phone        string
	OperatorCode *string
	Tag          *string
	Timezone     *string
}

// Check tells which rules the row breaks whoever has its phone, all together.
func (r ClientRow) Check() error {
	_, err := r.Over(&Client{Timezone: "UTC"}) // stands for what the file says nothing of
	return err
}

// Over is the client that the row makes of the one that has its phone, nil for
// nobody yet. What the file has no column for stays; an empty cell clears the
// tag and derives the operator code from the phone. A time zone must be there in
// the end. All broken rules are told together.
func (r ClientRow) Over(old *Client) (Client, error) {
	var c Client
	if old != nil {
		c = *old
	}
	c.Phone = r.Phone
	for _, cell := range []struct {
		given *string
		field *string
	}{{r.OperatorCode, &c.OperatorCode}, {r.Tag, &c.Tag}, {r.Timezone, &c.Timezone}} {
		if cell.given != nil {
			*cell.field = *cell.given
		}
	}
	return NewClient(c)
}

// RowOutcome is what became of one row of an import.
type RowOutcome uint8

const (
	// RowOpen: nothing is known to have been done.
	RowOpen RowOutcome = iota
	// RowCreated: there is a new client.
	RowCreated
	// RowUpdated: the client was changed.
	RowUpdated
	// RowUnchanged: the client was as the row has it already.
	RowUnchanged
	// RowRejected: the row breaks a rule, and left everything as it was.
	RowRejected
)

// RowResult is what became of one row, with the reason if it was rejected.
type RowResult struct {
	Outcome RowOutcome
	Err     error
}

// ImportRows is how many rows of an import are written together at most: twelve
// full transactions if all of them are new.
const ImportRows = 396
