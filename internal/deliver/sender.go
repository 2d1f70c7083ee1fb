// Package deliver is the sender's work: batches are claimed, their messages
// decided on and handed to the sending API side by side, and settled.
//
// What it promises: a message is handed over once, unless an outcome is
// ambiguous; every ambiguous try is counted; what a sender leaves undone comes
// back by the batch's due_at.
package deliver

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"postrider/internal/mailing"
)

// Store is what the sender needs to be kept. internal/dynamo implements it.
type Store interface {
	Claim(ctx context.Context, k mailing.BatchKey, holder string, now, lease time.Time) (b mailing.Batch, ok bool, err error)
	Unclaim(ctx context.Context, k mailing.BatchKey, holder string, due time.Time) (bool, error)
	Park(ctx context.Context, k mailing.BatchKey, now, until time.Time) (bool, error)
	Settle(ctx context.Context, m mailing.Mailing, slice int, settlements []mailing.Settlement) (lost []mailing.BatchKey, err error)
	Mailings(ctx context.Context, ids []mailing.MailingID) (map[mailing.MailingID]mailing.Mailing, error)
	Recipients(ctx context.Context, ids []mailing.ClientID) (map[mailing.ClientID]mailing.Client, error)
	Slices(ctx context.Context, ids []mailing.MailingID) (map[mailing.MailingID]*[mailing.Slices]mailing.SliceState, error)
	FinishMailing(ctx context.Context, id mailing.MailingID) (bool, error)
	CountSent(ctx context.Context, id mailing.MailingID, n int64) error
}

// Provider is the external sending API.
type Provider interface {
	// Send hands one message over. It returns before ctx's deadline has long
	// passed.
	Send(ctx context.Context, h mailing.Handover) mailing.Outcome
}

// DeadLetters is the queue of what is really dead.
type DeadLetters interface {
	Queue(ctx context.Context, letters []mailing.DeadLetter) error
}

// Meter is told what happened.
type Meter interface {
	// Delivered is called once at the end of each invocation.
	Delivered(t mailing.Tally)
}

// unmetered is told, and tells nobody.
type unmetered struct{}

func (unmetered) Delivered(mailing.Tally) {}

// Config is what a person may set.
type Config struct {
	// ProviderTimeout bounds one request to the sending API.
	ProviderTimeout time.Duration
	// InvocationTime bounds one invocation whose context has no deadline.
	InvocationTime time.Duration
	// MaxInFlight is how many requests are under way at once at most.
	MaxInFlight int
	// MaxRate is how many hand-overs this environment begins a second at most, 0
	// for any number.
	MaxRate float64
	// MaxReceives is how often the queue hands out a message before it
	// becomes a dead letter.
	MaxReceives int
}

// Sender works on deliveries. It is safe for concurrent use, and is to be kept
// from one invocation to the next: it remembers how the provider does.
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
	breaker  breaker
	pace     *pace
	meter    Meter
}

// Option is what a sender can do without.
type Option func(*Sender)

// WithMeter has m told of each invocation.
func WithMeter(m Meter) Option { return func(s *Sender) { s.meter = m } }

// Randomness is what a sender draws: both from the system, but in tests.
type Randomness struct {
	// Jitter is a random duration from 0 to its argument.
	Jitter func(time.Duration) time.Duration
	// Holder is a name that no other claim has.
	Holder func() string
}

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep returns early, with an error, when ctx is done.
	Sleep(ctx context.Context, d time.Duration) error
}

// New is a sender.
func New(store Store, provider Provider, dead DeadLetters, config Config, clock Clock, random Randomness, options ...Option) *Sender {
	s := &Sender{
		store: store, provider: provider, dead: dead, config: config, now: clock.Now, sleep: clock.Sleep,
		jitter: random.Jitter, holder: random.Holder,
		inFlight: semaphore.NewWeighted(int64(config.MaxInFlight)),
		mailings: newMailingCache(store, clock.Now),
		health:   &health{}, pace: newPace(config.MaxRate), meter: unmetered{},
	}
	for _, option := range options {
		option(s)
	}
	return s
}

const (
	// leaseReserve is how much longer than the invocation a lease lasts: a
	// killed one cannot still be sending when it ends.
	leaseReserve = 5 * time.Second
	// settleReserve is kept free at an invocation's end for settling.
	settleReserve = 3 * time.Second
	// comeBack is the longest wait for which a delivery stays in the queue
	// hidden: longer ones would meet SQS's limit of messages in flight.
	comeBack = time.Minute
	// claimAgain is when a delivery comes back whose claim could not be made.
	claimAgain = 5 * time.Second
)

// work is one claimed batch on its way through an invocation.
type work struct {
	delivery int // its place in the invocation
	batch    mailing.Batch
	holder   string
	members  []mailing.Member
	waits    []mailing.Wait
	outcomes []mailing.Outcome
	// started is since when the mailing has been due, if this may be the first
	// that is handed over of its slice.
	started time.Time
	// begun is when each hand-over began, took how long it took.
	begun []time.Time
	took  []time.Duration
	// plans are the mailing's plans that the members were decided on under;
	// untouched, whether nobody had changed it then.
	plans     []int64
	untouched []bool

	// reading guards the clients, and when they were read.
	reading sync.Mutex
	clients map[mailing.ClientID]mailing.Client
	read    time.Time

	// change is by how much its settlement changed the counts.
	change mailing.Counts
}

func newWork(delivery int, b mailing.Batch, holder string) *work {
	n := len(b.Members)
	w := &work{
		delivery: delivery, batch: b, holder: holder,
		members: slices.Clone(b.Members), waits: make([]mailing.Wait, n), outcomes: make([]mailing.Outcome, n),
		begun: make([]time.Time, n), took: make([]time.Duration, n),
		plans: slices.Repeat([]int64{b.Plan}, n), untouched: make([]bool, n),
	}
	// One that was claimed before may have been handed over before.
	if b.Claims == 1 {
		w.started = b.StartedAt
	}
	return w
}

// invocation is what the batches of one call to Deliver share.
type invocation struct {
	deliveries []mailing.Delivery
	// until is when no request may be under way any more.
	until    time.Time
	lease    time.Time
	handling []mailing.Handling
	tally    mailing.Tally
}

// Deliver works on deliveries and says of each what becomes of it. It returns
// when all requests that it began have ended and all claims are settled, as far
// as the store allows.
func (s *Sender) Deliver(ctx context.Context, deliveries []mailing.Delivery) []mailing.Handling {
	inv := s.invocation(ctx, deliveries)
	defer func() {
		// Half open is no trouble that anybody has met.
		inv.tally.BreakerOpen = s.breaker.at(s.now()) == open
		s.meter.Delivered(inv.tally)
	}()
	places := make([]int, len(deliveries))
	for i := range places {
		places[i] = i
	}
	places = s.probe(ctx, inv, places)
	if s.breaker.at(s.now()) != closed {
		s.putOff(ctx, inv, places)
		return inv.handling
	}
	claimed, rest := s.claimFitting(ctx, inv, places)
	s.putOff(ctx, inv, rest)
	s.work(ctx, inv, claimed)
	return inv.handling
}

// claimFitting claims as much as gets its turn within this invocation, at least
// one batch, and gives the places of the rest.
func (s *Sender) claimFitting(ctx context.Context, inv *invocation, places []int) (claimed []*work, rest []int) {
	room := s.pace.room(inv.until.Sub(s.now()) - s.config.ProviderTimeout)
	for len(places) > 0 && (room > 0 || len(claimed) == 0) {
		n := min(len(places), max(1, room/mailing.BatchSize))
		for _, w := range s.claim(ctx, inv, places[:n]) {
			claimed = append(claimed, w)
			room -= int(mailing.CountMembers(w.members).Pending())
		}
		places = places[n:]
	}
	return claimed, places
}

// probe works on one batch after the other while the breaker is half open, which
// lets one message through, and gives those that are left.
func (s *Sender) probe(ctx context.Context, inv *invocation, places []int) []int {
	for len(places) > 0 && s.breaker.at(s.now()) == halfOpen {
		s.work(ctx, inv, s.claim(ctx, inv, places[:1]))
		places = places[1:]
	}
	return places
}

// work takes claimed batches through hand-over and settlement.
func (s *Sender) work(ctx context.Context, inv *invocation, claimed []*work) {
	var fresh, suspects []*work
	for _, w := range claimed {
		if w.batch.Claims > 1 {
			suspects = append(suspects, w)
		} else {
			fresh = append(fresh, w)
		}
	}
	// A batch that an earlier sender did not survive goes alone and last, so that
	// it cannot take others with it: they are not even claimed meanwhile.
	var again []*work
	if len(suspects) > 1 {
		suspects, again = suspects[:1], suspects[1:]
		s.unclaim(ctx, again)
	}
	s.process(ctx, inv, fresh)
	s.process(ctx, inv, suspects)
	for _, w := range again {
		s.process(ctx, inv, s.claim(ctx, inv, []int{w.delivery}))
	}
}

func (s *Sender) invocation(ctx context.Context, deliveries []mailing.Delivery) *invocation {
	left := s.config.InvocationTime
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	end := s.now().Add(left)
	return &invocation{
		deliveries: deliveries, handling: make([]mailing.Handling, len(deliveries)),
		until: end.Add(-settleReserve), lease: end.Add(leaseReserve),
	}
}

// process takes claimed batches through hand-over and settlement.
func (s *Sender) process(ctx context.Context, inv *invocation, works []*work) {
	if len(works) == 0 {
		return
	}
	begun := s.now()
	s.chargeLost(ctx, works)
	err := s.read(ctx, works)
	read := s.now()
	if err != nil {
		slog.ErrorContext(ctx, "read what batches need", "batches", len(works), "error", err)
		release(works)
	} else {
		condemn(works)
		s.handOver(ctx, inv, works)
	}
	handed := s.now()
	s.settle(ctx, works)
	slog.InfoContext(ctx, "batches done", "batches", len(works), "read_ms", read.Sub(begun).Milliseconds(),
		"hand_over_ms", handed.Sub(read).Milliseconds(), "settle_ms", s.now().Sub(handed).Milliseconds())
	for _, w := range works {
		inv.handling[w.delivery] = s.handling(inv.deliveries[w.delivery], w)
		w.count(&inv.tally)
	}
}

// count adds what happened to a batch. Its hand-overs have happened whatever
// became of its settlement; its messages have their statuses only by that. What
// somebody has paused or edited was not handed over late by us.
func (w *work) count(t *mailing.Tally) {
	t.Settled = t.Settled.Plus(w.change)
	for i, o := range w.outcomes {
		t.Attempt(o.Kind, w.took[i])
		if !w.started.IsZero() && w.untouched[i] && !w.begun[i].IsZero() {
			t.Lag(w.batch.Key.Mailing, w.begun[i].Sub(w.started))
		}
	}
}

// release leaves the pending members of batches for another time.
func release(works []*work) {
	for _, w := range works {
		for i := range w.waits {
			w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
		}
	}
}

// handling says what becomes of a delivery after its batch was settled.
func (s *Sender) handling(d mailing.Delivery, w *work) mailing.Handling {
	soon := false
	for i, mem := range w.members {
		if !mem.Status.Pending() {
			continue
		}
		switch w.waits[i].Kind {
		case mailing.WaitRetry, mailing.WaitTurn, mailing.WaitLater:
			soon = true
		case mailing.WaitResume, mailing.WaitProvider, mailing.WaitUntil:
		}
	}
	after := w.batch.NotBefore.Sub(s.now())
	if !soon || after > comeBack || w.batch.Holder != "" {
		return mailing.Handling{}
	}
	return s.again(d, max(0, after))
}

// again lets a delivery come back after d, if the queue has receives left.
func (s *Sender) again(delivery mailing.Delivery, after time.Duration) mailing.Handling {
	if delivery.Receives >= s.config.MaxReceives {
		return mailing.Handling{}
	}
	return mailing.Handling{Again: true, After: after}
}
