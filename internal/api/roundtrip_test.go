package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

// spreadsheet generates characters for cells: those that are special in CSV or in
// spreadsheets, and any others.
var spreadsheet = rapid.OneOf(
	rapid.SampledFrom([]rune("=+-@\t\r\n'\",; aя\u2028\ufeff\x00")),
	rapid.Rune().Filter(func(r rune) bool { return r != '\ufffd' }),
)

func TestWhatIsExportedIsImportedAsItWas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		tags := rapid.SliceOfN(rapid.StringOfN(spreadsheet, 0, mailing.MaxTag, -1), 1, 20).Draw(r, "tags")
		var clients []mailing.Client
		for i, tag := range tags {
			c, err := mailing.NewClient(mailing.Client{ID: mailing.ClientID(i + 1), Phone: fmt.Sprintf("7900%07d", i), Tag: tag, Timezone: "UTC"})
			if err != nil {
				r.Fatal(err)
			}
			clients = append(clients, c)
		}
		var got []mailing.ClientRow
		v := serve(t, &stores{
			listClients: func(mailing.ClientQuery) (mailing.List[mailing.Client], error) {
				return mailing.List[mailing.Client]{Items: clients}, nil
			},
			upsertClients: func(rows []mailing.ClientRow) ([]mailing.RowResult, error) {
				got = append(got, rows...)
				results := make([]mailing.RowResult, len(rows))
				for i := range results {
					results[i].Outcome = mailing.RowUnchanged
				}
				return results, nil
			},
		})
		file := v.call(http.MethodGet, "/api/clients/export", "").Body.String()
		done := v.send(t.Context(), file, "text/csv")
		if done.Code != http.StatusOK || !strings.Contains(done.Body.String(), fmt.Sprintf(`"unchanged":%d`, len(clients))) {
			r.Fatalf("%s of %q", done.Body, file)
		}
		for i, row := range got {
			c, err := row.Over(nil)
			c.ID = clients[i].ID
			if diff := cmp.Diff(clients[i], c); diff != "" || err != nil {
				r.Fatalf("%v (-exported +imported):\n%s%q", err, diff, file)
			}
		}
	})
}

func TestNoCellOfAnExportIsAFormula(t *testing.T) {
	t.Parallel()
	for tag, cell := range map[string]string{
		"=1+1": "'=1+1", "+7": "'+7", "-1": "'-1", "@a": "'@a", "'a": "''a", "a=1": "a=1", "": "", "''": "'''",
		"x;=1+1;": "x;'=1+1;", "x; ;  @a": "x; ;'  @a", "x;'-1": "x;''-1", // spreadsheets that split rows at semicolons
		"a\r\nb": "\"a\r\r\nb\"", // encoding/csv removes one carriage return
	} {
		v := serve(t, &stores{listClients: func(mailing.ClientQuery) (mailing.List[mailing.Client], error) {
			return mailing.List[mailing.Client]{Items: []mailing.Client{{ID: 7, Phone: "79001234567", OperatorCode: "900", Tag: tag, Timezone: "UTC"}}}, nil
		}})
		wantCSV(t, v.call(http.MethodGet, "/api/clients/export", ""), "clients.csv",
			"id,phone,operator_code,tag,timezone\n7,79001234567,900,"+cell+",UTC\n")
	}
}

func TestImportingAnExportChangesNothing(t *testing.T) {
	t.Parallel()
	v := serveClients(t, dynamotest.StartMemory(t).Store())
	var file strings.Builder
	file.WriteString("phone;tag;timezone;operator_code\n")
	for n := range 1000 {
		fmt.Fprintf(&file, "7900%07d;%s;Europe/Moscow;%s\n", n, []string{"", "vip", "=\"1;2\"", "-b"}[n%4], []string{"", "999"}[n%2])
	}
	made := imported(t, v.send(t.Context(), strings.ReplaceAll(file.String(), "=\"1;2\"", "\"=\"\"1;2\"\"\""), ""))
	if made.Created != 1000 {
		t.Fatalf("%+v", made)
	}
	exported, pages := 0, 0
	for next := "?limit=300"; next != ""; pages++ {
		w := v.call(http.MethodGet, "/api/clients/export"+next, "")
		done := imported(t, v.send(t.Context(), w.Body.String(), ""))
		if done.Created+done.Updated+done.Rejected != 0 {
			t.Fatalf("an export is imported as %+v", done)
		}
		exported += done.Unchanged
		next, _, _ = strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">")
	}
	if exported != 1000 || pages != 4 {
		t.Errorf("%d clients were exported in %d pages", exported, pages)
	}
}
