package faults_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"postrider/internal/dynamo"
	"postrider/internal/mailing"
)

// halfway is a DynamoDB in which an expansion stops halfway. Until on is set, it refuses
// those queries of clients for which hides returns true; hides gets the slice and the
// client after which the query begins.
type halfway struct {
	dynamo.API
	clients string
	hides   func(slice, after string) bool
	on      atomic.Bool
}

func (h *halfway) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	var slice, after string
	for _, value := range in.ExpressionAttributeValues {
		if s, ok := value.(*types.AttributeValueMemberS); ok && len(s.Value) == 2 {
			slice = s.Value
		} else if ok && len(s.Value) == 10 {
			after = s.Value
		}
	}
	if aws.ToString(in.TableName) == h.clients && !h.on.Load() && h.hides(slice, after) {
		return nil, errors.New("not yet")
	}
	return h.API.Query(ctx, in, opts...)
}

// noClient is the position after which the first page of a slice begins.
const noClient = "0000000000"

// audienceRows are clients that are created and deleted while their mailing expands.
func audienceRows() []row {
	return []row{
		{name: "a client is deleted and created again between the expansions of two slices", run: func(w *world) {
			made := w.clients(60)
			w.again(60, func(slice, _ string) bool { return slice >= "08" },
				made[slices.IndexFunc(made, func(c mailing.Client) bool { return c.ID.Slice() < 8 })],
				func(id mailing.ClientID) bool { return id.Slice() >= 8 })
		}},
		{name: "a client is deleted and created again between two pages of its slice", run: func(w *world) {
			w.crowd(3, mailing.PageSize+200)
			early := w.clientWhere("79995550000", func(id mailing.ClientID) bool { return id.Slice() == 3 && id < 1<<31 })
			w.again(mailing.PageSize+201, func(slice, after string) bool { return slice == "03" && after != noClient },
				early, func(id mailing.ClientID) bool { return id.Slice() == 3 && id > 15<<28 })
		}},
		{name: "clients from before their creation was stored are in the audience", run: func(w *world) {
			w.crowd(5, 70)
			m := w.create(nil)
			w.sweep()
			w.run(time.Minute, w.finished(m.ID))
			w.sentAll(m.ID, 70)
		}},
		{name: "a client is created after its mailing's start was due, and before it started", run: func(w *world) {
			w.clients(5)
			m := w.create(nil)
			w.clock.Advance(5 * time.Minute) // no call woke the scheduler
			w.clients(5)
			w.sweep()
			w.run(time.Minute, w.finished(m.ID))
			w.sentAll(m.ID, 10)
		}},
		{name: "a client that was created while its mailing expanded gets the next one", run: func(w *world) {
			w.clients(20)
			first := w.halfExpanded(func(slice, _ string) bool { return slice >= "08" })
			late := w.clientWhere("79995550000", func(id mailing.ClientID) bool { return id.Slice() >= 8 })
			w.changeClient(late.ID, func(c *mailing.Client) { c.Tag = "edited" })
			w.expandRest()
			w.run(time.Hour, w.finished(first))
			w.ends(first, mailing.Counts{Total: 20, Sent: 20})
			second := w.create(nil)
			w.sweep()
			w.run(time.Minute, w.finished(second.ID))
			w.ends(second.ID, mailing.Counts{Total: 21, Sent: 21})
		}},
	}
}

// again expands a mailing halfway and delivers those messages. Then it deletes a client
// whose message was sent, and creates it again with an id that the rest of the expansion
// will reach. At the end of the expansion it demands n messages, one for each phone.
func (w *world) again(n int64, hides func(slice, after string) bool, client mailing.Client, ahead func(mailing.ClientID) bool) {
	w.t.Helper()
	id := w.halfExpanded(hides)
	if took := w.provider.took()[mailing.NewMessageID(id, client.ID)]; len(took) != 1 {
		w.t.Fatalf("its message was taken %d times before it is deleted", len(took))
	}
	w.deleteClient(client.ID)
	w.clientWhere(client.Phone, ahead)
	w.expandRest()
	w.run(time.Hour, w.finished(id))
	phones := map[string]int{}
	for _, took := range w.provider.took() {
		for _, h := range took {
			phones[h.Phone]++
		}
	}
	if got := phones[client.Phone]; got != 1 {
		w.t.Errorf("its phone got %d messages of one mailing", got)
	}
	w.ends(id, mailing.Counts{Total: n, Sent: n})
}

// halfExpanded starts a mailing whose expansion cannot see all clients, and delivers the
// messages that it creates.
func (w *world) halfExpanded(hides func(slice, after string) bool) mailing.ID {
	w.t.Helper()
	w.tables = &halfway{API: w.env.Client, clients: w.env.Tables.Clients, hides: hides}
	w.troubled = true
	w.restart()
	m := w.create(nil)
	w.clock.Advance(time.Millisecond)
	w.sweep()
	w.doSome(tasksURL)
	for w.doSome(deliveriesURL) > 0 {
	}
	w.clock.Advance(time.Second)
	return m.ID
}

// expandRest lets the expansion see all clients.
func (w *world) expandRest() {
	w.t.Helper()
	half, ok := w.tables.(*halfway)
	if !ok {
		w.t.Fatalf("no expansion is halfway")
	}
	half.on.Store(true)
}

// clientWhere creates a client with a phone again and again until wanted accepts its id.
func (w *world) clientWhere(phone string, wanted func(mailing.ClientID) bool) mailing.Client {
	w.t.Helper()
	for {
		c := w.client(mailing.Client{Phone: phone, Timezone: "Europe/Moscow"})
		if wanted(c.ID) {
			return c
		}
		w.deleteClient(c.ID)
		delete(w.audience, c.ID)
	}
}

// crowd seeds n clients of one slice, spread over its ids. They are stored in the old
// form, without an instant of creation.
func (w *world) crowd(slice, n int) {
	w.t.Helper()
	clients := make([]mailing.Client, n)
	for i := range clients {
		id := mailing.ClientID(slice + mailing.Slices*(1+i*((1<<32-1)/mailing.Slices/(n+1))))
		clients[i] = mailing.Client{ID: id, Phone: fmt.Sprintf("7902%07d", i), OperatorCode: "902", Timezone: "Europe/Moscow"}
	}
	w.seed(time.Time{}, clients...)
}
