package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"postrider/internal/mailing"
)

// lists returns stores with one resource of each kind and empty lists.
func lists() *stores {
	m := sale()
	message := aMessage()
	return &stores{
		client: &ann, mailing: &m, message: &message, progress: []mailing.Progress{{}},
		deleteClient: func(mailing.ClientID) error { return nil },
		listClients:  func(mailing.ClientQuery) (l mailing.List[mailing.Client], err error) { return l, nil },
		listMailings: func(mailing.MailingQuery) (l mailing.List[mailing.Mailing], err error) { return l, nil },
		listMessages: func(mailing.MessageQuery) (l mailing.List[mailing.Message], err error) { return l, nil },
		overall:      func(mailing.Status) (o mailing.Overall, err error) { return o, nil },
	}
}

func TestAnEmptyOrRepeatedParameterIsRefused(t *testing.T) {
	t.Parallel()
	v := serve(t, lists())
	for target, locations := range map[string]string{
		"/api/clients?phone=":                        "query.phone",
		"/api/clients?tag=&limit=":                   "query.limit query.tag",
		"/api/clients/export?tag=":                   "query.tag",
		"/api/mailings?status":                       "query.status",
		"/api/mailings?status=running&status=paused": "query.status",
		"/api/messages?mailing_id=":                  "query.mailing_id",
		"/api/messages?client_id=7&client_id=7":      "query.client_id",
		"/api/messages?status=%zz":                   "query",
		"/api/messages?status=sent;limit=1":          "query",
		"/api/queues?color=red":                      "query.color",
	} {
		wantProblem(t, v.call(http.MethodGet, target, ""), http.StatusUnprocessableEntity, strings.Fields(locations)...)
	}
	for _, target := range []string{"/api/clients?cursor=", "/api/messages?cursor=&limit=1", "/healthz?a=&a=;"} {
		if w := v.call(http.MethodGet, target, ""); w.Code != http.StatusOK {
			t.Errorf("%s: status %d: %s", target, w.Code, w.Body)
		}
	}
}

func TestOnlyACursorMayBeEmpty(t *testing.T) {
	t.Parallel()
	d := descriptionOf(t)
	v := serve(t, lists())
	for id, op := range d.operations() {
		path, method := pathOf(op)
		parameters, _ := op.value["parameters"].([]any)
		for _, p := range parameters {
			name := asText(asMap(p)["name"])
			if asMap(p)["in"] != "query" || name == "cursor" {
				continue
			}
			w := v.call(method, strings.ReplaceAll(path, "{id}", "3")+"?"+name+"=", "")
			if w.Code != http.StatusUnprocessableEntity {
				t.Errorf("%s takes an empty %s: status %d", id, name, w.Code)
			}
		}
	}
}

func TestParametersAreAcceptedIfTheirSchemaAcceptsThem(t *testing.T) {
	t.Parallel()
	v, d := serve(t, lists()), descriptionOf(t)
	compiler := d.compiler()
	for id, op := range d.operations() {
		path, method := pathOf(op)
		parameters, _ := op.value["parameters"].([]any)
		for i, one := range parameters {
			name, in := asText(asMap(one)["name"]), asText(asMap(one)["in"])
			if in == "header" {
				continue
			}
			schema, err := compiler.Compile(fmt.Sprintf("openapi.json#%s/parameters/%d/schema", op.at, i))
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{
				"", " ", "x", "0", "-1", "1", "3", "7", "1.5", "100", "101", "4294967295", "4294967296", "2097151", "2097152", "9007199254740991", "9007199254740992",
				"79001234567", "+79001234567", "900", "9000", "vip", strings.Repeat("я", 64), strings.Repeat("я", 65), "running", "sending", "Running", "true", "null", "[]",
			} {
				target := strings.ReplaceAll(path, "{id}", "3")
				switch {
				case in == "query":
					target += "?" + url.Values{name: {text}}.Encode()
				case text == "":
					continue
				default:
					target = strings.ReplaceAll(path, "{id}", url.PathEscape(text))
				}
				var value any = text
				if asMap(asMap(one)["schema"])["type"] == "integer" && json.Valid([]byte(text)) {
					value = json.Number(text)
					if strings.ContainsAny(text, "tn[") {
						value = text
					}
				}
				if asMap(asMap(one)["schema"])["type"] == "boolean" && text == "true" {
					value = true
				}
				valid := schema.Validate(value) == nil
				w := v.call(method, target, "")
				refused := w.Code == http.StatusUnprocessableEntity && strings.Contains(w.Body.String(), `"location":"`+in+`.`)
				if valid && refused || !valid && w.Code < http.StatusBadRequest {
					t.Errorf("%s: valid %v, but status %d: %s %s", id, valid, w.Code, target, w.Body)
				}
			}
		}
	}
}
