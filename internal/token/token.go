// Package token provides the sending API's bearer token from a SecureString of AWS
// Systems Manager (SSM). It reads the token when it is first used, again each minute,
// and again when the API has refused it. So the token can be changed without a
// deployment.
package token

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"postrider/internal/parameter"
)

// refusedAfter is how old a token that the API has refused must be before it is read
// again. Hundreds of requests may be refused at the same time; they read the token
// once.
const refusedAfter = time.Second

// errMissing means that the parameter does not exist.
var errMissing = errors.New("there is no such parameter: put the token there, as a SecureString")

// From returns the source of the token in the SSM parameter of this name, or nil if
// there is no name. check returns what is wrong with a token, and must not show it.
//
// The source takes the token that the API has just answered 401 to, or "". It returns
// that token again only if there is no newer one. While SSM cannot be read, or holds no
// valid token, the source returns the last token; an error means that there never was
// one. No error and no log line shows a token. The source is safe for concurrent use.
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
			text = strings.TrimSpace(text) // the last line break of an editor does not belong to the token
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
