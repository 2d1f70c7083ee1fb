package provider

import (
	"net/http"
	"strings"
	"time"
)

// maxRetryAfter is the longest wait that the API may ask for. A delayed message in a
// queue cannot wait longer (SQS: 15 min).
const maxRetryAfter = 15 * time.Minute

// retryAfter returns the wait that a Retry-After header asks for, in seconds or as a
// date (RFC 9110, section 10.2.3). The wait is 0 to 15 min: 0 if there is no header, or
// it cannot be read, or the date is past; 15 min if it asks for more.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	if strings.Trim(header, "0123456789") == "" {
		return seconds(header)
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// seconds returns the duration of a number of seconds, with any number of digits, at
// most maxRetryAfter.
func seconds(digits string) time.Duration {
	var d time.Duration
	for _, r := range digits {
		d = min(d*10+time.Duration(r-'0')*time.Second, maxRetryAfter)
	}
	return d
}
