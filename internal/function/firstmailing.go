package function

import (
	"fmt"
	"strconv"

	"postrider/internal/mailing"
)

// FirstMailing is the id of the first mailing in new tables, read from the environment.
// If it is 0, the id is drawn at random.
type FirstMailing mailing.ID

// UnmarshalText reads an id, 0 to [mailing.MaxFirstID].
func (f *FirstMailing) UnmarshalText(text []byte) error {
	id, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil || id > uint64(mailing.MaxFirstID) {
		return fmt.Errorf("%q is no id of a first mailing: set a number from 1 to %d, or 0 to let it be drawn", text, mailing.MaxFirstID)
	}
	*f = FirstMailing(id)
	return nil
}
