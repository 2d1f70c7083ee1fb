// Package deliver does the sender's work: it claims batches, decides on their messages,
// hands the messages over to the sending API side by side, and settles the batches.
//
// It guarantees:
//   - The sending API accepts a message at most once, unless an outcome is ambiguous.
//   - Every ambiguous attempt is counted.
//   - If a sender leaves a batch unfinished, a sweep queues the batch again when it is
//     due.
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

	// Claim makes holder the only sender that may change the batch until lease, and
	// returns the batch. If ok is false, the claim was refused, and b is the batch as it
	// is stored.
	Claim(ctx context.Context, k mailing.BatchKey, holder string, now, lease time.Time) (b mailing.Batch, ok bool, err error)
	// Unclaim takes back a claim under which nothing was handed over. From due on, the
	// batch is due and may be claimed again. It reports false if the lease was lost.
	Unclaim(ctx context.Context, k mailing.BatchKey, holder string, due time.Time) (bool, error)
	// Settle writes settlements of one slice in one transaction. It leaves out batches
	// that have another holder by now, and returns their keys as lost. A call that is
	// repeated after an error still writes once.
	Settle(ctx context.Context, m mailing.Mailing, slice int, settlements []mailing.Settlement) (lost []mailing.BatchKey, err error)
	Mailings(ctx context.Context, ids []mailing.ID) (map[mailing.ID]mailing.Mailing, error)
	// UpdateMailing applies change and writes the result. change may be called more than
	// once.
	UpdateMailing(ctx context.Context, id mailing.ID, change func(mailing.Mailing) (mailing.Mailing, error)) (mailing.Mailing, error)
	// Recipients returns clients, without those that were deleted.
	Recipients(ctx context.Context, ids []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error)
	// Departed returns the facts that are kept of deleted clients: the zone, and when the
	// zone was edited and the client deleted.
	Departed(ctx context.Context, ids []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error)
	// FinishMailing finishes a mailing if no slice of it needs work. It reports whether
	// the mailing is finished now.
	FinishMailing(ctx context.Context, m mailing.Mailing) (bool, error)
	// CountSettled adds messages that have just become sent, failed or uncertain to the
	// series of m, which is only for display.
	CountSettled(ctx context.Context, m mailing.Mailing, settled mailing.Counts) error
	// CountOutcomes adds o to the current window of outcomes of a mailing that has run
	// since began. It returns the sum in the window.
	CountOutcomes(ctx context.Context, id mailing.ID, began time.Time, o mailing.Outcomes) (mailing.Outcomes, error)
}

// Provider is the external sending API.
type Provider interface {
	// Send hands one message over. It returns soon after the deadline of ctx, or earlier.
	Send(ctx context.Context, h mailing.Handover) mailing.Outcome
}

// DeadLetters is the queue for records of failed messages.
type DeadLetters interface {
	Queue(ctx context.Context, letters []mailing.DeadLetter) error
}

// Meter receives the metrics of the invocations.
type Meter interface {
	// Delivered is called once at the end of each invocation.
	Delivered(t mailing.Tally)
}

// noopMeter discards metrics.
type noopMeter struct{}

func (noopMeter) Delivered(mailing.Tally) {}

// Sweeps is the queue by which the sender asks the scheduler for a sweep.
type Sweeps interface {
	QueueSweep(ctx context.Context) error
}

// noopSweeps asks for no sweep: the sweep of each minute does the work.
type noopSweeps struct{}

func (noopSweeps) QueueSweep(context.Context) error { return nil }

// Config holds the settings of a sender.
type Config struct {
	// ProviderTimeout bounds one request to the sending API.
	ProviderTimeout time.Duration
	// InvocationTime bounds one invocation whose context has no deadline.
	InvocationTime time.Duration
	// MaxInFlight is the maximum number of requests at the same time.
	MaxInFlight int
	// MaxRate is the maximum number of hand-overs a second that this execution environment
	// begins; 0 means no limit.
	MaxRate float64
	// MaxReceives is the number of receives after which the queue makes a delivery a dead
	// letter.
	MaxReceives int
	// PauseOnRejections lets the sender pause a mailing when the sending API rejects at
	// least half of [mailing.RejectionWindow] messages or more.
	PauseOnRejections bool
	// Clock and the sources of randomness come from the system, except in tests.
	Clock clock.Clock
	// Jitter returns a random duration from 0 to its argument.
	Jitter func(time.Duration) time.Duration
	// Holder returns a name that no other claim has.
	Holder func() string
}

// Sender works on deliveries. It is safe for concurrent use. All invocations of an
// execution environment use the same sender, because it remembers whether the sending API
// works.
type Sender struct {
	store     Store
	provider  Provider
	dead      DeadLetters
	config    Config
	now       func() time.Time
	sleep     func(context.Context, time.Duration) error
	inFlight  *semaphore.Weighted
	mailings  *mailingCache
	health    health
	breaker   breaker
	unsettled unsettled
	outcomes  outcomeCounter
	limiter   *rateLimiter
	meter     Meter
	sweeps    Sweeps
}

// Option changes an optional part of a sender.
type Option func(*Sender)

// WithMeter makes the sender report each invocation to m.
func WithMeter(m Meter) Option { return func(s *Sender) { s.meter = m } }

// WithSweeps makes the sender queue a sweep in sweeps when an outage of the sending API
// has ended.
func WithSweeps(sweeps Sweeps) Option { return func(s *Sender) { s.sweeps = sweeps } }

// New returns a sender.
func New(store Store, provider Provider, dead DeadLetters, config Config, options ...Option) *Sender {
	now := config.Clock.Now
	s := &Sender{
		store: store, provider: provider, dead: dead, config: config, now: now, sleep: config.Clock.Sleep,
		inFlight: semaphore.NewWeighted(int64(config.MaxInFlight)),
		mailings: newMailingCache(store, now),
		breaker:  breaker{store: store, now: now},
		limiter:  newRateLimiter(config.MaxRate),
		meter:    noopMeter{}, sweeps: noopSweeps{},
	}
	for _, option := range options {
		option(s)
	}
	return s
}

const (
	// leaseReserve is the time from the end of an invocation to the end of its leases. So
	// an invocation has certainly ended before another sender may claim its batches.
	leaseReserve = 5 * time.Second
	// settleReserve is the time at an invocation's end that is kept free for settling.
	settleReserve = 5 * time.Second
	// maxHidden is the longest wait for which a delivery stays hidden in the queue. With
	// longer waits, the hidden messages could reach SQS's limit of messages in flight.
	maxHidden = time.Minute
	// claimRetry is the time after which a delivery comes back if the store failed.
	claimRetry = 5 * time.Second
)

// delivery is a delivery that an invocation received, with its handling. The zero handling
// takes the delivery off the queue.
type delivery struct {
	mailing.Delivery

	handling mailing.Handling
}

// invocation holds what the batches of one call to Deliver share.
type invocation struct {
	deliveries []*delivery
	// end is when the invocation has to be over.
	end time.Time
	// until is the instant at which the last request must have ended.
	until time.Time
	// lease is the instant at which the leases of its claims end.
	lease time.Time

	// paused holds whether a mailing is paused, for the mailings that this invocation
	// itself has read. Only withoutPaused uses it, in one goroutine.
	paused map[mailing.ID]bool

	// reads lets batches share a reading, and settlements lets them share a transaction.
	reads       *coalescer[struct{}, *work]
	settlements *coalescer[sliceKey, *work]

	// mu guards works, suspects and failed.
	mu    sync.Mutex
	works []*work
	// suspects holds deliveries of batches with Losses, lost claims that were settled.
	// They wait until all other batches are settled.
	suspects []*delivery
	// failed is the number of settlements that were given up because the time was over.
	failed int64

	// earlier is the change of the counts by settlements of earlier invocations that this
	// invocation has written.
	earlier mailing.Counts
}

// invocation returns the state of an invocation that begins now. It measures the time that
// is left by the system's clock, because the deadline of ctx is by that clock. s.now may
// be a test's clock.
func (s *Sender) invocation(ctx context.Context, deliveries []mailing.Delivery) *invocation {
	left := s.config.InvocationTime
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	end := s.now().Add(left)
	inv := &invocation{
		end: end, until: end.Add(-settleReserve), lease: end.Add(leaseReserve),
		paused: map[mailing.ID]bool{},
		reads:  newCoalescer[struct{}, *work](), settlements: newCoalescer[sliceKey, *work](),
	}
	for _, d := range deliveries {
		inv.deliveries = append(inv.deliveries, &delivery{Delivery: d})
	}
	return inv
}

func (inv *invocation) settlementsFailed(n int) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.failed += int64(n)
}

// suspect notes a delivery that waits until its batch can be handed over alone.
func (inv *invocation) suspect(d *delivery) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.suspects = append(inv.suspects, d)
}

// handlings returns the handling of each delivery, in the order of the deliveries.
func (inv *invocation) handlings() []mailing.Handling {
	all := make([]mailing.Handling, len(inv.deliveries))
	for i, d := range inv.deliveries {
		all[i] = d.handling
	}
	return all
}

// Deliver works on deliveries and returns the handling of each, in their order. When it
// returns, all requests that it began have ended. All claims are settled or taken back,
// unless the store failed.
func (s *Sender) Deliver(ctx context.Context, deliveries []mailing.Delivery) []mailing.Handling {
	inv := s.invocation(ctx, deliveries)
	defer s.report(inv)
	if !s.settleEarlier(ctx, inv) {
		for _, d := range inv.deliveries {
			d.handling = s.comeBackAfter(d, maxHidden)
		}
		return inv.handlings()
	}
	s.breaker.refresh(ctx)
	rest := s.probe(ctx, inv, s.withoutPaused(ctx, inv))
	if down, _ := s.breaker.down(); down {
		s.skipOutage(ctx, inv, rest)
	} else {
		s.deliver(ctx, inv, rest)
	}
	s.updateMailings(ctx, inv.works)
	s.countOutcomes(ctx, inv.works)
	return inv.handlings()
}

func (s *Sender) report(inv *invocation) {
	t := mailing.Tally{Settled: inv.earlier, SettlementsFailed: inv.failed}
	for _, w := range inv.works {
		w.count(&t)
	}
	t.BreakerOpen, _ = s.breaker.down()
	s.meter.Delivered(t)
}

// deliver hands batches over and settles them. It takes as many batches as the rate limit
// allows for this invocation, but at least one. The other deliveries come back. A batch
// with Losses is handed over last and alone: if it kills the sender, no other batch is
// affected.
func (s *Sender) deliver(ctx context.Context, inv *invocation, rest []*delivery) {
	var done sync.WaitGroup
	capacity := s.limiter.capacity(inv.until.Sub(s.now()) - s.config.ProviderTimeout)
	// A claim beyond the capacity would only keep its batch from other senders.
	for claimed := 0; len(rest) > 0 && (capacity > 0 || claimed == 0); {
		n := min(len(rest), max(1, capacity/mailing.BatchSize))
		pending := s.startBatches(ctx, inv, rest[:n], &done, len(inv.deliveries) == 1)
		claimed, capacity, rest = claimed+pending, capacity-pending, rest[n:]
	}
	for _, d := range rest {
		d.handling = s.comeBackAfter(d, maxHidden)
	}
	done.Wait()
	for _, d := range inv.suspects {
		inv.settlements.expect(sliceOf(d.Key))
		s.workOn(ctx, inv, d, true, func(int64) {})
	}
}

// probe works on one batch after the other while a probe is due, and returns the
// deliveries that are left.
func (s *Sender) probe(ctx context.Context, inv *invocation, rest []*delivery) []*delivery {
	for len(rest) > 0 && s.breaker.probeDue() {
		var done sync.WaitGroup
		s.startBatches(ctx, inv, rest[:1], &done, true)
		done.Wait()
		rest = rest[1:]
	}
	return rest
}

// process hands a claimed batch over and settles it. If an earlier claim was lost and is
// not settled yet, it only settles the batch.
func (s *Sender) process(ctx context.Context, inv *invocation, w *work) {
	inv.mu.Lock()
	inv.works = append(inv.works, w)
	inv.mu.Unlock()
	if w.lostClaim() {
		s.settleLostClaim(ctx, inv, w)
	} else {
		if err := s.read(ctx, inv, w); err != nil {
			slog.ErrorContext(ctx, "read the mailing and the clients of a batch",
				"mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "error", err)
		} else {
			s.handOver(ctx, inv, w)
		}
		s.settle(ctx, inv, w)
	}
	if w.settled {
		w.delivery.handling = s.handling(w)
	}
}

// handling returns the handling of a delivery after its batch was settled. The delivery
// comes back by itself if a message of the batch can be tried again within maxHidden.
// Otherwise it is taken off the queue, and a sweep queues the batch again when the batch
// is due.
func (s *Sender) handling(w *work) mailing.Handling {
	soon := false
	for _, r := range w.pending() {
		switch r.wait.Kind {
		case mailing.WaitRetry, mailing.WaitTurn, mailing.WaitLater:
			soon = true
		case mailing.WaitResume, mailing.WaitProvider, mailing.WaitUntil:
		}
	}
	after := w.batch.NotBefore.Sub(s.now())
	if !soon || after > maxHidden {
		return mailing.Handling{}
	}
	return s.comeBackAfter(w.delivery, max(0, after))
}
