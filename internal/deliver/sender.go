// Package deliver does the sender's work: it claims batches, decides on their messages,
// hands these over to the sending API side by side, and settles the batches.
//
// It guarantees: a message is handed over once, unless an outcome is ambiguous; every
// ambiguous attempt is counted; work that a sender leaves undone comes back by the
// batch's due_at.
package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"postrider/internal/clock"
	"postrider/internal/mailing"
)

// Store is the storage that the sender needs. internal/dynamo implements it.
type Store interface {
	Outages

	// Claim makes holder the only one that may change the batch until lease. It returns
	// the batch, or with ok false the batch as it is, for the reason of the refusal.
	Claim(ctx context.Context, k mailing.BatchKey, holder string, now, lease time.Time) (b mailing.Batch, ok bool, err error)
	// Unclaim takes back a claim under which nothing was handed over; the batch is due
	// at due. It reports false if the lease was lost.
	Unclaim(ctx context.Context, k mailing.BatchKey, holder string, due time.Time) (bool, error)
	// Settle writes settlements of one slice in one transaction, and returns the
	// batches that have another holder by now. Repeated after an error, it still writes
	// once.
	Settle(ctx context.Context, m mailing.Mailing, slice int, settlements []mailing.Settlement) (lost []mailing.BatchKey, err error)
	Mailings(ctx context.Context, ids []mailing.ID) (map[mailing.ID]mailing.Mailing, error)
	// UpdateMailing applies change and writes the result. change may be called again.
	UpdateMailing(ctx context.Context, id mailing.ID, change func(mailing.Mailing) (mailing.Mailing, error)) (mailing.Mailing, error)
	// Recipients leaves out clients that do not exist any more.
	Recipients(ctx context.Context, ids []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error)
	Departed(ctx context.Context, ids []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error)
	FinishMailing(ctx context.Context, m mailing.Mailing) (bool, error)
	CountSent(ctx context.Context, id mailing.ID, n int64) error
	// CountOutcomes adds outcomes to the window of a mailing that began at an instant,
	// and returns the sum in the window.
	CountOutcomes(ctx context.Context, id mailing.ID, began time.Time, o mailing.Outcomes) (mailing.Outcomes, error)
}

// Provider is the external sending API.
type Provider interface {
	// Send hands one message over. It returns soon after ctx's deadline at the latest.
	Send(ctx context.Context, h mailing.Handover) mailing.Outcome
}

// DeadLetters is the queue of the messages that failed for good.
type DeadLetters interface {
	Queue(ctx context.Context, letters []mailing.DeadLetter) error
}

// Meter receives what the invocations did.
type Meter interface {
	// Delivered is called once at the end of each invocation.
	Delivered(t mailing.Tally)
}

// noopMeter discards metrics.
type noopMeter struct{}

func (noopMeter) Delivered(mailing.Tally) {}

// Sweeps is the queue in which a sweep is asked for.
type Sweeps interface {
	QueueSweep(ctx context.Context) error
}

// noSweeps asks for no sweep: the sweep of each minute does the work.
type noSweeps struct{}

func (noSweeps) QueueSweep(context.Context) error { return nil }

// Config holds the settings of a sender.
type Config struct {
	// ProviderTimeout bounds one request to the sending API.
	ProviderTimeout time.Duration
	// InvocationTime bounds one invocation whose context has no deadline.
	InvocationTime time.Duration
	// MaxInFlight is how many requests are under way at the same time at most.
	MaxInFlight int
	// MaxRate is how many hand-overs this environment may begin a second; 0 is no
	// limit.
	MaxRate float64
	// MaxReceives is after how many receives a delivery becomes a dead letter.
	MaxReceives int
	// PauseOnRejections enables pausing a mailing when the sending API refuses at least
	// half of a window of its messages.
	PauseOnRejections bool
}

// Sender works on deliveries. It is safe for concurrent use. It is kept from one
// invocation to the next, because it remembers how the sending API behaves.
type Sender struct {
	store    Store
	provider Provider
	dead     DeadLetters
	config   Config
	now      func() time.Time
	sleep    func(context.Context, time.Duration) error
	jitter   func(time.Duration) time.Duration
	holder   func() string
	inFlight *semaphore.Weighted
	mailings *mailingCache
	health   *health
	trouble  *trouble
	debt     debt
	outcomes outcomes
	pace     *pace
	meter    Meter
	sweeps   Sweeps
}

// Option changes an optional part of a sender.
type Option func(*Sender)

// WithMeter makes the sender report each invocation to m.
func WithMeter(m Meter) Option { return func(s *Sender) { s.meter = m } }

// WithSweeps makes the sender ask sweeps for a sweep when the sending API works again.
func WithSweeps(sweeps Sweeps) Option { return func(s *Sender) { s.sweeps = sweeps } }

// Randomness holds the sources of a sender's random values. Both come from the system,
// except in tests.
type Randomness struct {
	// Jitter returns a random duration from 0 to its argument.
	Jitter func(time.Duration) time.Duration
	// Holder returns a name that no other claim has.
	Holder func() string
}

// New returns a sender.
func New(store Store, provider Provider, dead DeadLetters, config Config, clock clock.Clock, random Randomness, options ...Option) *Sender {
	s := &Sender{
		store: store, provider: provider, dead: dead, config: config, now: clock.Now, sleep: clock.Sleep,
		jitter: random.Jitter, holder: random.Holder,
		inFlight: semaphore.NewWeighted(int64(config.MaxInFlight)),
		mailings: newMailingCache(store, clock.Now),
		health:   &health{}, trouble: &trouble{store: store, now: clock.Now},
		pace: newPace(config.MaxRate), meter: noopMeter{}, sweeps: noSweeps{},
	}
	for _, option := range options {
		option(s)
	}
	return s
}

const (
	// leaseReserve is how much longer than the invocation a lease lasts: an invocation
	// that was killed cannot still be sending when its lease ends.
	leaseReserve = 5 * time.Second
	// settleReserve is the time at an invocation's end that is kept free for settling.
	settleReserve = 5 * time.Second
	// comeBack is the longest wait for which a delivery stays hidden in the queue.
	// Longer waits would meet SQS's limit of messages in flight.
	comeBack = time.Minute
	// claimAgain is after how long a delivery comes back whose claim could not be made.
	claimAgain = 5 * time.Second
)

// invocation holds what the batches of one call to Deliver share.
type invocation struct {
	deliveries []mailing.Delivery
	// begun is when the invocation began, end when it has to be over.
	begun, end time.Time
	// until is the instant at which the last request must have ended.
	until time.Time
	// lease is the instant at which the leases of its claims end.
	lease time.Time
	// handling holds what becomes of each delivery, in the order of deliveries.
	handling []mailing.Handling

	// paused holds the mailings that this invocation itself has read to be paused
	// (true) or not. Only admitted uses it, in one goroutine.
	paused map[mailing.ID]bool

	// reads and settlements let batches share a reading, or a transaction.
	reads       *gather[struct{}, *work]
	settlements *gather[sliceKey, *work]

	// mu guards works, suspects and unsettled.
	mu    sync.Mutex
	works []*work
	// suspects holds the places of deliveries whose batch's last sender was lost.
	suspects []int
	// unsettled is how many settlements failed until the time was over. late is by how
	// much settlements of earlier invocations, written in this one, changed the counts.
	unsettled int64
	late      mailing.Counts
}

// invocation returns the state of an invocation that begins now. It measures the time
// that is left by the real clock, as ctx does, whatever s.now returns.
func (s *Sender) invocation(ctx context.Context, deliveries []mailing.Delivery) *invocation {
	left := s.config.InvocationTime
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	begun := s.now()
	end := begun.Add(left)
	return &invocation{
		deliveries: deliveries, handling: make([]mailing.Handling, len(deliveries)),
		begun: begun, end: end, until: end.Add(-settleReserve), lease: end.Add(leaseReserve),
		paused: map[mailing.ID]bool{},
		reads:  newGather[struct{}, *work](), settlements: newGather[sliceKey, *work](),
	}
}

func (inv *invocation) failed(settlements int) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.unsettled += int64(settlements)
}

// suspect notes a delivery that has to wait until its batch can go alone.
func (inv *invocation) suspect(place int) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.suspects = append(inv.suspects, place)
}

// Deliver works on deliveries and returns for each what becomes of it. It returns when
// all requests that it began have ended and all claims are settled, as far as the store
// allows.
func (s *Sender) Deliver(ctx context.Context, deliveries []mailing.Delivery) []mailing.Handling {
	inv := s.invocation(ctx, deliveries)
	defer s.report(inv)
	if !s.settleDebt(ctx, inv) {
		for i, d := range deliveries {
			inv.handling[i] = s.again(d, comeBack)
		}
		return inv.handling
	}
	s.trouble.look(ctx)
	places := make([]int, len(deliveries))
	for i := range places {
		places[i] = i
	}
	places = s.admitted(ctx, inv, places)
	places = s.probe(ctx, inv, places)
	if down, _ := s.trouble.down(); down {
		s.putOff(ctx, inv, places)
	} else {
		s.deliver(ctx, inv, places)
	}
	s.wrapUp(ctx, inv.works)
	s.watch(ctx, inv.works)
	return inv.handling
}

func (s *Sender) report(inv *invocation) {
	t := mailing.Tally{Settled: inv.late, SettlementsFailed: inv.unsettled}
	for _, w := range inv.works {
		w.count(&t)
	}
	t.BreakerOpen, _ = s.trouble.down()
	s.meter.Delivered(t)
}

// deliver takes batches through hand-over and settlement, as many as get a turn from
// the pace within this invocation, but at least one. The other deliveries come back. A
// batch whose last sender was lost goes alone and last, so that it cannot end the work
// on others.
func (s *Sender) deliver(ctx context.Context, inv *invocation, places []int) {
	var done sync.WaitGroup
	room := s.pace.room(inv.until.Sub(s.now()) - s.config.ProviderTimeout)
	// A claim without room for its hand-overs would only block other senders.
	for claimed := 0; len(places) > 0 && (room > 0 || claimed == 0); {
		n := min(len(places), max(1, room/mailing.BatchSize))
		all := s.begin(ctx, inv, places[:n], &done, len(inv.deliveries) == 1)
		claimed, room, places = claimed+all, room-all, places[n:]
	}
	for _, i := range places {
		inv.handling[i] = s.again(inv.deliveries[i], comeBack)
	}
	done.Wait()
	for _, i := range inv.suspects {
		inv.settlements.expect(sliceOf(inv.deliveries[i].Key))
		s.take(ctx, inv, i, true, func(int64) {})
	}
}

// probe works on one batch after the other while a probe is due, and returns the places
// that are left.
func (s *Sender) probe(ctx context.Context, inv *invocation, places []int) []int {
	for len(places) > 0 && s.trouble.probeDue() {
		var done sync.WaitGroup
		s.begin(ctx, inv, places[:1], &done, true)
		done.Wait()
		places = places[1:]
	}
	return places
}

// process takes a claimed batch through hand-over and settlement. A batch with a lost
// claim is only settled.
func (s *Sender) process(ctx context.Context, inv *invocation, w *work) {
	inv.mu.Lock()
	inv.works = append(inv.works, w)
	inv.mu.Unlock()
	if w.batch.Claims > 1 {
		s.recover(ctx, inv, w)
	} else {
		if err := s.read(ctx, inv, w); err != nil {
			slog.ErrorContext(ctx, "read what a batch needs", "mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "error", err)
			w.release()
		} else {
			s.handOver(ctx, inv, w)
		}
		s.settle(ctx, inv, w)
	}
	if w.settled {
		inv.handling[w.delivery] = s.handling(inv.deliveries[w.delivery], w)
	}
}

// handling returns what becomes of a delivery after its batch was settled. It comes
// back by itself if a message of the batch can be tried again within comeBack.
// Otherwise it is taken off the queue, and the batch is queued again by its due_at.
func (s *Sender) handling(d mailing.Delivery, w *work) mailing.Handling {
	soon := false
	for i, rec := range w.members {
		if !rec.Status.Pending() {
			continue
		}
		switch w.waits[i].Kind {
		case mailing.WaitRetry, mailing.WaitTurn, mailing.WaitLater:
			soon = true
		case mailing.WaitResume, mailing.WaitProvider, mailing.WaitUntil:
		}
	}
	after := w.batch.NotBefore.Sub(s.now())
	if !soon || after > comeBack {
		return mailing.Handling{}
	}
	return s.again(d, max(0, after))
}
