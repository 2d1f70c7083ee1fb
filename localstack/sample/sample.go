// Package sample shows the service at work: it creates some clients and one mailing,
// and follows the mailing's progress.
package sample

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"postrider/localstack/call"
)

// Clients is the number of clients in a sample. Their phones are 70000000001 to
// 70000000500, which are not in use.
const Clients = 500

type client struct {
	Phone        string `json:"phone"`
	OperatorCode string `json:"operator_code"`
	Tag          string `json:"tag"`
	Timezone     string `json:"timezone"`
}

// nth returns the n-th client, from 1. The clients have six time zones, five operators
// and four tags, and each operator occurs with each tag.
func nth(n int) client {
	zones := []string{"Europe/Kaliningrad", "Europe/Moscow", "Europe/Samara", "Asia/Yekaterinburg", "Asia/Novosibirsk", "Asia/Vladivostok"}
	operators := []string{"900", "916", "926", "953", "999"}
	tags := []string{"", "new", "regular", "vip"}
	return client{
		Phone: fmt.Sprintf("7%010d", n), OperatorCode: operators[n%len(operators)],
		Tag: tags[n/2%len(tags)], Timezone: zones[n%len(zones)],
	}
}

// Service is the API that gets the sample.
type Service struct {
	Base string // its address
	Key  string // an admin's key
}

// Load creates the clients and one mailing to all of them that is active now. It
// returns the mailing's id.
func (s Service) Load(ctx context.Context) (id int64, err error) {
	g, clientsCtx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for n := 1; n <= Clients; n++ {
		g.Go(func() error {
			err := s.call(clientsCtx, http.MethodPost, "/api/clients", nth(n), nil)
			if answered(err, http.StatusConflict) {
				return nil // it exists already: from our own retry, or from an earlier sample
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return 0, fmt.Errorf("create the sample's clients: %w", err)
	}
	now := time.Now().UTC()
	mailing := map[string]any{
		"text":     "Greetings from Postrider",
		"start_at": now.Add(-time.Minute).Format(time.RFC3339),
		"end_at":   now.Add(24 * time.Hour).Format(time.RFC3339),
		"filter":   map[string]any{},
	}
	var created struct {
		ID int64 `json:"id"`
	}
	if err := s.call(ctx, http.MethodPost, "/api/mailings", mailing, &created); err != nil {
		return 0, fmt.Errorf("create the sample's mailing: %w", err)
	}
	return created.ID, nil
}

// Progress is the state of a mailing's messages.
type Progress struct {
	Expanded bool `json:"expanded"`
	Counts   struct {
		Total    int `json:"total"`
		Queued   int `json:"queued"`
		Retrying int `json:"retrying"`
		Deferred int `json:"deferred"`
		Sent     int `json:"sent"`
	} `json:"counts"`
	Rate float64 `json:"rate"`
}

// Done reports whether every message has a terminal status.
func (p Progress) Done() bool { return p.Expanded && p.pending() == 0 }

func (p Progress) pending() int { return p.Counts.Queued + p.Counts.Retrying + p.Counts.Deferred }

func (p Progress) String() string {
	if p.Counts.Total == 0 && !p.Expanded {
		return "mailing: looking for its clients"
	}
	s := fmt.Sprintf("mailing: %d of %d sent", p.Counts.Sent, p.Counts.Total)
	if n := p.pending(); n > 0 {
		s += fmt.Sprintf(", %d to go", n)
	}
	if n := p.Counts.Total - p.pending() - p.Counts.Sent; n > 0 {
		s += fmt.Sprintf(", %d not delivered", n)
	}
	return s
}

// Follow shows the mailing's progress on out until every message has a terminal status.
// On a terminal it rewrites one line; otherwise it prints a line for each change.
func (s Service) Follow(ctx context.Context, id int64, out io.Writer, terminal bool) error {
	var last string
	for {
		var p Progress
		err := s.call(ctx, http.MethodGet, fmt.Sprintf("/api/mailings/%d/info?limit=0", id), nil, &p)
		if err != nil {
			return fmt.Errorf("follow the sample's mailing: %w", err)
		}
		line := p.String()
		switch {
		case terminal:
			fmt.Fprintf(out, "\r\033[K%s", line)
		case line != last:
			fmt.Fprintln(out, line)
		}
		last = line
		if p.Done() {
			if terminal {
				fmt.Fprintln(out)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// call sends a request, at most three times. It repeats a request only after a 503:
// then the stack was not ready, and has not processed the request.
func (s Service) call(ctx context.Context, method, path string, in, out any) error {
	for try := 1; ; try++ {
		err := s.once(ctx, method, path, in, out)
		if try == 3 || !answered(err, http.StatusServiceUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * time.Second):
		}
	}
}

func answered(err error, status int) bool {
	var answer *call.StatusError
	return errors.As(err, &answer) && answer.Status == status
}

func (s Service) once(ctx context.Context, method, path string, in, out any) error {
	header := http.Header{"Authorization": {"Bearer " + s.Key}}
	return call.JSON(ctx, http.DefaultClient, method, s.Base+path, header, in, out)
}
