// The scenario of test/clients with the package that openapi-generator makes for Go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"scenario/gen"
)

func main() {
	if err := scenario(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("passed")
}

func scenario() error {
	configuration := gen.NewConfiguration()
	configuration.Servers = gen.ServerConfigurations{{URL: os.Getenv("BASE")}}
	api := gen.NewAPIClient(configuration)
	ctx := context.WithValue(context.Background(), gen.ContextAccessToken, os.Getenv("KEY"))
	phones := os.Getenv("PHONES")

	body := gen.NewClientBody(phones+"0", "Europe/Moscow")
	body.SetTag(phones)
	client, _, err := api.ClientsAPI.CreateClient(ctx).ClientBody(*body).Execute()
	if err != nil || client.OperatorCode != phones[1:4] {
		return fmt.Errorf("create a client: %w, %+v", err, client)
	}

	var ids []int64
	for _, window := range []*gen.WindowBody{nil, gen.NewWindowBody("09:00", "21:00")} {
		id, err := mailing(ctx, api, window)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}

	found := map[int64]bool{}
	for list := api.MailingsAPI.ListMailings(ctx).Limit(1); ; {
		page, _, err := list.Execute()
		if err != nil {
			return fmt.Errorf("list mailings: %w", err)
		}
		for _, m := range page.Items {
			found[m.Id] = true
		}
		if !page.HasNextCursor() {
			break
		}
		list = list.Cursor(page.GetNextCursor())
	}
	for _, id := range ids {
		if !found[id] {
			return fmt.Errorf("the list has no mailing %d: %v", id, found)
		}
		if _, err := api.MailingsAPI.DeleteMailing(ctx, id).Execute(); err != nil {
			return fmt.Errorf("delete a mailing: %w", err)
		}
	}

	_, answer, err := api.ClientsAPI.CreateClient(ctx).ClientBody(*gen.NewClientBody(phones+"9", "Mars/Base")).Execute()
	var refused *gen.GenericOpenAPIError
	if answer == nil || answer.StatusCode != http.StatusUnprocessableEntity || !errors.As(err, &refused) {
		return fmt.Errorf("a client that is not valid: %w", err)
	}
	if problem, ok := refused.Model().(gen.Problem); !ok || problem.Errors[0].Location != "body.timezone" {
		return fmt.Errorf("errors of a 422: %+v", refused.Model())
	}
	return files(ctx, api, phones)
}

// mailing creates a mailing, reads it, and sends it back as it was read, once with its
// ETag and once with the one before.
func mailing(ctx context.Context, api *gen.APIClient, window *gen.WindowBody) (int64, error) {
	body := gen.NewMailingBody(time.Date(2091, 1, 2, 3, 4, 5, 0, time.UTC), gen.FilterBody{Tags: []string{"absent"}},
		time.Date(2090, 1, 2, 3, 4, 5, 0, time.UTC), "Hello")
	if window == nil {
		body.SetWindowNil()
	} else {
		body.SetWindow(*window)
	}
	created, _, err := api.MailingsAPI.CreateMailing(ctx).MailingBody(*body).Execute()
	if err != nil {
		return 0, fmt.Errorf("create a mailing: %w", err)
	}
	id := created.Id
	read, answer, err := api.MailingsAPI.GetMailing(ctx, id).Execute()
	if err != nil || (read.Window.Get() == nil) != (window == nil) || read.StartAt.Year() != 2090 {
		return 0, fmt.Errorf("read a mailing: %w, %+v", err, read)
	}
	etag := answer.Header.Get("ETag")
	// The body has the same JSON as the answer, without the fields of later versions.
	read.Sms.AdditionalProperties, read.Filter.AdditionalProperties, read.AdditionalProperties = nil, nil, nil
	if w := read.Window.Get(); w != nil {
		w.AdditionalProperties = nil
	}
	var again gen.MailingBody
	text, err := json.Marshal(read)
	if err == nil {
		err = json.Unmarshal(text, &again)
	}
	if err != nil {
		return 0, fmt.Errorf("read the answer as a body: %w", err)
	}
	again.Text = "Hello!"
	put, _, err := api.MailingsAPI.ReplaceMailing(ctx, id).MailingBody(again).IfMatch(etag).Execute()
	if err != nil || put.Text != "Hello!" || put.Version != read.Version+1 || (put.Window.Get() == nil) != (window == nil) {
		return 0, fmt.Errorf("send back what was read: %w, %+v", err, put)
	}
	_, answer, err = api.MailingsAPI.ReplaceMailing(ctx, id).MailingBody(again).IfMatch(etag).Execute()
	if answer == nil || answer.StatusCode != http.StatusPreconditionFailed {
		return 0, fmt.Errorf("an old ETag: %w", err)
	}
	return id, nil
}

// files imports three rows, of which one is wrong, and finds the others in the export.
func files(ctx context.Context, api *gen.APIClient, phones string) error {
	path := filepath.Join(os.TempDir(), phones+".csv")
	rows := fmt.Sprintf("phone,tag,timezone\n%[1]s1,%[1]s,UTC\n7,,UTC\n%[1]s2,%[1]s,UTC\n", phones)
	if err := os.WriteFile(path, []byte(rows), 0o600); err != nil {
		return err
	}
	defer os.Remove(path)
	for _, created := range []int64{2, 0} {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		done, _, err := api.ClientsAPI.ImportClients(ctx).File(file).Execute()
		if err != nil || done.Created != created || done.Rejected != 1 || done.Rows[0].Line != 3 {
			return fmt.Errorf("import: %w, %+v", err, done)
		}
	}
	text, _, err := api.ClientsAPI.ExportClients(ctx).Phone(phones + "1").Execute()
	if err != nil || !strings.Contains(text, phones+"1") {
		return fmt.Errorf("export: %w, %s", err, text)
	}
	return nil
}
