package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// described is the part of the description that these tests read.
type described struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string         `json:"operationId"`
		Summary     string         `json:"summary"`
		Tags        []string       `json:"tags"`
		Responses   map[string]any `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`
}

func TestTheDescriptionHasEveryOperation(t *testing.T) {
	t.Parallel()
	v := serve(t, &stores{})
	w := v.call(http.MethodGet, "/openapi.json", "")
	var d described
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatalf("%d %v: %s", w.Code, err, w.Body)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1.") {
		t.Errorf("version %s", d.OpenAPI)
	}
	var got []string
	for path, methods := range d.Paths {
		for method, op := range methods {
			got = append(got, strings.ToUpper(method)+" "+path)
			if op.Summary == "" || len(op.Tags) == 0 || op.OperationID == "" || op.Responses["500"] == nil {
				t.Errorf("%s %s is not described: %+v", method, path, op)
			}
		}
	}
	slices.Sort(got)
	want := []string{
		"DELETE /api/clients/{id}", "DELETE /api/mailings/{id}", "DELETE /api/session",
		"GET /api", "GET /api/clients", "GET /api/clients/export", "GET /api/clients/facets", "GET /api/clients/{id}", "GET /api/mailings", "GET /api/mailings/fullinfo",
		"GET /api/mailings/{id}", "GET /api/mailings/{id}/info", "GET /api/mailings/{id}/messages/export", "GET /api/mailings/{id}/series", "GET /api/messages", "GET /api/messages/{id}",
		"GET /api/queues", "GET /api/session", "GET /healthz", "GET /metrics",
		"PATCH /api/clients/{id}", "PATCH /api/mailings/{id}",
		"POST /api/clients", "POST /api/clients/import", "POST /api/mailings", "POST /api/mailings/preview", "POST /api/mailings/process",
		"POST /api/mailings/{id}/cancel", "POST /api/mailings/{id}/pause", "POST /api/mailings/{id}/resume",
		"POST /api/mailings/{id}/retry", "POST /api/mailings/{id}/test", "POST /api/queues/dead-letters/redrive", "POST /api/session",
		"PUT /api/clients/{id}", "PUT /api/mailings/{id}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	if d.Components.Schemas["Problem"] == nil || d.Components.Schemas["ErrorModel"] != nil {
		t.Error("errors are not described as problem documents")
	}
	if w := v.call(http.MethodGet, "/openapi.yaml", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "openapi: 3.1.") {
		t.Errorf("YAML: %d: %.100s", w.Code, w.Body)
	}
}
