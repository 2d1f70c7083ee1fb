package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer is the API's answer to an import.
type answer struct {
	Created   int           `json:"created"`
	Updated   int           `json:"updated"`
	Unchanged int           `json:"unchanged"`
	Rows      []rejectedRow `json:"rows"`
	NextLine  int           `json:"next_line"`
}

type rejectedRow struct {
	Line   int          `json:"line"`
	Errors []fieldError `json:"errors"`
}

type fieldError struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

const (
	// tries is how often a request is made before the import stops. longestWait is the
	// longest time between two of them: together they are some four minutes.
	tries       = 12
	longestWait = 30 * time.Second
)

// errTooLarge means that fewer rows may succeed: the request was too large, or took
// longer than the API has time.
var errTooLarge = errors.New("the API takes not even one row at a time: it is too large, or takes too long")

// refusal is an answer that is repeated in vain, or an error that may pass.
type refusal struct {
	text string
	// again is whether the request can be repeated, and after is when at the earliest.
	again bool
	after time.Duration
}

func (r *refusal) Error() string { return r.text }

// send sends rows, and repeats the request after errors that may pass. Rows that were
// stored by a request whose answer was lost are unchanged the next time.
func (j *job) send(ctx context.Context, s sent) (answer, error) {
	for try := 1; ; try++ {
		a, err := j.request(ctx, s.text)
		var refused *refusal
		if err == nil || ctx.Err() != nil || !errors.As(err, &refused) || !refused.again || try == tries {
			return a, err
		}
		wait := max(refused.after, min(time.Second<<(try-1), longestWait))
		fmt.Fprintf(j.Out, "%s; next try in %v\n", err, wait)
		if err := j.Wait(ctx, wait); err != nil {
			return a, fmt.Errorf("wait to repeat a request: %w", err)
		}
	}
}

// request makes one request.
func (j *job) request(ctx context.Context, body []byte) (a answer, err error) {
	url := strings.TrimSuffix(j.URL, "/") + "/api/clients/import"
	if j.IgnoreUnknown {
		url += "?ignore_unknown=true"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return a, fmt.Errorf("the address of the API, %s, cannot be used: %w", j.URL, err)
	}
	r.Header.Set("Content-Type", "text/csv; charset=utf-8")
	r.Header.Set("Authorization", "Bearer "+j.Key)
	w, err := j.Client.Do(r)
	if err != nil {
		return a, &refusal{text: "the API does not answer: " + err.Error(), again: true}
	}
	defer func() { _ = w.Body.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(w.Body, 16<<20))
	if err != nil {
		return a, &refusal{text: "the answer of the API ends early: " + err.Error(), again: true}
	}
	if w.StatusCode == http.StatusOK {
		if err := json.Unmarshal(text, &a); err != nil {
			return a, &refusal{text: "the answer of the API is not JSON; is " + j.URL + " its address?"}
		}
		return a, nil
	}
	if w.StatusCode == http.StatusRequestEntityTooLarge || w.StatusCode == http.StatusGatewayTimeout {
		return a, errTooLarge
	}
	return a, refused(w, text)
}

// refused returns the error for an answer that is not 200.
func refused(w *http.Response, text []byte) *refusal {
	var p struct {
		Detail string       `json:"detail"`
		Errors []fieldError `json:"errors"`
	}
	said := []string{"the API answers " + w.Status}
	if json.Unmarshal(text, &p) == nil && p.Detail != "" {
		said = append(said, p.Detail)
		for _, e := range p.Errors {
			said = append(said, e.Message)
		}
	}
	r := &refusal{text: strings.Join(said, "; "), again: w.StatusCode == http.StatusTooManyRequests || w.StatusCode >= http.StatusInternalServerError}
	if seconds, err := strconv.Atoi(w.Header.Get("Retry-After")); err == nil {
		r.after = min(time.Duration(seconds)*time.Second, 10*time.Minute)
	}
	return r
}
