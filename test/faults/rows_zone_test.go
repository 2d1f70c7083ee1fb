package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"postrider/internal/dynamo"
	"postrider/internal/mailing"
	"postrider/test/invariants"
)

// rezone is an edit of the zone of clients in Moscow while their messages wait for a
// window.
type rezone struct {
	from, to time.Duration // the window
	zone     string        // the new one
	// opens is when the window opens in the new zone, after the world's begin.
	opens time.Duration
	// ends is when the mailing ends. At the old zone's opening each message would expire,
	// or would go out outside the new zone's window.
	ends time.Duration
}

// The world begins at 09:30 UTC, which is 12:30 in Moscow, 19:30 in Vladivostok and 10:30
// in Berlin.
var (
	opensEarlier = rezone{20 * time.Hour, 21 * time.Hour, "Asia/Vladivostok", 30 * time.Minute, 150 * time.Minute}
	opensNow     = rezone{19 * time.Hour, 20 * time.Hour, "Asia/Vladivostok", 0, 150 * time.Minute}
	opensLater   = rezone{13 * time.Hour, 14 * time.Hour, "Europe/Berlin", 150 * time.Minute, 6 * time.Hour}
)

// zoneRows are edits of a client's zone while its message waits for a window. The message
// goes out in the window of the new zone.
func zoneRows() []row {
	var rows []row
	for name, z := range map[string]rezone{"opens earlier": opensEarlier, "is open now": opensNow, "opens later": opensLater} {
		for how, edit := range map[string]func(w *world, clients []mailing.Client, zone string){"edited": (*world).editZones, "imported": (*world).importZones} {
			rows = append(rows, row{name: fmt.Sprintf("a zone is %s, whose window %s", how, name), run: func(w *world) {
				made := w.clients(30)
				m := z.wait(w)
				edit(w, made[:20], z.zone)
				z.finish(w, m, made[:20])
			}})
		}
	}
	for kind, name := range accidents {
		for _, call := range []string{
			"scheduler: Query", "scheduler: BatchGetItem", "scheduler: GetItem", "scheduler: UpdateItem", "scheduler: TransactWriteItems",
			"scheduler: SendMessageBatch to " + tasksURL, "scheduler: SendMessageBatch to " + deliveriesURL,
		} {
			rows = append(rows, row{name: "a zone is edited, then an accident: " + name + ", " + call, run: func(w *world) {
				made := w.clients(20)
				m := opensEarlier.wait(w)
				w.editZones(made, opensEarlier.zone)
				w.gate.named, w.gate.kind = call, kind
				opensEarlier.finish(w, m, made)
				if !w.gate.hasHappened() {
					w.t.Errorf("no call of that name was made")
				}
			}})
		}
	}
	return append(rows,
		row{name: "a zone is edited, and tasks and deliveries are lost for ten minutes", run: func(w *world) {
			made := w.clients(20)
			m := opensEarlier.wait(w)
			w.editZones(made, opensEarlier.zone)
			for range 10 {
				w.clock.Advance(time.Minute)
				w.sweep()
				w.queues.purge(tasksURL)
				w.queues.purge(deliveriesURL)
			}
			opensEarlier.finish(w, m, made)
		}},
		row{name: "a zone is edited after a sender has read it, and looked at before the sender settles", run: func(w *world) {
			made := w.clients(20)
			m := opensEarlier.wait(w)
			w.afterRead("BatchGetItem", func() {
				w.editZones(made, opensEarlier.zone)
				w.replanNow()
			})
			// The edit of the window lets a sender decide again on all messages.
			w.must(m.ID, `{"window": {"from": "20:01", "to": "21:00"}}`)
			w.drain()
			opensEarlier.finish(w, w.mailing(m.ID), made)
		}},
		row{name: "a zone is edited after its page was read, and looked at before the page is written", run: func(w *world) {
			made := w.clients(20)
			w.afterRead("Query", func() {
				w.editZones(made, opensEarlier.zone)
				w.replanNow()
			})
			m := opensEarlier.wait(w)
			opensEarlier.finish(w, m, made)
		}},
		row{name: "a zone is edited while its mailing is paused", run: func(w *world) {
			made := w.clients(20)
			m := opensNow.wait(w)
			w.must(m.ID, "pause")
			w.editZones(made, opensNow.zone)
			w.run(5*time.Minute, nil)
			if n := len(w.provider.took()); n > 0 {
				w.t.Errorf("%d were handed over while it was paused", n)
			}
			w.must(m.ID, "resume")
			opensNow.finish(w, m, made)
		}},
		row{name: "a zone is edited twice", run: func(w *world) {
			made := w.clients(20)
			m := opensEarlier.wait(w)
			w.editZones(made, "America/New_York")
			w.run(3*time.Minute, nil)
			w.editZones(made, opensEarlier.zone)
			opensEarlier.finish(w, m, made)
		}})
}

// wait creates a mailing, and runs it until its messages wait for the window.
func (z rezone) wait(w *world) mailing.Mailing {
	w.t.Helper()
	m := w.create(func(d *mailing.Draft) {
		windowed(z.from, z.to)(d)
		d.EndAt = begin.Add(z.ends)
	})
	w.sweep()
	w.drain()
	return m
}

// finish lets a mailing end. It demands that the message to each edited client went out
// once, in the window of the new zone, at most two minutes after the window opened or
// after now.
func (z rezone) finish(w *world, m mailing.Mailing, edited []mailing.Client) {
	w.t.Helper()
	latest := begin.Add(z.opens + 2*time.Minute)
	if soon := w.clock.Now().Add(2 * time.Minute); soon.After(latest) {
		latest = soon
	}
	w.run(z.ends+time.Hour, w.finished(m.ID))
	took := w.provider.took()
	missed := 0
	for _, c := range edited {
		times := took[mailing.NewMessageID(m.ID, c.ID)]
		if len(times) == 0 {
			missed++
			continue
		}
		if reason := invariants.Forbidden(m, z.zone, times[0].At); reason != "" || times[0].At.After(latest) || len(times) > 1 {
			w.t.Errorf("client %d: handed over %d times, first at %s, want at %s or before; %s",
				c.ID, len(times), times[0].At.Format(time.TimeOnly), latest.Format(time.TimeOnly), reason)
		}
	}
	if missed > 0 {
		w.t.Errorf("%d of %d clients missed the window of their new zone; counts %+v", missed, len(edited), w.counts(m.ID))
	}
}

// replanNow sweeps, and does only the resulting task for edited zones, no task of a
// mailing.
func (w *world) replanNow() {
	w.sweep()
	for some := w.queues.receive(tasksURL, 10); len(some) > 0; some = w.queues.receive(tasksURL, 10) {
		for _, one := range some {
			if strings.Contains(one.body, "replan") {
				w.do(tasksURL, []*message{one})
			}
		}
	}
}

// afterRead calls do once, after the first read of one kind of the clients table, and
// before its answer arrives.
func (w *world) afterRead(call string, do func()) {
	var done atomic.Bool
	w.tables = readClients{w.env.Client, w.env.Tables.Clients, call, func() {
		if done.CompareAndSwap(false, true) { // do itself reads, too
			do()
		}
	}}
	w.restart()
}

// readClients is a DynamoDB that calls after after each read of one kind of the clients
// table.
type readClients struct {
	dynamo.API

	table, call string
	after       func()
}

func (r readClients) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := r.API.Query(ctx, in)
	if r.call == "Query" && *in.TableName == r.table && len(out.Items) > 0 {
		r.after()
	}
	return out, err
}

func (r readClients) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	out, err := r.API.BatchGetItem(ctx, in)
	if _, ok := in.RequestItems[r.table]; ok && r.call == "BatchGetItem" {
		r.after()
	}
	return out, err
}

// editZones changes the zone of clients, one by one.
func (w *world) editZones(clients []mailing.Client, zone string) {
	w.t.Helper()
	for _, c := range clients {
		w.changeClient(c.ID, func(c *mailing.Client) { c.Timezone = zone })
	}
}

// importZones changes the zone of clients by an import of a file.
func (w *world) importZones(clients []mailing.Client, zone string) {
	w.t.Helper()
	var file strings.Builder
	file.WriteString("phone,timezone\n")
	for _, c := range clients {
		fmt.Fprintf(&file, "%s,%s\n", c.Phone, zone)
	}
	answer := w.call(http.MethodPost, "/api/clients/import", file.String(), "Content-Type", "text/csv")
	if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), fmt.Sprintf(`"updated":%d`, len(clients))) {
		w.t.Fatalf("import zones: %d %s", answer.Code, answer.Body)
	}
	for _, c := range clients {
		edited := w.audience[c.ID].Client
		edited.Timezone = zone
		w.audience[c.ID].Edit(edited, w.clock.Now())
	}
}
