// Package call sends requests with a JSON body and reads JSON answers.
package call

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// StatusError is an answer whose status is not 2xx.
type StatusError struct {
	Request string // method and address
	Status  int
	Body    string // the body of the answer
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: the answer is %d %s: %.300s", e.Request, e.Status, http.StatusText(e.Status), e.Body)
}

// JSON sends in as JSON, unless in is nil, and reads the answer into out, unless out is
// nil. An answer whose status is not 2xx is a [*StatusError].
func JSON(ctx context.Context, client *http.Client, method, url string, header http.Header, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	if header != nil {
		request.Header = header.Clone()
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return &StatusError{Request: method + " " + url, Status: response.StatusCode, Body: string(data)}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}
