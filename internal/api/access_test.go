package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// aRoute is an operation of the description, with an id put into its path.
type aRoute struct{ id, method, path string }

// routes returns all operations of the description.
func routes(t *testing.T, v service) []aRoute {
	t.Helper()
	var described struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(v.call(http.MethodGet, "/openapi.json", "").Body.Bytes(), &described); err != nil {
		t.Fatal(err)
	}
	var all []aRoute
	for path, operations := range described.Paths {
		for method, raw := range operations {
			var op struct {
				ID string `json:"operationId"`
			}
			if err := json.Unmarshal(raw, &op); err != nil || op.ID == "" {
				continue // this key of the path is not an operation
			}
			all = append(all, aRoute{op.ID, strings.ToUpper(method), strings.ReplaceAll(path, "{id}", "1")})
		}
	}
	if len(all) < 20 {
		t.Fatalf("the description has only %d operations", len(all))
	}
	return all
}

// readsOnly has the operations that a viewer may use although their method is not
// GET.
var readsOnly = map[string]bool{"preview-mailing": true, "create-session": true, "delete-session": true}

// public has the operations that need no key, with the status of a request without a
// body.
var public = map[string]int{
	"get-health": http.StatusOK, "create-session": http.StatusBadRequest, "delete-session": http.StatusNoContent,
}

func TestEveryOperationThatIsNotPublicNeedsAKey(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	var walked int
	for _, r := range routes(t, v) {
		for _, headers := range [][]string{
			{"Authorization", without},
			{"Authorization", "Bearer"},
			{"Authorization", "Bearer unknown"},
			{"Authorization", "Basic " + adminKey},
			{"Authorization", adminKey},
			{"Authorization", without, "X-API-Key", "unknown"},
			{"Authorization", "Bearer unknown", "X-API-Key", adminKey},
			{"Authorization", without, "Cookie", "key=" + adminKey},
			{"Authorization", without, "Cookie", "postrider_session=unknown"},
			{"Authorization", "Basic " + adminKey, "Cookie", "postrider_session=" + adminKey},
		} {
			w := v.call(r.method, r.path, "", headers...)
			if want, ok := public[r.id]; ok {
				if w.Code != want {
					t.Errorf("%s answers %d without a key", r.id, w.Code)
				}
				continue
			}
			wantProblem(t, w, http.StatusUnauthorized)
			if w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s: it does not say how to authenticate", r.id)
			}
			walked++
		}
	}
	t.Logf("figure: no key, or a wrong one: %d requests to all operations under /api, each 401", walked)
}

func TestAViewerReadsAndChangesNothing(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{}) // a request that is admitted ends as a 500
	var writes, reads int
	for _, r := range routes(t, v) {
		w := v.call(r.method, r.path, "", "Authorization", "Bearer "+viewerKey)
		if r.method == http.MethodGet || readsOnly[r.id] {
			if w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden {
				t.Errorf("%s: a viewer gets %d", r.id, w.Code)
			}
			reads++
			continue
		}
		wantProblem(t, w, http.StatusForbidden)
		writes++
		if w := v.call(r.method, r.path, ""); w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden {
			t.Errorf("%s: an admin gets %d", r.id, w.Code)
		}
	}
	t.Logf("figure: a viewer: %d operations that write, each 403; %d that read, each allowed", writes, reads)
}

func TestAnUnknownPathBelowTheAPINeedsAKey(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for target, status := range map[string]int{
		"/api/nothing": http.StatusNotFound, "/api/clients//": http.StatusNotFound, "/api/../api/clients": http.StatusNotFound,
		"/api/mailings/1/pause": http.StatusMethodNotAllowed,
	} {
		wantProblem(t, v.call(http.MethodGet, target, "", "Authorization", without), http.StatusUnauthorized)
		wantProblem(t, v.call(http.MethodGet, target, "", "Authorization", "Bearer "+viewerKey), status)
	}
	for _, target := range []string{"/nothing", "/apis", "//api/clients"} {
		wantProblem(t, v.call(http.MethodGet, target, "", "Authorization", without), http.StatusNotFound)
	}
}

func TestDocumentationAndHealthArePublic(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	for _, target := range []string{"/healthz", "/openapi.json", "/openapi.yaml", "/openapi-3.0.json"} {
		if w := v.call(http.MethodGet, target, "", "Authorization", without); w.Code != http.StatusOK {
			t.Errorf("%s answers %d without a key", target, w.Code)
		}
	}
}

func TestAKeyMayBeInEitherHeader(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	for _, headers := range [][]string{
		{"Authorization", "Bearer " + viewerKey},
		{"Authorization", "bearer  " + viewerKey + " "},
		{"Authorization", without, "X-API-Key", viewerKey},
		{"Authorization", "Bearer " + viewerKey, "X-API-Key", "unknown"},
	} {
		wantJSON(t, v.call(http.MethodGet, "/api/clients/7", "", headers...), http.StatusOK, annJSON)
	}
}

func TestNoCallerIsAdmittedWhileKeysCannotBeRead(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	w := v.call(http.MethodGet, "/api/clients/7", "", "Authorization", "Bearer broken")
	wantProblem(t, w, http.StatusServiceUnavailable)
	if w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "parameter") {
		t.Errorf("%v: %s", w.Header(), w.Body)
	}
	if !strings.Contains(v.log.String(), "parameter /keys is gone") {
		t.Errorf("it is not logged: %s", v.log)
	}
}

func TestALogLineHasTheNameOfTheCallerAndNotTheKey(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{client: &ann})
	v.call(http.MethodGet, "/api/clients/7", "", "Authorization", "Bearer "+viewerKey)
	v.call(http.MethodDelete, "/api/clients/7", "", "Authorization", "Bearer "+viewerKey)
	v.call(http.MethodGet, "/api/clients/7", "", "Authorization", "Bearer unknown-key")
	log := v.log.String()
	if strings.Count(log, `"caller":"dashboard"`) != 2 || !strings.Contains(log, `"route":"DELETE /api/clients/{id}"`) {
		t.Errorf("log %s", log)
	}
	if strings.Contains(log, viewerKey) || strings.Contains(log, "unknown-key") {
		t.Errorf("it holds a key: %s", log)
	}
}
