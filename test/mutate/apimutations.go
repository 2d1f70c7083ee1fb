package main

// The packages of the HTTP API and its keys, and files of the API and the keys.
const (
	httpAPI  = "./internal/api"
	csvFiles = "./internal/csvfile"
	keyring  = "./internal/keys"
	faults   = "./test/faults"
	accessGo = "internal/api/access.go"
	keysGo   = "internal/keys/keys.go"
)

// ofAccess are mutations that let in callers without permission.
var ofAccess = []mutation{ //nolint:gochecknoglobals // as the others
	{
		name: "an operation without a role may be used by a viewer",
		file: "internal/api/operation.go",
		old:  "		if op.method == http.MethodGet {",
		new:  "		if op.method != \"\" {",
		pkg:  httpAPI, test: "TestAViewerReadsAndChangesNothing",
	},
	{
		name: "an unregistered route is public",
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
		pkg: httpAPI, test: "TestAnUnregisteredRouteNeedsAnAdmin",
	},
	{
		name: "unknown paths are shown without a key",
		file: accessGo,
		old:  `strings.HasPrefix(r.URL.Path, "/api/")`,
		new:  `strings.HasPrefix(r.URL.Path, "/api/clients")`,
		pkg:  httpAPI, test: "TestAnUnknownPathBelowTheAPINeedsAKey",
	},
	{
		name: "each caller is admitted while keys cannot be read",
		file: accessGo,
		old:  `return caller, problemOf(http.StatusServiceUnavailable, keysUnreadable)`,
		new:  `return mailing.Caller{Role: mailing.Admin}, nil`,
		pkg:  httpAPI, test: "TestNoCallerIsAdmittedWhileKeysCannotBeRead",
	},
	{
		name: "a revoked key is valid for ever",
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
		name: "keys that were read in the future are fresh",
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
		pkg:  store, test: "TestOfTwentyEqualRequestsAtOnceOneCreates",
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
		old:  `requestOf(ctx).caller.Name + "\n" + in.Key`,
		new:  `in.Key`,
		pkg:  httpAPI, test: "TestCallersDoNotShareIdempotencyKeys",
	},
	{
		name: "a missing column clears its field",
		file: "internal/mailing/clientrow.go",
		old:  "		before = *old",
		new:  "		before = Client{ID: old.ID, Timezone: old.Timezone}",
		pkg:  domain, test: "TestARowBecomesTheClientThatItDescribes",
	},
	{
		name: "an import does not stop before its deadline",
		file: "internal/api/files.go",
		old:  "importReserve = 3 * time.Second",
		new:  "importReserve = 0 * time.Second",
		pkg:  httpAPI, test: "TestAnImportStopsInTimeAndReturnsTheNextLine",
	},
	{
		name: "a formula is exported",
		file: "internal/csvfile/csvfile.go",
		old:  `"=+-@\t\r'"`,
		new:  `"+-@\t\r'"`,
		pkg:  csvFiles, test: "TestNoCellOfAnExportIsAFormula",
	},
	{
		name: "a formula after a line break is exported",
		file: "internal/csvfile/csvfile.go",
		old:  `";\r\n"`,
		new:  `";"`,
		pkg:  csvFiles, test: "TestNoCellOfAnExportIsAFormula",
	},
	{
		name: "the last of two equal keys wins",
		file: "internal/api/jsonbody.go",
		old:  "			if level.keys[text] {",
		new:  "			if false {",
		pkg:  httpAPI, test: "TestAKeyThatIsTwiceInAnObjectIsRefused",
	},
	{
		name: "half of a surrogate pair is replaced",
		file: "internal/api/jsonbody.go",
		old:  "		if loneSurrogate(s.body[from:s.at]) {",
		new:  "		if from > s.at {",
		pkg:  httpAPI, test: "TestTextThatIsNoUnicodeIsRefused",
	},
	{
		name: "any path to a zone file is a time zone",
		file: "internal/mailing/zones.go",
		old:  "	load, ok := zones()[name]\n",
		new:  "	load, ok := func() (*time.Location, error) { return time.LoadLocation(name) }, true\n",
		pkg:  domain, test: "TestAZoneHasItsNameInTheEmbeddedDatabase",
	},
}
