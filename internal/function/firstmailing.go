package function

import (
	"fmt"
	"strconv"

	"postrider/internal/mailing"
)

// FirstMailing is the id of the first mailing in tables that are new, from the
// environment; 0 lets it be drawn.
type FirstMailing mailing.MailingID

// UnmarshalText reads an id, 0 to [mailing.MaxFirstMailingID].
func (f *FirstMailing) UnmarshalText(text []byte) error {
	id, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil || id > uint64(mailing.MaxFirstMailingID) {
		return fmt.Errorf("%q is no id of a first mailing: set a number from 1 to %d, or 0 to let it be drawn", text, mailing.MaxFirstMailingID)
	}
	*f = FirstMailing(id)
	return nil
}
