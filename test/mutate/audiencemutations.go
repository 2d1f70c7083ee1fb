package main

const countersGo = "internal/dynamo/counters.go"

// ofBeginnings break where ids begin.
var ofBeginnings = []mutation{ //nolint:gochecknoglobals // as above
	{
		name: "every deployment's mailings begin at 1",
		file: countersGo,
		old:  "return 1 + rand.N(mailing.MaxFirstMailingID)",
		new:  "return min(1, 1+rand.N(mailing.MaxFirstMailingID))",
		pkg:  store, test: "TestEachNewDeploymentBeginsAtIDsOfItsOwn",
	},
	{
		name: "every deployment's test messages begin at 1",
		file: countersGo,
		old:  "before = rand.N(mailing.MaxFirstTestID)",
		new:  "before = min(0, rand.N(mailing.MaxFirstTestID))",
		pkg:  store, test: "TestEachNewDeploymentBeginsAtIDsOfItsOwn",
	},
	{
		name: "the first ids are drawn again for each mailing of a new process",
		file: countersGo,
		old:  `aws.String("attribute_not_exists(#last) OR #last = :seen")`,
		new:  `aws.String("attribute_not_exists(#last) OR #last <> :seen")`,
		pkg:  store, test: "TestFirstMailingsThatAreCreatedAtOnceHaveOneBeginning",
	},
	{
		name: "lists look for mailings below the first one",
		file: "internal/dynamo/listmailings.go",
		old:  "if next <= first {",
		new:  "if next <= min(first, 1) {",
		pkg:  store, test: "TestNothingBelowTheFirstMailingIsRead",
	},
}
