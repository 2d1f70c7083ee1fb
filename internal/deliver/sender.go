// Package deliver is the sender's work: batches are claimed, their messages
// decided on and handed to the sending API side by side, and settled.
//
// What it promises: a message is handed over once, unless an outcome is
// ambiguous; every ambiguous try is counted; what a sender leaves undone comes
// back by the batch's due_at.
package deliver

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"postrider/internal/mailing"
)

// Store is what the sender needs to be kept. internal/dynamo implements it.
type Store interface {
	Claim(ctx context.Context, k mailing.BatchKey, holder string, now, lease time.Time) (b mailing.Batch, ok bool, err error)
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

// Config is what a person may set.
type Config struct {
	// ProviderTimeout bounds one request to the sending API.
	ProviderTimeout time.Duration
	// InvocationTime bounds one invocation whose context has no deadline.
	InvocationTime time.Duration
	// MaxInFlight is how many requests are under way at once at most.
	MaxInFlight int
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
	jitter   func(time.Duration) time.Duration
	holder   func() string
	inFlight *semaphore.Weighted
	mailings *mailingCache
	health   *health
}

// Randomness is what a sender draws: both from the system, but in tests.
type Randomness struct {
	// Jitter is a random duration from 0 to its argument.
	Jitter func(time.Duration) time.Duration
	// Holder is a name that no other claim has.
	Holder func() string
}

// New is a sender.
func New(store Store, provider Provider, dead DeadLetters, config Config, now func() time.Time, random Randomness) *Sender {
	return &Sender{
		store: store, provider: provider, dead: dead, config: config, now: now,
		jitter: random.Jitter, holder: random.Holder,
		inFlight: semaphore.NewWeighted(int64(config.MaxInFlight)),
		mailings: newMailingCache(store, now),
		health:   &health{},
	}
}

// MinMargin is by how many seconds an invocation's time must at least exceed the
// provider's timeout for a request to fit into it.
const MinMargin = 8

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
	// plans are the mailing's plans that the members were decided on under.
	plans []int64
}

// invocation is what the batches of one call to Deliver share.
type invocation struct {
	// until is when no request may be under way any more.
	until    time.Time
	lease    time.Time
	handling []mailing.Handling
}

// Deliver works on deliveries and says of each what becomes of it. It returns
// when all requests that it began have ended and all claims are settled, as far
// as the store allows.
func (s *Sender) Deliver(ctx context.Context, deliveries []mailing.Delivery) []mailing.Handling {
	inv := s.invocation(ctx, len(deliveries))
	claimed := s.claim(ctx, inv, deliveries)
	var fresh []*work
	var suspect []*work
	for _, w := range claimed {
		if w.batch.Claims > 1 {
			suspect = append(suspect, w)
		} else {
			fresh = append(fresh, w)
		}
	}
	s.process(ctx, inv, deliveries, fresh)
	// A batch that an earlier sender did not survive goes alone, so that it
	// cannot take others with it.
	for _, w := range suspect {
		s.process(ctx, inv, deliveries, []*work{w})
	}
	return inv.handling
}

func (s *Sender) invocation(ctx context.Context, deliveries int) *invocation {
	left := s.config.InvocationTime
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	end := s.now().Add(left)
	return &invocation{
		until: end.Add(-settleReserve), lease: end.Add(leaseReserve), handling: make([]mailing.Handling, deliveries),
	}
}

// claim claims what can be claimed. A refused delivery is taken off the queue:
// what it asked for is done, or is being done, or comes back by its due_at.
func (s *Sender) claim(ctx context.Context, inv *invocation, deliveries []mailing.Delivery) []*work {
	works := make([]*work, len(deliveries))
	var group errgroup.Group
	for i, d := range deliveries {
		group.Go(func() error {
			holder := s.holder()
			b, ok, err := s.store.Claim(ctx, d.Key, holder, s.now(), inv.lease)
			if err != nil {
				// It may have been made, and only its answer lost: the same holder
				// is recognised, where giving up would count as an ambiguous try.
				b, ok, err = s.store.Claim(ctx, d.Key, holder, s.now(), inv.lease)
			}
			switch {
			case err != nil:
				slog.ErrorContext(ctx, "claim", "mailing_id", d.Key.Mailing, "batch", d.Key.String(), "error", err)
				inv.handling[i] = s.again(d, claimAgain)
			case !ok:
				slog.DebugContext(ctx, "claim refused", "mailing_id", d.Key.Mailing, "batch", d.Key.String())
			default:
				works[i] = newWork(i, b, holder)
			}
			return nil
		})
	}
	_ = group.Wait() // its functions return none
	var claimed []*work
	for _, w := range works {
		if w != nil {
			claimed = append(claimed, w)
		}
	}
	return claimed
}

func newWork(delivery int, b mailing.Batch, holder string) *work {
	n := len(b.Members)
	w := &work{
		delivery: delivery, batch: b, holder: holder,
		members: make([]mailing.Member, n), waits: make([]mailing.Wait, n), outcomes: make([]mailing.Outcome, n),
	}
	copy(w.members, b.Members)
	w.plans = slices.Repeat([]int64{b.Plan}, n)
	return w
}

// again lets a delivery come back after d, if the queue has receives left.
func (s *Sender) again(delivery mailing.Delivery, after time.Duration) mailing.Handling {
	if delivery.Receives >= s.config.MaxReceives {
		return mailing.Handling{}
	}
	return mailing.Handling{Again: true, After: after}
}

// process takes claimed batches through hand-over and settlement.
func (s *Sender) process(ctx context.Context, inv *invocation, deliveries []mailing.Delivery, works []*work) {
	if len(works) == 0 {
		return
	}
	begun := s.now()
	s.chargeLost(ctx, works)
	clients, err := s.read(ctx, works)
	read := s.now()
	if err != nil {
		slog.ErrorContext(ctx, "read what batches need", "batches", len(works), "error", err)
		s.release(works)
	} else {
		condemn(works)
		s.handOver(ctx, inv, works, clients)
	}
	handed := s.now()
	s.settle(ctx, works)
	slog.InfoContext(ctx, "batches done", "batches", len(works), "read_ms", read.Sub(begun).Milliseconds(),
		"hand_over_ms", handed.Sub(read).Milliseconds(), "settle_ms", s.now().Sub(handed).Milliseconds())
	for _, w := range works {
		inv.handling[w.delivery] = s.handling(deliveries[w.delivery], w)
	}
}

// read reads the clients of all pending members, and refreshes the mailings.
func (s *Sender) read(ctx context.Context, works []*work) (map[mailing.ClientID]mailing.Client, error) {
	ids := make(map[mailing.ClientID]struct{})
	mailings := make(map[mailing.MailingID]struct{})
	for _, w := range works {
		mailings[w.batch.Key.Mailing] = struct{}{}
		for _, mem := range w.members {
			if mem.Status.Pending() {
				ids[mem.Client] = struct{}{}
			}
		}
	}
	var clients map[mailing.ClientID]mailing.Client
	group, ctx := errgroup.WithContext(ctx)
	for id := range mailings {
		group.Go(func() error {
			_, err := s.mailings.get(ctx, id)
			return err
		})
	}
	group.Go(func() error {
		list := make([]mailing.ClientID, 0, len(ids))
		for id := range ids {
			list = append(list, id)
		}
		var err error
		clients, err = s.store.Recipients(ctx, list)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("read mailings and clients: %w", err)
	}
	return clients, nil
}

// release leaves the pending members of batches for another time.
func (s *Sender) release(works []*work) {
	for _, w := range works {
		for i := range w.waits {
			w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
		}
	}
}

// poisonClaims is how many claims in a row may be left unsettled before a
// batch is held to be what kills its senders.
const poisonClaims = 5

// poisonCode is the last error of a message whose batch killed its senders.
const poisonCode = "poison"

// chargeLost counts earlier claims that were never settled as ambiguous tries.
func (s *Sender) chargeLost(ctx context.Context, works []*work) {
	now := s.now()
	for _, w := range works {
		lost := w.batch.Claims - 1
		if lost <= 0 {
			continue
		}
		slog.WarnContext(ctx, "earlier claims were left unsettled", "mailing_id", w.batch.Key.Mailing, "batch", w.batch.Key.String(), "claims", lost)
		for i, mem := range w.members {
			if !mem.Status.Pending() {
				continue
			}
			w.members[i] = mem.AfterLost(lost, now)
		}
	}
}

// condemn fails what is pending in batches that kill their senders.
func condemn(works []*work) {
	for _, w := range works {
		if w.batch.Claims <= poisonClaims {
			continue
		}
		for i, mem := range w.members {
			if mem.Status.Pending() {
				w.members[i].Status, w.members[i].Error = mailing.Failed, poisonCode
			}
		}
	}
}

// handling says what becomes of a delivery after its batch was settled.
func (s *Sender) handling(d mailing.Delivery, w *work) mailing.Handling {
	soon := false
	for i, mem := range w.members {
		kind := w.waits[i].Kind
		soon = soon || mem.Status.Pending() && (kind == mailing.WaitRetry || kind == mailing.WaitTurn)
	}
	after := w.batch.NotBefore.Sub(s.now())
	if !soon || after > comeBack || w.batch.Holder != "" {
		return mailing.Handling{}
	}
	return s.again(d, max(0, after))
}
