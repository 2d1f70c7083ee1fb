package deliver

import "fmt"

const (
	// minMargin is by how many seconds an invocation's time must at least exceed
	// the provider's timeout for a request to fit into it.
	minMargin = 8
	// minHidden is for how many of an invocation's times a received delivery must
	// stay hidden at least: docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
	minHidden = 6
)

// Times are what a person sets in seconds, each by a variable of its own. The
// rules between them are no template's to state: whoever reads them asks here.
type Times struct {
	Provider   int // PROVIDER_TIMEOUT_SECONDS, of one request
	Sender     int // SENDER_TIMEOUT_SECONDS, of one invocation
	Visibility int // VISIBILITY_TIMEOUT_SECONDS, of a received delivery; 0 if it is not known here
}

// CheckProvider reports whether a request fits into an invocation.
func (t Times) CheckProvider() error {
	if t.Sender-t.Provider < minMargin {
		return fmt.Errorf("PROVIDER_TIMEOUT_SECONDS=%d: it is at least %d less than SENDER_TIMEOUT_SECONDS, which is %d, or no request would ever fit",
			t.Provider, minMargin, t.Sender)
	}
	return nil
}

// CheckVisibility reports whether a delivery stays hidden while it is worked on.
func (t Times) CheckVisibility() error {
	if t.Visibility < minHidden*t.Sender {
		return fmt.Errorf("VISIBILITY_TIMEOUT_SECONDS=%d: it is at least %d times SENDER_TIMEOUT_SECONDS, which is %d, so %d or more",
			t.Visibility, minHidden, t.Sender, minHidden*t.Sender)
	}
	return nil
}
