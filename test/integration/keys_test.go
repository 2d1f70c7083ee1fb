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

// keyring changes the keys of the stack.
type keyring struct {
	service *service
	store   *ssm.Client
	// before are the lines before the test.
	before string
}

func openKeyring(t *testing.T, s *service) keyring {
	t.Helper()
	store, name := ssm.NewFromConfig(running.Config()), parameters[keysParameter]
	before, err := store.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	return keyring{s, store, *before.Parameter.Value}
}

// write replaces the lines of the keys.
func (k keyring) write(t *testing.T, lines string) {
	t.Helper()
	name, overwrite := parameters[keysParameter], true
	_, err := k.store.PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: &name, Value: &lines, Type: types.ParameterTypeString, Overwrite: &overwrite,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// status returns the status of the answer to a request with a key.
func (k keyring) status(t *testing.T, method, path, key string) int {
	t.Helper()
	got, err := k.service.askWith(t.Context(), method, k.service.base+path, nil, map[string]string{"Authorization": "", "X-API-Key": key})
	if err != nil {
		t.Fatal(err)
	}
	return got.status
}

// until waits until requests with a key get a status.
func (k keyring) until(t *testing.T, key string, want int) time.Duration {
	t.Helper()
	begun := time.Now()
	poll(t, fmt.Sprintf("%s gets the status %d", key, want), func() (bool, string) {
		// An unknown key makes the function read the keys again. Otherwise it reads
		// them once a minute.
		k.status(t, http.MethodGet, "/api/", "an-unknown-key")
		got := k.status(t, http.MethodGet, "/api/", key)
		return got == want, http.StatusText(got)
	})
	return time.Since(begun)
}

// testKeys adds a key and removes it, while the functions run.
func testKeys(t *testing.T, s *service) {
	ring := openKeyring(t, s)
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
		if got := ring.status(t, c.method, c.path, c.key); got != c.want {
			t.Errorf("%s %s with %q: status %d, want %d", c.method, c.path, c.key, got, c.want)
		}
	}
	// The other lines stay as they are, names included: parts that run later repeat
	// requests, and idempotency keys belong to the name.
	ring.write(t, ring.before+"\n"+keys.Line(domain.Caller{Role: domain.Viewer, Name: "guest"}, "guest-key"))
	given := ring.until(t, "guest-key", http.StatusOK)
	ring.write(t, ring.before)
	taken := ring.until(t, "guest-key", http.StatusUnauthorized)
	figure(t, "a key given out works after %.1f s, taken back it is refused after %.1f s; nothing was deployed", given.Seconds(), taken.Seconds())
}
