// Command import sends a file of clients of any size to the API of a deployment, in
// parts. It goes on where it was interrupted.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	"postrider/internal/clock"
	"postrider/internal/importer"
)

// The local stack, which is imported into unless the environment names another API.
const (
	localURL = "http://localhost:8000"
	localKey = "local-admin"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 || args[0] == "" {
		return errors.New("usage: make import FILE=contacts.csv (API_URL=, API_KEY=, IGNORE_UNKNOWN=1)")
	}
	url, key := os.Getenv("API_URL"), os.Getenv("API_KEY")
	if url == "" {
		key = cmp.Or(key, localKey)
	}
	if key == "" {
		return errors.New("API_URL is set, so API_KEY must be the key of an admin of that API")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return importer.Run(ctx, importer.Config{ //nolint:wrapcheck // it says all
		URL: cmp.Or(url, localURL), Key: key, File: args[0], IgnoreUnknown: os.Getenv("IGNORE_UNKNOWN") == "1",
		Out: os.Stdout, Client: &http.Client{Timeout: time.Minute}, Wait: clock.Sleep,
	})
}
