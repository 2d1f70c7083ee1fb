// Package token gives the sending API's bearer token where it is in a SecureString
// of AWS Systems Manager (SSM): read when it is first used, again each minute, and
// again when the API has refused it. So it is changed without a deployment.
package token

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"postrider/internal/parameter"
)

// refusedAfter is how old a token must be that the API has refused before it is
// read again. Hundreds of requests may be refused at once; they read it once.
const refusedAfter = time.Second

// errMissing is what a parameter that is not there means.
var errMissing = errors.New("there is no such parameter: put the token there, as a SecureString")

// From returns the source of the token in the SSM parameter of this name, and nil
// if there is no name. check says what is wrong with a token, and must not show it.
//
// The source takes the token that the API has just answered 401 to, or "". What it
// returns is that one again only if there is none that is newer. While SSM cannot
// be read, or holds what is no token, the last one stays; an error means that there
// never was one. No error and no log line shows a token. The source is safe for
// concurrent use.
func From(api parameter.API, name string, check func(string) error, now func() time.Time, log *slog.Logger) func(ctx context.Context, refused string) (string, error) {
	if name == "" {
		return nil
	}
	value := parameter.New(parameter.Config[string]{
		API: api, Name: name, What: "the sending API's token", Now: now, Log: log,
		Parse: func(text string, exists bool) (string, error) {
			if !exists {
				return "", errMissing
			}
			text = strings.TrimSpace(text) // an editor's last line break is no part of it
			return text, check(text)
		},
	})
	return func(ctx context.Context, refused string) (string, error) {
		token, err := value.Get(ctx)
		if err != nil || token != refused {
			return token, err
		}
		return value.Within(ctx, refusedAfter)
	}
}
