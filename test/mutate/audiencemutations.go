package main

const countersGo = "internal/dynamo/counters.go"

// ofBeginnings are mutations of where ids begin.
var ofBeginnings = []mutation{ //nolint:gochecknoglobals // as above
	{
		name: "every deployment's mailings begin at 1",
		file: countersGo,
		old:  "return 1 + rand.N(mailing.MaxFirstID)",
		new:  "return min(1, 1+rand.N(mailing.MaxFirstID))",
		pkg:  store, test: "TestEachNewDeploymentBeginsAtRandomIDs",
	},
	{
		name: "every deployment's test messages begin at 1",
		file: countersGo,
		old:  "before = rand.N(mailing.MaxFirstTestID)",
		new:  "before = min(0, rand.N(mailing.MaxFirstTestID))",
		pkg:  store, test: "TestEachNewDeploymentBeginsAtRandomIDs",
	},
	{
		name: "the first ids are drawn again for each mailing of a new process",
		file: countersGo,
		old:  `"attribute_not_exists(#last) OR #last = :seen"`,
		new:  `"attribute_not_exists(#last) OR #last <> :seen"`,
		pkg:  store, test: "TestFirstMailingsThatAreCreatedAtOnceShareOneFirstID",
	},
	{
		name: "lists look for mailings below the first one",
		file: "internal/dynamo/listmailings.go",
		old:  "if next <= first {",
		new:  "if next <= min(first, 1) {",
		pkg:  store, test: "TestNothingBelowTheFirstMailingIsRead",
	},
}

// ofAudiences are mutations of which clients are in an audience.
var ofAudiences = []mutation{ //nolint:gochecknoglobals // as above
	{
		name: "a client that is created while its mailing expands is met",
		file: "internal/dynamo/audience.go",
		old:  `":started": millis(started)}`,
		new:  `":started": millis(started.Add(time.Hour))}`,
		pkg:  store, test: "TestAnAudienceIsTheClientsThatExistedAtTheStart",
	},
	{
		name: "a client from before its creation was stored is missed",
		file: "internal/dynamo/audience.go",
		old:  `"attribute_not_exists(#created_at) OR #created_at <= :started"`,
		new:  `"#created_at <= :started"`,
		pkg:  store, test: "TestAnAudienceIsTheClientsThatExistedAtTheStart",
	},
	{
		name: "an edit makes a client one from before",
		file: "internal/dynamo/clientedit.go",
		old:  "if err == nil && old.CreatedAt != 0 {",
		new:  "if err == nil && old.CreatedAt < 0 {",
		pkg:  store, test: "TestAnAudienceIsTheClientsThatExistedAtTheStart",
	},
	{
		name: "a mailing does not know since when it runs",
		file: "internal/mailing/life.go",
		old:  "m.Status, m.StartedAt = StatusRunning, now.Truncate(time.Millisecond)",
		new:  "m.Status = StatusRunning",
		pkg:  domain, test: "TestAStartedMailingStoresItsStart",
	},
}
