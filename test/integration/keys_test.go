//go:build integration

package integration_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"postrider/internal/keys"
	domain "postrider/internal/mailing"
	"postrider/localstack/stack"
)

// testKeys adds a key and removes it, while the functions run.
func testKeys(t *testing.T, s *service) {
	store := ssm.NewFromConfig(running.Config())
	name, overwrite := parameters[keysParameter], true
	before, err := store.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	guest := keys.Line(domain.Caller{Role: domain.Viewer, Name: "guest"}, "guest-key")
	write := func(lines string) {
		t.Helper()
		_, err := store.PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: &name, Value: &lines, Type: types.ParameterTypeString, Overwrite: &overwrite,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	status := func(method, path, key string) int {
		t.Helper()
		got, err := s.askWith(t.Context(), method, s.base+path, nil, map[string]string{"Authorization": "", "X-API-Key": key})
		if err != nil {
			t.Fatal(err)
		}
		return got.status
	}
	until := func(key string, want int) time.Duration {
		t.Helper()
		begun := time.Now()
		poll(t, fmt.Sprintf("%s gets the status %d", key, want), func() (bool, string) {
			// An unknown key makes the function read the keys again. Otherwise it reads
			// them once a minute.
			status(http.MethodGet, "/api/", "an-unknown-key")
			got := status(http.MethodGet, "/api/", key)
			return got == want, http.StatusText(got)
		})
		return time.Since(begun)
	}
	for _, c := range []struct {
		method, path, key string
		want              int
	}{
		{http.MethodGet, "/api/clients", "", http.StatusUnauthorized},
		{http.MethodGet, "/api/nothing", "", http.StatusUnauthorized},
		{http.MethodGet, "/api/clients", "guest-key", http.StatusUnauthorized},
		{http.MethodGet, "/api/clients", stack.ViewerKey, http.StatusOK},
		{http.MethodPost, "/api/mailings/process", stack.ViewerKey, http.StatusForbidden},
		{http.MethodDelete, "/api/clients/1", stack.ViewerKey, http.StatusForbidden},
		{http.MethodGet, "/healthz", "", http.StatusOK},
		{http.MethodGet, "/openapi.json", "", http.StatusOK},
	} {
		if got := status(c.method, c.path, c.key); got != c.want {
			t.Errorf("%s %s with %q: status %d, want %d", c.method, c.path, c.key, got, c.want)
		}
	}
	// The other lines stay as they are, names included: parts that run later repeat
	// requests, and idempotency keys belong to the name.
	write(*before.Parameter.Value + "\n" + guest)
	given := until("guest-key", http.StatusOK)
	write(*before.Parameter.Value)
	taken := until("guest-key", http.StatusUnauthorized)
	figure(t, "a key given out works after %.1f s, taken back it is refused after %.1f s; nothing was deployed", given.Seconds(), taken.Seconds())
}
