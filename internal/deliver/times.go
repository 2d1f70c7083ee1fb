package deliver

import "fmt"

const (
	// minMargin is the least number of seconds by which an invocation's time must
	// exceed the provider's timeout, for a request to fit into the invocation.
	minMargin = 8
	// minHidden is the least visibility timeout of a received delivery, as a multiple of an
	// invocation's time:
	// docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
	minHidden = 6
)

// Times holds the times that a person sets in seconds, each by its own variable. A
// template cannot state the rules between them, so each program that reads the times
// checks the rules here.
type Times struct {
	Provider   int // PROVIDER_TIMEOUT_SECONDS, of one request
	Sender     int // SENDER_TIMEOUT_SECONDS, of one invocation
	Visibility int // VISIBILITY_TIMEOUT_SECONDS, of a received delivery; 0 if it is not known here
}

// CheckProvider returns an error if a request does not fit into an invocation.
func (t Times) CheckProvider() error {
	if t.Sender-t.Provider < minMargin {
		return fmt.Errorf("PROVIDER_TIMEOUT_SECONDS=%d: set at most SENDER_TIMEOUT_SECONDS (%d) minus %d, so that a request fits",
			t.Provider, t.Sender, minMargin)
	}
	return nil
}

// CheckVisibility returns an error if a delivery does not stay hidden long enough while
// a sender works on it.
func (t Times) CheckVisibility() error {
	if t.Visibility < minHidden*t.Sender {
		return fmt.Errorf("VISIBILITY_TIMEOUT_SECONDS=%d: set at least %d, which is %d times SENDER_TIMEOUT_SECONDS",
			t.Visibility, minHidden*t.Sender, minHidden)
	}
	return nil
}
