// The scenario of test/clients with the program that ogen makes.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	ht "github.com/ogen-go/ogen/http"
	"github.com/ogen-go/ogen/ogenerrors"

	"scenario/gen"
)

func main() {
	if err := scenario(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("passed")
}

// key sends the key as a bearer token.
type key string

func (k key) Bearer(context.Context, gen.OperationName) (gen.Bearer, error) {
	return gen.Bearer{Token: string(k)}, nil
}

func (key) ApiKey(context.Context, gen.OperationName) (gen.ApiKey, error) {
	return gen.ApiKey{}, ogenerrors.ErrSkipClientSecurity
}

func (key) SessionCookie(context.Context, gen.OperationName) (gen.SessionCookie, error) {
	return gen.SessionCookie{}, ogenerrors.ErrSkipClientSecurity
}

func scenario(ctx context.Context) error {
	api, err := gen.NewClient(os.Getenv("BASE"), key(os.Getenv("KEY")))
	if err != nil {
		return err
	}
	phones := os.Getenv("PHONES")
	client, err := api.CreateClient(ctx, &gen.ClientBody{
		Phone: phones + "0", Tag: gen.NewOptNilString(phones), Timezone: "Europe/Moscow",
	}, gen.CreateClientParams{})
	if c, ok := client.(*gen.DirectoryClientHeaders); err != nil || !ok || c.Response.OperatorCode != phones[1:4] {
		return fmt.Errorf("create a client: %v, %+v", err, client)
	}

	var ids []int64
	for _, window := range []gen.OptNilWindowBody{{Set: true, Null: true}, gen.NewOptNilWindowBody(gen.WindowBody{From: "09:00", To: "21:00"})} {
		id, err := mailing(ctx, api, window)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}

	found := map[int64]bool{}
	for params := (gen.ListMailingsParams{Limit: gen.NewOptInt64(1)}); ; {
		answer, err := api.ListMailings(ctx, params)
		page, ok := answer.(*gen.ListMailing)
		if err != nil || !ok {
			return fmt.Errorf("list mailings: %v, %+v", err, answer)
		}
		for _, m := range page.Items {
			found[m.ID] = true
		}
		if !page.NextCursor.Set {
			break
		}
		params.Cursor = page.NextCursor
	}
	for _, id := range ids {
		if !found[id] {
			return fmt.Errorf("the list has no mailing %d: %v", id, found)
		}
		gone, err := api.DeleteMailing(ctx, gen.DeleteMailingParams{ID: id})
		if _, ok := gone.(*gen.DeleteMailingNoContent); err != nil || !ok {
			return fmt.Errorf("delete a mailing: %v, %+v", err, gone)
		}
	}

	refused, err := api.CreateClient(ctx, &gen.ClientBody{Phone: phones + "9", Timezone: "Mars/Base"}, gen.CreateClientParams{})
	if p, ok := refused.(*gen.CreateClientUnprocessableEntity); err != nil || !ok || p.Errors[0].Location != "body.timezone" {
		return fmt.Errorf("errors of a 422: %v, %+v", err, refused)
	}
	return files(ctx, api, phones)
}

// mailing creates a mailing, reads it, and sends it back as it was read, once with its
// ETag and once with the one before.
func mailing(ctx context.Context, api *gen.Client, window gen.OptNilWindowBody) (int64, error) {
	answer, err := api.CreateMailing(ctx, &gen.MailingBody{
		Text: "Hello", StartAt: time.Date(2090, 1, 2, 3, 4, 5, 0, time.UTC), EndAt: time.Date(2091, 1, 2, 3, 4, 5, 0, time.UTC),
		Filter: gen.FilterBody{Tags: gen.NewOptNilStringArray([]string{"absent"})}, Window: window,
	}, gen.CreateMailingParams{})
	created, ok := answer.(*gen.MailingHeaders)
	if err != nil || !ok {
		return 0, fmt.Errorf("create a mailing: %v, %+v", err, answer)
	}
	id := created.Response.ID
	got, err := api.GetMailing(ctx, gen.GetMailingParams{ID: id})
	read, ok := got.(*gen.GetMailingOKHeaders)
	if err != nil || !ok || read.Response.Window.Null != window.Null || read.Response.StartAt.Year() != 2090 {
		return 0, fmt.Errorf("read a mailing: %v, %+v", err, got)
	}
	// The body has the same JSON as the answer.
	text, err := read.Response.MarshalJSON()
	if err != nil {
		return 0, err
	}
	var again gen.MailingBody
	if err := again.UnmarshalJSON(text); err != nil {
		return 0, fmt.Errorf("read the answer as a body: %w", err)
	}
	again.Text = "Hello!"
	params := gen.ReplaceMailingParams{ID: id, IfMatch: read.ETag}
	answered, err := api.ReplaceMailing(ctx, &again, params)
	put, ok := answered.(*gen.GetMailingOKHeaders)
	if err != nil || !ok || put.Response.Text != "Hello!" || put.Response.Version != read.Response.Version+1 || put.Response.Window != read.Response.Window {
		return 0, fmt.Errorf("send back what was read: %v, %+v", err, answered)
	}
	stale, err := api.ReplaceMailing(ctx, &again, params)
	if _, ok := stale.(*gen.ReplaceMailingPreconditionFailed); err != nil || !ok {
		return 0, fmt.Errorf("an old ETag: %v, %+v", err, stale)
	}
	return id, nil
}

// files imports three rows, of which one is wrong, and finds the others in the export.
func files(ctx context.Context, api *gen.Client, phones string) error {
	rows := fmt.Sprintf("phone,tag,timezone\n%[1]s1,%[1]s,UTC\n7,,UTC\n%[1]s2,%[1]s,UTC\n", phones)
	for i, request := range []gen.ImportClientsReq{
		&gen.ClientFileMultipart{File: ht.MultipartFile{Name: "clients.csv", File: strings.NewReader(rows)}},
		&gen.ImportClientsReqTextCsv{Data: strings.NewReader(rows)},
	} {
		answer, err := api.ImportClients(ctx, request, gen.ImportClientsParams{})
		done, ok := answer.(*gen.Imported)
		if err != nil || !ok || done.Created != int64(2-2*i) || done.Rejected != 1 || done.Rows[0].Line != 3 {
			return fmt.Errorf("import: %v, %+v", err, answer)
		}
	}
	answer, err := api.ExportClients(ctx, gen.ExportClientsParams{Phone: gen.NewOptString(phones + "1")})
	exported, ok := answer.(*gen.ExportClientsOKHeaders)
	if err != nil || !ok {
		return fmt.Errorf("export: %v, %+v", err, answer)
	}
	text, err := io.ReadAll(exported.Response)
	if err != nil || !strings.Contains(string(text), phones+"1") {
		return fmt.Errorf("export: %v, %s", err, text)
	}
	return nil
}
