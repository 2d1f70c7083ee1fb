package main

// The package of the metrics, and files that write or define metrics.
const (
	metering  = "./internal/metrics"
	metricsGo = "internal/metrics/metrics.go"
	taskGo    = "internal/schedule/task.go"
)

// ofMetrics are mutations that keep alarms silent in an outage, or let them ring in a
// quiet hour.
var ofMetrics = []mutation{ //nolint:gochecknoglobals // as the others
	{
		name: "metrics: an open breaker is not reported",
		file: senderGo,
		old:  "t.BreakerOpen, _ = s.breaker.down()",
		new:  "",
		pkg:  sender, test: "TestAnOpenBreakerIsReportedUntilAProbeSucceeds",
	},
	{
		name: "metrics: a sender that found the API down alone reports no open breaker",
		file: senderGo,
		old:  "t.BreakerOpen, _ = s.breaker.down()",
		new:  "_, t.BreakerOpen = s.breaker.down()",
		pkg:  sender, test: "TestAnOpenBreakerIsReportedUntilAProbeSucceeds",
	},
	{
		name: "metrics: a pause is a start lag",
		file: workGo,
		old:  "&& r.untouched &&",
		new:  "&&",
		pkg:  sender, test: "TestAStartLagIsReportedForTheFirstHandOverOnly",
	},
	{
		name: "metrics: a hand-over begins where no request is made",
		file: handoverGo,
		old:  "if o.Kind != mailing.OutcomeNotTried {",
		new:  "if o.Kind != 0 {",
		pkg:  sender, test: "TestAStartLagIsReportedForTheFirstHandOverOnly",
	},
	{
		name: "metrics: each page of a slice has a start lag",
		file: taskGo,
		old:  "if cursor == 0 {",
		new:  "if cursor >= 0 {",
		pkg:  scheduler, test: "TestOnlyTheFirstBatchOfASliceStoresTheStart",
	},
	{
		name: "metrics: messages that end in the expansion are counted without their status",
		file: taskGo,
		old:  "wrote(state.Counts.Minus(before))",
		new:  "wrote(mailing.Counts{Total: state.Counts.Total - before.Total})",
		pkg:  scheduler, test: "TestAMessageThatEndsAtItsExpansionIsCountedByItsStatus",
	},
	{
		name: "metrics: nothing is reported when no hand-over was answered",
		file: metricsGo,
		old:  "if len(tried) > 0 {",
		new:  "if answered > 0 {",
		pkg:  faults, test: "TestAnOutageThatDoesNotOpenTheBreakerRaisesAnAlarm",
	},
	{
		name: "metrics: any answer is a valid one",
		file: metricsGo,
		old:  "(mailing.Outcome{Kind: kind}).Valid()",
		new:  "kind != mailing.OutcomeRetry",
		pkg:  faults, test: "TestAnOutageThatDoesNotOpenTheBreakerRaisesAnAlarm",
	},
	{
		name: "metrics: of many values the slowest are left out",
		file: metricsGo,
		old:  "rest = append(rest, m)",
		new:  "_ = m",
		pkg:  metering, test: "TestALineHasAtMostAHundredValuesAndTheRestHasItsOwn",
	},
	{
		name: "metrics: an outcome is no dimension",
		file: metricsGo,
		old:  "of = &split",
		new:  "of = &plain",
		pkg:  metering, test: "TestLinesAreInTheEmbeddedMetricFormat",
	},
}
