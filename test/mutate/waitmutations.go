package main

// Files about messages that wait for a window, and about how long messages are kept.
const (
	rezoneGo    = "internal/dynamo/zoneedits.go"
	extendGo    = "internal/dynamo/extend.go"
	replanGo    = "internal/schedule/replan.go"
	extensionGo = "internal/mailing/extend.go"
)

// ofWaits are mutations of waiting messages after an edit of a zone, and of settled
// messages after an end is put off.
var ofWaits = []mutation{ //nolint:gochecknoglobals // as above
	{
		name: "waits: an import of zones leaves no trace",
		file: "internal/dynamo/upsert.go",
		old:  "append([]types.TransactWriteItem{put}, u.store.putZoneEdit(it, c)...)",
		new:  "append([]types.TransactWriteItem{put}, u.store.putZoneEdit(it, it.client())...)",
		pkg:  store, test: "TestAnImportStoresTheEditedZones",
	},
	{
		name: "waits: an edit that followed is forgotten with the one before",
		file: rezoneGo,
		old:  `sameVersion, item{":version": num(e.Version)}`,
		new:  `"#version >= :version", item{":version": num(e.Version)}`,
		pkg:  store, test: "TestZoneEditsAreReadPageByPageAndDeletedUnlessEditedAgain",
	},
	{
		name: "waits: a batch is planned again whatever has become of its members",
		file: claimGo,
		old:  "attribute_not_exists(#lease_until) AND #members = :seen",
		new:  "attribute_not_exists(#lease_until) AND #members <= :seen OR #members > :seen",
		pkg:  store, test: "TestABatchIsPlannedAgainOnlyIfItHasNotChanged",
	},
	{
		name: "waits: the edit of a batch whose sender may settle late is deleted",
		file: replanGo,
		old:  "if b.Holder != \"\" {\n\t\tr.leave(b)",
		new:  "if b.Holder != \"\" {",
		pkg:  scheduler, test: "TestAZoneEditOfAHeldBatchIsKeptUntilItsSenderHasSettled",
	},
	{
		name: "waits: a page by the old zone that is not written yet is not awaited",
		file: replanGo,
		old:  "if e.Plannable(state, now) {",
		new:  "if e.Plannable(state, now) && false {",
		pkg:  faults, test: "TestMatrix",
	},
	{
		name: "waits: what is planned again is not queued",
		file: replanGo,
		old:  "return r.deliveries.Queue(ctx, keys, 0)",
		new:  "return r.deliveries.Queue(ctx, keys[:0], 0)",
		pkg:  scheduler, test: "TestMessagesThatWaitByAnOldZoneAreFreedAndQueuedBeforeTheEditIsDeleted",
	},
	{
		name: "keeps: what a sender may still settle by the old end is not awaited",
		file: extendGo,
		old:  "case it.LeaseUntil > s.now().UnixMilli():",
		new:  "case it.LeaseUntil < 0:",
		pkg:  store, test: "TestSettledBatchesAreKeptByTheNewEndAndTheOthersAreLeft",
	},
	{
		name: "keeps: a batch that is pending again gets a time to live",
		file: extendGo,
		old:  `"#ttl = :seen AND attribute_not_exists(#due_at)"`,
		new:  `"attribute_not_exists(#ttl) OR #ttl = :seen AND attribute_not_exists(#due_at)"`,
		pkg:  store, test: "TestABatchThatBecomesPendingDuringItsExtensionGetsNoTimeToLive",
	},
	{
		name: "keeps: a page by the old end is written after its slice is marked",
		file: "internal/dynamo/slices.go",
		old:  " OR #extended_at <= :extended)",
		new:  " OR #extended_at <= :extended OR #extended_at > :extended)",
		pkg:  store, test: "TestAPageThatExpiresByAnEarlierEndThanItsSliceIsNotWritten",
	},
	{
		name: "waits: a message of a lost claim waits by its client's old zone",
		file: lostGo,
		old:  "case rec.Status == Deferred && clients[rec.Client].zoneEditedSince(rec.At):",
		new:  "case rec.Status == Deferred && clients[rec.Client].zoneEditedSince(now):",
		pkg:  domain, test: "TestADeferredMessageOfALostClaimFollowsItsClientsNewZone",
	},
	{
		name: "keeps: a mailing finishes while batches expire by the old end",
		file: "internal/mailing/retry.go",
		old:  "|| m.Extends(state)",
		new:  "|| m.Extends(state) && false",
		pkg:  domain, test: "TestASliceIsExtendedWhenNoBatchCanBeSettledByTheOldEnd",
	},
	{
		name: "keeps: an end that is put off after the clock was set back goes unnoticed",
		file: extensionGo,
		old:  "if !at.After(m.ExtendedAt) {",
		new:  "if at.IsZero() {",
		pkg:  domain, test: "TestALaterEndOfARunningOrPausedMailingStoresTheInstantOfTheEdit",
	},
	{
		name: "keeps: a paused mailing is kept by its old end",
		file: "internal/schedule/task.go",
		old:  "return m, works(m, s.clock.Now()) || wasExtended(m), nil",
		new:  "return m, works(m, s.clock.Now()), nil",
		pkg:  scheduler, test: "TestAPausedMailingIsExtendedAndNoOtherWorkIsDone",
	},
	{
		name: "keeps: readers hide by a batch's own time to live",
		file: "internal/dynamo/messages.go",
		old:  "if id != mailing.TestMailing {",
		new:  "if id != mailing.TestMailing && false {",
		pkg:  store, test: "TestARetryReadsFailuresByThePresentEnd",
	},
}
