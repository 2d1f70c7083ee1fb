package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"postrider/internal/mailing"
)

// maxAnswer is how many bytes of an answer are read. A proper one has about a hundred.
const maxAnswer = 64 << 10

func rejected(code string) mailing.Outcome {
	return mailing.Outcome{Kind: mailing.OutcomeRejected, Code: code}
}

func retry(code string) mailing.Outcome {
	return mailing.Outcome{Kind: mailing.OutcomeRetry, Code: code}
}

func ambiguous(code string) mailing.Outcome {
	return mailing.Outcome{Kind: mailing.OutcomeAmbiguous, Code: code}
}

func misconfigured(code string) mailing.Outcome {
	return mailing.Outcome{Kind: mailing.OutcomeMisconfigured, Code: code}
}

func notTried(code string) mailing.Outcome {
	return mailing.Outcome{Kind: mailing.OutcomeNotTried, Code: code}
}

// outcome returns the outcome of an answer. Only the outcome of a 200 depends on the
// body. Every other status decides alone, even if the body is cut.
func (c *Client) outcome(caller, call context.Context, resp *http.Response) mailing.Outcome {
	if resp.StatusCode == http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		switch {
		case len(body) > maxAnswer:
			return ambiguous("too_large")
		case err != nil:
			// An answer that does not end properly cannot be relied on, even if a code
			// 0 was in it.
			return ambiguous(brokenCode(caller, call, err))
		}
		return outcomeByBody(body)
	}
	if resp.StatusCode >= 200 { // below 200, the body is the connection itself
		// net/http uses the connection again only if the body is read to its end.
		_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	}
	out := outcomeByStatus(resp.StatusCode)
	if out.Kind == mailing.OutcomeThrottled {
		out.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), c.now())
	}
	return out
}

// outcomeByStatus returns the outcome of an answer whose status is not 200.
//
// Only 400 and 422 are about the message. An undocumented 4xx is about the request: a
// wrong path, or a deployment in progress. A 5xx may come from any point after the
// message was accepted; only 503 says that it was not.
func outcomeByStatus(status int) mailing.Outcome {
	code := "http_" + strconv.Itoa(status)
	switch {
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return rejected(code)
	case status == http.StatusTooManyRequests:
		return mailing.Outcome{Kind: mailing.OutcomeThrottled, Code: code}
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusServiceUnavailable:
		return retry(code)
	case status >= 300 && status < 500:
		return misconfigured(code)
	default: // other 2xx, other 5xx, 101, and statuses that HTTP does not know
		return ambiguous(code)
	}
}

// outcomeByBody returns the outcome of a 200.
func outcomeByBody(body []byte) mailing.Outcome {
	code, err := readCode(body)
	switch {
	case errors.Is(err, errNoCode):
		return ambiguous("no_code")
	case err != nil:
		return ambiguous("bad_answer")
	case code != 0:
		return ambiguous("code_" + strconv.Itoa(int(code)))
	default:
		return mailing.Outcome{Kind: mailing.OutcomeSent}
	}
}

var (
	errNoCode    = errors.New("no code")
	errNotObject = errors.New("not one JSON object with distinct keys")
)

// readCode returns the code of {"code": int32, ...}: one object, no key twice, and
// nothing after the object. It is stricter than [json.Unmarshal], which takes "Code"
// for "code", null or a missing code for 0, and the last of two equal keys. It does not
// check other keys.
func readCode(body []byte) (int32, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return 0, errNotObject
	}
	var (
		code *int32
		seen = make(map[string]bool, 2)
	)
	for dec.More() {
		token, err := dec.Token()
		key, ok := token.(string)
		if err != nil || !ok || seen[key] {
			return 0, errNotObject
		}
		seen[key] = true
		if key != "code" {
			var skipped json.RawMessage
			if err := dec.Decode(&skipped); err != nil {
				return 0, err
			}
			continue
		}
		if err := dec.Decode(&code); err != nil {
			return 0, err
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return 0, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return 0, errNotObject
	}
	if code == nil {
		return 0, errNoCode
	}
	return *code, nil
}
