package mailing

// ClientRow is one row of an import. It describes the client with its phone. A field is
// nil if the file has no column for it; "" is an empty cell.
type ClientRow struct {
	Phone        string
	OperatorCode *string
	Tag          *string
	Timezone     *string
}

// Check returns an error that lists the rules that the row breaks by itself. A file
// without a column for time zones breaks none of them: the client may exist and have one.
func (r ClientRow) Check() error {
	_, err := r.Over(&Client{Timezone: "UTC"})
	return err
}

// Over returns the client that results from applying the row to old, the client that has
// its phone. old is nil if there is none. A field without a column in the file stays as
// it is. An empty cell clears the tag, or derives the operator code from the phone. The
// result must have a time zone. The error lists all rules that are broken.
func (r ClientRow) Over(old *Client) (Client, error) {
	var before Client
	if old != nil {
		before = *old
	}
	c := before
	c.Phone = r.Phone
	for _, cell := range []struct {
		given *string
		field *string
	}{{r.OperatorCode, &c.OperatorCode}, {r.Tag, &c.Tag}, {r.Timezone, &c.Timezone}} {
		if cell.given != nil {
			*cell.field = *cell.given
		}
	}
	return before.Changed(c)
}

// RowOutcome is the result of importing one row.
type RowOutcome uint8

const (
	// RowOpen means that it is not known whether the row had any effect.
	RowOpen RowOutcome = iota
	// RowCreated means that there is a new client.
	RowCreated
	// RowUpdated means that the client was changed.
	RowUpdated
	// RowUnchanged means that the client was already as the row describes it.
	RowUnchanged
	// RowRejected means that the row breaks a rule, and changed nothing.
	RowRejected
)

// RowResult is the result of one row, with the reason if it was rejected.
type RowResult struct {
	Outcome RowOutcome
	Err     error
}

// ImportRows is the maximum number of rows of an import that are written together. If all
// of them are new, they fill twelve transactions.
const ImportRows = 396
