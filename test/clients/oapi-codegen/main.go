// The scenario of test/clients with the program that oapi-codegen makes.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"time"

	"scenario/gen"
)

func main() {
	if err := scenario(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("passed")
}

func scenario(ctx context.Context) error {
	api, err := gen.NewClientWithResponses(os.Getenv("BASE"), gen.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Getenv("KEY"))
		return nil
	}))
	if err != nil {
		return err
	}
	phones := os.Getenv("PHONES")
	tag := phones
	client, err := api.CreateClientWithResponse(ctx, nil, gen.ClientBody{Phone: phones + "0", Tag: &tag, Timezone: "Europe/Moscow"})
	if err != nil || client.JSON201 == nil || client.JSON201.OperatorCode != phones[1:4] {
		return fmt.Errorf("create a client: %v, %s", err, client.Body)
	}

	var ids []int64
	for _, window := range []*gen.WindowBody{nil, {From: "09:00", To: "21:00"}} {
		id, err := mailing(ctx, api, window)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}

	found, one := map[int64]bool{}, int64(1)
	for params := (gen.ListMailingsParams{Limit: &one}); ; {
		page, err := api.ListMailingsWithResponse(ctx, &params)
		if err != nil || page.JSON200 == nil {
			return fmt.Errorf("list mailings: %v, %s", err, page.Body)
		}
		for _, m := range page.JSON200.Items {
			found[m.Id] = true
		}
		if page.JSON200.NextCursor == nil {
			break
		}
		params.Cursor = page.JSON200.NextCursor
	}
	for _, id := range ids {
		if !found[id] {
			return fmt.Errorf("the list has no mailing %d: %v", id, found)
		}
		if gone, err := api.DeleteMailingWithResponse(ctx, id, nil); err != nil || gone.StatusCode() != http.StatusNoContent {
			return fmt.Errorf("delete a mailing: %v, %s", err, gone.Body)
		}
	}

	refused, err := api.CreateClientWithResponse(ctx, nil, gen.ClientBody{Phone: phones + "9", Timezone: "Mars/Base"})
	if err != nil || refused.ApplicationproblemJSON422 == nil || refused.ApplicationproblemJSON422.Errors == nil ||
		(*refused.ApplicationproblemJSON422.Errors)[0].Location != "body.timezone" {
		return fmt.Errorf("errors of a 422: %v, %s", err, refused.Body)
	}
	return files(ctx, api, phones)
}

// mailing creates a mailing, reads it, and sends it back as it was read, once with its
// ETag and once with the one before.
func mailing(ctx context.Context, api *gen.ClientWithResponses, window *gen.WindowBody) (int64, error) {
	tags := []string{"absent"}
	created, err := api.CreateMailingWithResponse(ctx, nil, gen.MailingBody{
		Text: "Hello", StartAt: time.Date(2090, 1, 2, 3, 4, 5, 0, time.UTC), EndAt: time.Date(2091, 1, 2, 3, 4, 5, 0, time.UTC),
		Filter: gen.FilterBody{Tags: &tags}, Window: window,
	})
	if err != nil || created.JSON201 == nil {
		return 0, fmt.Errorf("create a mailing: %v, %s", err, created.Body)
	}
	id := created.JSON201.Id
	read, err := api.GetMailingWithResponse(ctx, id)
	if err != nil || read.JSON200 == nil || (read.JSON200.Window == nil) != (window == nil) || read.JSON200.StartAt.Year() != 2090 {
		return 0, fmt.Errorf("read a mailing: %v, %s", err, read.Body)
	}
	etag := read.HTTPResponse.Header.Get("ETag")
	m := read.JSON200
	again := gen.MailingBody{
		Id: m.Id, Text: m.Text + "!", StartAt: m.StartAt, EndAt: m.EndAt,
		Filter: gen.FilterBody{OperatorCodes: &m.Filter.OperatorCodes, Tags: &m.Filter.Tags},
		Window: (*gen.WindowBody)(m.Window), Sms: m.Sms, Status: m.Status, PausedBy: m.PausedBy,
		Version: m.Version, CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt,
	}
	put, err := api.ReplaceMailingWithResponse(ctx, id, &gen.ReplaceMailingParams{IfMatch: &etag}, again)
	if err != nil || put.JSON200 == nil || put.JSON200.Text != "Hello!" || put.JSON200.Version != m.Version+1 ||
		(put.JSON200.Window == nil) != (window == nil) {
		return 0, fmt.Errorf("send back what was read: %v, %s", err, put.Body)
	}
	stale, err := api.ReplaceMailingWithResponse(ctx, id, &gen.ReplaceMailingParams{IfMatch: &etag}, again)
	if err != nil || stale.StatusCode() != http.StatusPreconditionFailed {
		return 0, fmt.Errorf("an old ETag: %v, %s", err, stale.Body)
	}
	return id, nil
}

// files imports three rows, of which one is wrong, and finds the others in the export.
func files(ctx context.Context, api *gen.ClientWithResponses, phones string) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "clients.csv")
	if err != nil {
		return err
	}
	fmt.Fprintf(part, "phone,tag,timezone\n%[1]s1,%[1]s,UTC\n7,,UTC\n%[1]s2,%[1]s,UTC\n", phones)
	if err := form.Close(); err != nil {
		return err
	}
	file := body.Bytes()
	for _, created := range []int64{2, 0} {
		done, err := api.ImportClientsWithBodyWithResponse(ctx, &gen.ImportClientsParams{}, form.FormDataContentType(), bytes.NewReader(file))
		if err != nil || done.JSON200 == nil || done.JSON200.Created != created || done.JSON200.Rejected != 1 || done.JSON200.Rows[0].Line != 3 {
			return fmt.Errorf("import: %v, %s", err, done.Body)
		}
	}
	phone := phones + "1"
	exported, err := api.ExportClients(ctx, &gen.ExportClientsParams{Phone: &phone})
	if err != nil {
		return err
	}
	defer exported.Body.Close()
	text, err := io.ReadAll(exported.Body)
	if err != nil || exported.StatusCode != http.StatusOK || !strings.Contains(string(text), phone) {
		return fmt.Errorf("export: %v, %d, %s", err, exported.StatusCode, text)
	}
	return nil
}
