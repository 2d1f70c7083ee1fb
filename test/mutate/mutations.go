package main

import "slices"

// Files that are broken in many ways.
const (
	claimGo    = "internal/dynamo/claim.go"
	senderGo   = "internal/deliver/sender.go"
	handoverGo = "internal/deliver/handover.go"
	decideGo   = "internal/mailing/decide.go"
)

// Packages whose tests find out.
const (
	domain    = "./internal/mailing"
	store     = "./internal/dynamo"
	scheduler = "./internal/schedule"
	sender    = "./internal/deliver"
	api       = "./internal/provider"
)

var mutations = slices.Concat(ofClaims, ofPages, ofHandOvers, ofOutcomes, ofRequests, ofAccess, ofCreation, ofMetrics, ofReports, ofAges, ofBeginnings, ofAudiences, ofWaits) //nolint:gochecknoglobals // a list that nobody changes

// ofClaims break who may do what to a batch, and when.
var ofClaims = []mutation{ //nolint:gochecknoglobals // as above
	{
		name: "a batch is settled whoever holds it",
		file: claimGo,
		old: `TableName: &s.tables.Batches, Item: it,
			ConditionExpression:       aws.String("#holder = :holder"),`,
		new: `TableName: &s.tables.Batches, Item: it,
			ConditionExpression: aws.String("#holder = :holder OR attribute_not_exists(#holder) OR attribute_exists(#holder)"),`,
		pkg: store, test: "TestOnlyItsHolderSettlesABatch",
	},
	{
		name: "one lost lease keeps the other batches from being settled",
		file: claimGo,
		old:  "if len(kept) == len(rest) {",
		new:  "if len(left) > 0 {",
		pkg:  store, test: "TestOnlyItsHolderSettlesABatch",
	},
	{
		name: "a claim ignores a live lease",
		file: claimGo,
		old:  "(attribute_not_exists(#lease) OR #lease <= :now)",
		new:  "(attribute_not_exists(#lease) OR attribute_exists(#lease))",
		pkg:  store, test: "TestAClaimIsRefusedWhileAnothersLeaseIsLive",
	},
	{
		name: "claims are not counted",
		file: claimGo,
		old:  `":one": num(1)}`,
		new:  `":one": num(0)}`,
		pkg:  store, test: "TestClaimsAreCountedUntilTheBatchIsSettled",
	},
	{
		name: "a claim that the SDK repeats is refused as another's",
		file: claimGo,
		old:  "if !heldBy(condition.Item, holder) {",
		new:  "if !heldBy(condition.Item, holder) || true {",
		pkg:  store, test: "TestAClaimThatIsRepeatedIsRecognised",
	},
	{
		name: "a claimed batch is not due any more: its killed sender loses it",
		file: claimGo,
		old:  "SET #holder = :holder, #lease = :lease, #due = :lease ADD #claims :one REMOVE #sweeps",
		new:  "SET #holder = :holder, #lease = :lease ADD #claims :one REMOVE #sweeps, #due",
		pkg:  store, test: "TestAClaimedBatchIsDueAsItsLeaseEnds",
	},
	{
		name: "a lease is shorter than its invocation",
		file: senderGo,
		old:  "lease: end.Add(leaseReserve)",
		new:  "lease: end.Add(-leaseReserve)",
		pkg:  sender, test: "TestALeaseOutlivesItsInvocation",
	},
	{
		name: "a refused claim is returned as a failure",
		file: "internal/deliver/claim.go",
		old:  "case !ok:",
		new: `case !ok:
		inv.handling[i] = s.again(d, claimAgain)`,
		pkg: sender, test: "TestARefusedDeliveryIsTakenOffTheQueue",
	},
	{
		name: "a sender that died counts for nothing",
		file: senderGo,
		old:  "s.chargeLost(ctx, works)",
		new:  "",
		pkg:  sender, test: "TestASenderThatDiedCountsAsAnAmbiguousTry",
	},
	{
		name: "what has ended waits until the sending API works",
		file: "internal/deliver/claim.go",
		old:  "return err == nil && m.Closed(s.now())",
		new:  "return err != nil && m.Closed(s.now())",
		pkg:  "./test/faults", test: "TestWhatHasEndedIsAccountedForWhileTheSendingAPIIsDown",
	},
	{
		name: "batches that a sender did not survive are held together",
		file: senderGo,
		old:  "if len(suspects) > 1 {",
		new:  "if len(suspects) > len(claimed) {",
		pkg:  sender, test: "TestABatchThatASenderDidNotSurviveIsHeldAlone",
	},
	{
		name: "what is pending has a time to live",
		file: "internal/dynamo/batchitem.go",
		old:  "if it.DueAt == 0 {",
		new:  "if it.DueAt >= 0 {",
		pkg:  store, test: "TestABatchExpiresOnlyOnceNothingOfItIsPending",
	},
	{
		name: "counts do not change with a settlement",
		file: claimGo,
		old:  "items = append(items, s.countsChange(m.ID, slice, change)...)",
		new:  "_, _ = slice, change",
		pkg:  store, test: "TestOnlyItsHolderSettlesABatch",
	},
	{
		name: "counts change in a transaction of their own, behind the settlement",
		file: claimGo,
		old:  "err = s.transact(ctx, what, items)",
		new: `if err = s.transact(ctx, what, items[:len(rest)]); err == nil && len(items) > len(rest) {
			err = s.transact(ctx, what, items[len(rest):])
		}`,
		pkg: store, test: "TestCountsChangeWithTheirBatchesWhereverASettlementIsCut",
	},
}

// ofPages break how an audience is expanded, and how what is overdue is queued
// again.
var ofPages = []mutation{ //nolint:gochecknoglobals // as above
	{
		name: "a page is queued before it is written",
		file: "internal/schedule/task.go",
		old:  "written, err := s.store.WritePage(ctx, m, page)",
		new: `if err := s.queueOpen(ctx, page.Batches); err != nil {
			return false, err
		}
		written, err := s.store.WritePage(ctx, m, page)`,
		pkg: scheduler, test: "TestNothingIsQueuedBeforeItsPageIsWritten",
	},
	{
		name: "the first page is written whatever the cursor",
		file: "internal/dynamo/slices.go",
		old:  `condition := "attribute_not_exists(#cursor)"`,
		new:  `condition := "attribute_not_exists(#cursor) OR attribute_exists(#cursor)"`,
		pkg:  store, test: "TestAPageIsWrittenOnceForTheCursorThatItBeganAt",
	},
	{
		name: "a later page is written whatever the cursor",
		file: "internal/dynamo/slices.go",
		old:  `condition = "#cursor = :seen AND #done = :false"`,
		new:  `condition = "attribute_exists(#cursor) OR #cursor = :seen OR #done = :false"`,
		pkg:  store, test: "TestAPageIsWrittenOnceForTheCursorThatItBeganAt",
	},
	{
		name: "the cursor moves in a transaction of its own, behind the page",
		file: "internal/dynamo/slices.go",
		old:  "err := s.transact(ctx, what, items)",
		new: `err := s.transact(ctx, what, items[:len(items)-1])
	if err == nil {
		err = s.transact(ctx, what, items[len(items)-1:])
	}`,
		pkg: store, test: "TestAPageIsWrittenWithItsCountsOrNotAtAll",
	},
	{
		name: "a sweep does not move due_at on",
		file: "internal/schedule/task.go",
		old:  "s.store.Postpone(ctx, row, now.Add(delay+mailing.Patience(row.Sweeps)), freed)",
		new:  "s.store.Postpone(ctx, row, row.DueAt, freed)",
		pkg:  scheduler, test: "TestAnOverdueBatchIsQueuedOnceAndThenWithMorePatience",
	},
	{
		name: "a sweep queues before it moves due_at on",
		file: "internal/schedule/task.go",
		old: `group.Go(func() error {
			moved, err := s.store.Postpone(`,
		new: `if err := s.deliveries.Queue(ctx, []mailing.BatchKey{row.Key}, delay); err != nil {
			return err
		}
		group.Go(func() error {
			moved, err := s.store.Postpone(`,
		pkg: scheduler, test: "TestABatchIsMovedOnBeforeItIsQueuedAgain",
	},
	{
		name: "batches of a paused mailing are queued again",
		file: "internal/mailing/batch.go",
		old:  "if m.Status == StatusPaused && !closed {",
		new:  "if m.Status == StatusPaused && m.Finished {",
		pkg:  domain, test: "TestWhichBatchesATaskQueuesAgain",
	},
	{
		name: "a mailing is finished though failures wait to be queued anew",
		file: "internal/mailing/retry.go",
		old:  "return m.Expands(state) || state.Counts.Pending() > 0 || m.Retries(state, now)",
		new:  "return m.Expands(state) || state.Counts.Pending() > 0",
		pkg:  domain, test: "TestAMailingIsDoneWhenNoSliceHasAnythingLeft",
	},
	{
		name: "a mailing is finished though a slice is not expanded",
		file: "internal/mailing/retry.go",
		old:  "return m.Expands(state) || state.Counts.Pending() > 0 || m.Retries(state, now)",
		new:  "return state.Counts.Pending() > 0 || m.Retries(state, now)",
		pkg:  domain, test: "TestAMailingIsDoneWhenNoSliceHasAnythingLeft",
	},
}

// ofHandOvers break when a message may be handed over.
var ofHandOvers = []mutation{ //nolint:gochecknoglobals // as above
	{
		name: "the first member's decision goes for its whole batch",
		file: handoverGo,
		old: `defer s.inFlight.Release(1)
	h, ok := s.decide(ctx, w, i)`,
		new: `defer s.inFlight.Release(1)
	h, ok := s.decide(ctx, w, 0)
	h.ID = mailing.NewMessageID(w.batch.Key.Mailing, w.members[i].Client)`,
		pkg: sender, test: "TestEachMemberOfABatchIsDecidedOnByItself",
	},
	{
		name: "a message is decided on before it waits for its turn, and not again",
		file: handoverGo,
		old: `if !s.await(ctx, inv, at) {
		w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
		return
	}
	defer s.inFlight.Release(1)
	h, ok := s.decide(ctx, w, i)
	if !ok {
		return
	}`,
		new: `h, ok := s.decide(ctx, w, i)
	if !ok {
		return
	}
	if !s.await(ctx, inv, at) {
		w.waits[i] = mailing.Wait{Kind: mailing.WaitTurn}
		return
	}
	defer s.inFlight.Release(1)`,
		pkg: sender, test: "TestWhatWaitedForItsTurnIsDecidedOnAgain",
	},
	{
		name: "a message is decided on by its mailing as it was an hour ago",
		file: "internal/deliver/clients.go",
		old:  "const freshFor = time.Second",
		new:  "const freshFor = time.Hour",
		pkg:  sender, test: "TestWhatWaitedForItsTurnIsDecidedOnAgain",
	},
	{
		name: "a request begins that does not fit into the invocation",
		file: handoverGo,
		old:  "if now.Add(s.config.ProviderTimeout).After(inv.until) {",
		new:  "if now.After(inv.until) {",
		pkg:  sender, test: "TestNoRequestBeginsThatDoesNotFitIntoTheInvocation",
	},
	{
		name: "a hand-over begins though its time has come while it was connecting",
		file: "internal/provider/transport.go",
		old:  "if first && try.tooLate() {",
		new:  "if first && try.tooLate() && try.heard.Load() {",
		pkg:  api, test: "TestAHandOverThatConnectingMakesTooLateIsNotBegun",
	},
	{
		name: "a hand-over begins at its mailing's very end",
		file: decideGo,
		old:  "case !now.Before(m.EndAt):",
		new:  "case now.After(m.EndAt):",
		pkg:  domain, test: "TestWhatIsToBeDoneWithAMessage",
	},
	{
		name: "a hand-over begins before its mailing's start",
		file: decideGo,
		old:  "case now.Before(m.StartAt):",
		new:  "case now.Before(m.StartAt) && m.Deleted:",
		pkg:  domain, test: "TestWhatIsToBeDoneWithAMessage",
	},
	{
		name: "a hand-over begins while its mailing is paused",
		file: decideGo,
		old:  "case m.Status == StatusPaused:",
		new:  "case m.Status == StatusPaused && m.Deleted:",
		pkg:  domain, test: "TestWhatIsToBeDoneWithAMessage",
	},
	{
		name: "a client that DynamoDB left unprocessed is taken for deleted",
		file: "internal/dynamo/read.go",
		old:  "w.Keys = left",
		new:  "w.Keys = nil",
		pkg:  store, test: "TestKeysThatDynamoDBLeavesUnprocessedAreReadAgain",
	},
	{
		name: "clients that cannot be read are taken for deleted",
		file: "internal/deliver/clients.go",
		old: `clients, err = s.store.Recipients(ctx, ids)
		return err`,
		new: `clients, _ = s.store.Recipients(ctx, ids)
		return nil`,
		pkg: sender, test: "TestClientsThatCannotBeReadAreNotTakenForDeleted",
	},
}

// ofOutcomes break what an answer, or its absence, makes of a message.
var ofOutcomes = []mutation{ //nolint:gochecknoglobals // as above
	{
		name: "an ambiguous try is not counted",
		file: decideGo,
		old:  "charged.Uncertain++",
		new:  "",
		pkg:  domain, test: "TestWhatAHandOverMakesOfAMessage",
	},
	{
		name: "a lost claim is not counted as an ambiguous try",
		file: decideGo,
		old:  "mem.Uncertain += lost",
		new:  "",
		pkg:  domain, test: "TestALostClaimIsAnAmbiguousTryOfWhatWasPending",
	},
	{
		name: "a panic on the way is taken for a request that was not made",
		file: handoverGo,
		old:  `o = mailing.Outcome{Kind: mailing.OutcomeAmbiguous, Code: "panic"}`,
		new:  `o = mailing.Outcome{Kind: mailing.OutcomeRetry, Code: "panic"}`,
		pkg:  sender, test: "TestAPanicIsAnAmbiguousOutcomeOfItsMessageAlone",
	},
	{
		name: "on_uncertain: stop risks a second hand-over",
		file: decideGo,
		old: `case mem.Ambiguous && m.OnUncertain == Stop:
		mem.Status = Uncertain`,
		new: "",
		pkg: domain, test: "TestWhatAHandOverMakesOfAMessage",
	},
	{
		name: "a 401 or a 429 uses an attempt up",
		file: decideGo,
		old:  "case OutcomeThrottled, OutcomeMisconfigured:",
		new: `case OutcomeThrottled, OutcomeMisconfigured:
		return charged.again(m, now)`,
		pkg: domain, test: "TestWhatAHandOverMakesOfAMessage",
	},
	{
		name: "an attempt is charged though the trouble is the provider's",
		file: decideGo,
		old:  "if providerWorks {",
		new:  "if providerWorks || mem.Status.Pending() {",
		pkg:  domain, test: "TestWhatAHandOverMakesOfAMessage",
	},
	{
		name: "the provider is held to work though it never answered",
		file: handoverGo,
		old:  "return !h.last.IsZero() && now.Sub(h.last) < healthy",
		new:  "return h.last.IsZero() || now.Sub(h.last) < healthy",
		pkg:  sender, test: "TestAnAttemptIsChargedOnlyWhereTheAPIIsKnownToWork",
	},
	{
		name: "the breaker never opens",
		file: "internal/deliver/breaker.go",
		old:  "if all.calls >= breakerCalls && 2*all.failed >= all.calls {",
		new:  "if all.calls >= breakerCalls && all.failed > all.calls {",
		pkg:  sender, test: "TestAnAPIThatKeepsFailingIsLeftAlone",
	},
	{
		name: "a probe that fails does not open the breaker again",
		file: "internal/deliver/breaker.go",
		old: `case b.phase == halfOpen:
		b.change(open, now)`,
		new: `case b.phase == halfOpen:
		b.probing = false`,
		pkg: sender, test: "TestAnAPIThatKeepsFailingIsLeftAlone",
	},
	{
		name: "a 401 does not open the breaker",
		file: "internal/deliver/breaker.go",
		old: `case o.Kind == mailing.OutcomeMisconfigured:
		b.change(open, now)`,
		new: `case o.Kind == mailing.OutcomeMisconfigured:
		b.count(true, now)`,
		pkg: sender, test: "TestAnAPIThatDoesNotKnowUsIsLeftAloneAtOnce",
	},
	{
		name: "what the provider's trouble put off stays in the queue and uses up receives",
		file: senderGo,
		old: `case mailing.WaitRetry, mailing.WaitTurn, mailing.WaitLater:
			soon = true
		case mailing.WaitResume, mailing.WaitProvider, mailing.WaitUntil:`,
		new: `case mailing.WaitRetry, mailing.WaitTurn, mailing.WaitLater, mailing.WaitProvider:
			soon = true
		case mailing.WaitResume, mailing.WaitUntil:`,
		pkg: sender, test: "TestAnAttemptIsChargedOnlyWhereTheAPIIsKnownToWork",
	},
	{
		name: "a delivery comes back on its last receive, and is taken for dead",
		file: senderGo,
		old:  "if delivery.Receives >= s.config.MaxReceives {",
		new:  "if delivery.Receives > s.config.MaxReceives {",
		pkg:  sender, test: "TestADeliveryComesBackOnlyWhileItHasReceivesLeft",
	},
	{
		name: "a failed message is no dead letter",
		file: "internal/deliver/settle.go",
		old:  "s.bury(ctx, works)",
		new:  "",
		pkg:  sender, test: "TestAFailedMessageIsADeadLetterAndNoOther",
	},
}

// ofRequests break how the sending API is spoken to.
var ofRequests = []mutation{ //nolint:gochecknoglobals // as above
	{
		name: "a 200 with garbage is taken for sent",
		file: "internal/provider/answer.go",
		old: `case err != nil:
		return ambiguous("bad_answer")`,
		new: `case err != nil:
		return mailing.Outcome{Kind: mailing.OutcomeSent}`,
		pkg: api, test: "TestOnly200WithCodeZeroIsSent",
	},
	{
		name: "a 4xx that is not documented is taken for a refusal of the message",
		file: "internal/provider/answer.go",
		old: `case status >= 300 && status < 500:
		return misconfigured(code)`,
		new: `case status >= 400 && status < 500 && status != http.StatusUnauthorized && status != http.StatusForbidden:
		return rejected(code)
	case status >= 300 && status < 500:
		return misconfigured(code)`,
		pkg: api, test: "TestAnAnswersStatusDecides",
	},
	{
		name: "a 500 is taken for a message that was certainly not taken",
		file: "internal/provider/answer.go",
		old:  "case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusServiceUnavailable:",
		new:  "case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusServiceUnavailable, status == http.StatusInternalServerError:",
		pkg:  api, test: "TestAnAnswersStatusDecides",
	},
	{
		name: "a hand-over waits for a connection though it may not begin any more",
		file: "internal/provider/waiting.go",
		old:  "timer := time.AfterFunc(left, a.expire)",
		new:  "timer := time.AfterFunc(left+time.Hour, a.expire)",
		pkg:  api, test: "TestASlowHandshakeServesTheHandOverThatIsDecidedAgain",
	},
	{
		name: "redirects are followed",
		file: "internal/provider/client.go",
		old:  "c.transport.RoundTrip(req)",
		new:  "(&http.Client{Transport: c.transport}).Do(req)",
		pkg:  api, test: "TestAnAnswersStatusDecides",
	},
	{
		name: "an Idempotency-Key makes net/http repeat requests",
		file: "internal/provider/client.go",
		old:  `"User-Agent":   {"postrider"},`,
		new: `"User-Agent":   {"postrider"},
			"Idempotency-Key": {"1"},`,
		pkg: api, test: "TestARequestIsWhatTheAPIDocuments",
	},
	{
		name: "a request is repeated after bytes of it were written",
		file: "internal/provider/client.go",
		old:  "if try.wrote.Load() {",
		new:  "if try.wrote.Load() && try.late.Load() {",
		pkg:  api, test: "TestTheBodyIsNotGivenOutAgainOnceAByteWasWritten",
	},
	{
		name: "a request that was cut after it was written is taken for not made",
		file: "internal/provider/attempt.go",
		old:  "return ambiguous(broken(caller, call, err))",
		new:  "return retry(broken(caller, call, err))",
		pkg:  api, test: "TestAfterTheRequestOnlyAWholeAnswerIsCertain",
	},
}
