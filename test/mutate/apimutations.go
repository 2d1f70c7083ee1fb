package main

// The packages of the HTTP API and its keys, and files of the API and the keys.
const (
	httpAPI  = "./internal/api"
	keyring  = "./internal/keys"
	faults   = "./test/faults"
	accessGo = "internal/api/access.go"
	keysGo   = "internal/keys/keys.go"
)

// ofAccess are mutations that let in callers without permission.
var ofAccess = []mutation{ //nolint:gochecknoglobals // as the others
	{
		name: "whatever says nothing of itself may be done by a viewer",
		file: accessGo,
		old:  "	if op.Method == http.MethodGet {",
		new:  "	if op.Method != \"\" {",
		pkg:  httpAPI, test: "TestAViewerReadsAndChangesNothing",
	},
	{
		name: "a route that is not made known is open",
		file: accessGo,
		old: `		return needed
	}
	return mailing.Admin
}

// admit`,
		new: `		return needed
	}
	return everyone
}

// admit`,
		pkg: httpAPI, test: "TestARouteThatNobodyHasMadeKnownIsAnAdmins",
	},
	{
		name: "what is not there is told to everybody",
		file: accessGo,
		old:  `strings.HasPrefix(r.URL.Path, "/api/")`,
		new:  `strings.HasPrefix(r.URL.Path, "/api/clients")`,
		pkg:  httpAPI, test: "TestUnderTheAPIEvenWhatIsNotThereNeedsAKey",
	},
	{
		name: "keys that cannot be read let everybody in",
		file: accessGo,
		old:  `return problemOf(http.StatusServiceUnavailable, keysUnreadable)`,
		new:  `return nil`,
		pkg:  httpAPI, test: "TestKeysThatCannotBeReadLetNobodyIn",
	},
	{
		name: "a key that was taken back is good for ever",
		file: keysGo,
		old:  "freshFor = parameter.FreshFor",
		new:  "freshFor = 1000 * parameter.FreshFor",
		pkg:  keyring, test: "TestAKeyThatIsTakenBackIsRefusedWithinAMinute",
	},
	{
		name: "old keys are used for ever while new ones cannot be read",
		file: keysGo,
		old:  "StaleFor: staleFor",
		new:  "StaleFor: 0 * staleFor",
		pkg:  keyring, test: "TestOldKeysAreUsedForTenMinutesWhileNewOnesCannotBeRead",
	},
	{
		name: "each guess reads the keys",
		file: keysGo,
		old:  "unknownAfter = 5 * time.Second",
		new:  "unknownAfter = time.Nanosecond",
		pkg:  keyring, test: "TestGuessingReadsTheKeysOnceInFiveSeconds",
	},
	{
		name: "keys of a time that is yet to come are young",
		file: "internal/parameter/parameter.go",
		old:  "&& age >= 0 && age < d",
		new:  "&& age < d",
		pkg:  keyring, test: "TestAClockThatIsSetBackMakesTheKeysStale",
	},
}

// ofCreation are mutations that create more than once, or create something other than
// requested.
var ofCreation = []mutation{ //nolint:gochecknoglobals // as the others
	{
		name: "the record of a request is not in the transaction that creates",
		file: "internal/dynamo/mailings.go",
		old:  "}, record...), nil",
		new:  "}, record[:0]...), nil",
		pkg:  faults, test: "TestARequestWithAnIdempotencyKeyCreatesOnceAfterAnyFault",
	},
	{
		name: "the record of a request is written over",
		file: "internal/dynamo/idempotency.go",
		old:  `isNew+" OR #until <= :now"`,
		new:  `isNew+" OR #until <= :now OR #until > :now"`,
		pkg:  store, test: "TestOfTwentyTimesTheSameRequestOneCreates",
	},
	{
		name: "another request is answered as the first one",
		file: "internal/dynamo/idempotency.go",
		old:  "case it.Request != o.Request:",
		new:  "case it.Request == \"\":",
		pkg:  store, test: "TestTheRecordOfARequestIsKeptForADay",
	},
	{
		name: "callers share their idempotency keys",
		file: "internal/api/idempotency.go",
		old:  `requestOf(ctx).caller + "\n" + in.Key`,
		new:  `in.Key`,
		pkg:  httpAPI, test: "TestAKeyIsItsCallersOwn",
	},
	{
		name: "a column that a file does not have clears its field",
		file: "internal/mailing/clientrow.go",
		old:  "		c = *old",
		new:  "		c = Client{ID: old.ID, Timezone: old.Timezone}",
		pkg:  domain, test: "TestARowBecomesTheClientThatItDescribes",
	},
	{
		name: "an import goes on until its time is up",
		file: "internal/api/importcsv.go",
		old:  "importReserve = 3 * time.Second",
		new:  "importReserve = 0 * time.Second",
		pkg:  httpAPI, test: "TestAnImportStopsInTimeAndSaysWhereToGoOn",
	},
	{
		name: "a formula is exported",
		file: "internal/api/csvcell.go",
		old:  `"=+-@\t\r'"`,
		new:  `"+-@\t\r'"`,
		pkg:  httpAPI, test: "TestNoCellOfAnExportIsAFormula",
	},
}
