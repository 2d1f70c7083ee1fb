package main

// Files of the daily report and of what is measured.
const (
	reportGo      = "internal/mailing/report.go"
	reporterGo    = "internal/schedule/report.go"
	reportStoreGo = "internal/dynamo/report.go"
	oldestGo      = "internal/dynamo/oldest.go"
	prometheusGo  = "internal/api/metrics.go"
)

// ofReports are mutations of the daily report's content, and of whether it is published.
var ofReports = []mutation{ //nolint:gochecknoglobals // as the others
	{
		name: "whoever is refused the report publishes it, too",
		file: reporterGo,
		old:  "if err != nil || !claimed {",
		new:  "_ = claimed\n	if err != nil {",
		pkg:  scheduler, test: "TestAReportIsPublishedOnceADay",
	},
	{
		name: "a report's lease is shorter than its run",
		file: reporterGo,
		old:  "reportLease = 45 * time.Second",
		new:  "reportLease = 5 * time.Second",
		pkg:  scheduler, test: "TestAReportsLeaseOutlivesItsRunAndEndsWithinAMinute",
	},
	{
		name: "a report's lease lasts for a minute",
		file: reporterGo,
		old:  "reportLease = 45 * time.Second",
		new:  "reportLease = 59 * time.Second",
		pkg:  scheduler, test: "TestAReportsLeaseOutlivesItsRunAndEndsWithinAMinute",
	},
	{
		name: "a report does not say how far it looked",
		file: reporterGo,
		old:  "mailing.NewReport(now, before, ms, progress, unread)",
		new:  "mailing.NewReport(now, before, ms, progress, 0*unread)",
		pkg:  scheduler, test: "TestAnIncompleteReportSaysSo",
	},
	{
		name: "a report's day is in the zone of the clock",
		file: reportGo,
		old:  "now.UTC().Truncate(day)",
		new:  "now.Truncate(day)",
		pkg:  domain, test: "TestADayIsFromMidnightToMidnightInUTC",
	},
	{
		name: "a start at midnight is in the report of the day before",
		file: reportGo,
		old:  "m.StartAt.Before(r.Day.Add(day))",
		new:  "!m.StartAt.After(r.Day.Add(day))",
		pkg:  domain, test: "TestADayIsFromMidnightToMidnightInUTC",
	},
	{
		name: "what began after the day is in its report",
		file: reportGo,
		old:  "m.StartAt.Before(r.Day.Add(day))",
		new:  "m.StartAt.Before(now)",
		pkg:  domain, test: "TestAReportListsYesterdaysMailingsWithTheirNewMessages",
	},
	{
		name: "deleted mailings are in the report",
		file: reportGo,
		old:  "if !m.Deleted && ",
		new:  "if ",
		pkg:  domain, test: "TestADeletedMailingIsNotReported",
	},
	{
		name: "what began before the hour of a report is known to the next one only if it was in it",
		file: reportGo,
		old:  "l.start.Before(r.before.end())",
		new:  "l.start.Before(r.before.At)",
		pkg:  domain, test: "TestNewMessagesOfReportsAddUpToAllSentMessages",
	},
	{
		name: "a report after days without one looks back to the hour of the last one",
		file: reportGo,
		old:  "		return end\n",
		new:  "		return before.At\n",
		pkg:  domain, test: "TestNewMessagesOfReportsAddUpToAllSentMessages",
	},
	{
		name: "a report's sum is of the mailings that it lists",
		file: reportGo,
		old:  "for i, l := range r.lines {",
		new:  "for i, l := range r.lines[:min(len(r.lines), MaxReported)] {",
		pkg:  domain, test: "TestTheLargestReportFitsIntoAMailAndSaysWhatIsLeftOut",
	},
	{
		name: "a report's record is gone before the next ones look for it",
		file: reportStoreGo,
		old:  "reportTTL = 35 * 24 * time.Hour",
		new:  "reportTTL = 6 * 24 * time.Hour",
		pkg:  store, test: "TestTheRecordOfAReportIsKeptAsLongAsReportsLookBack",
	},
	{
		name: "a report may not find the one before it",
		file: "internal/dynamo/transact.go",
		old:  "Key: key, ConsistentRead: aws.Bool(true)",
		new:  "Key: key, ConsistentRead: aws.Bool(false)",
		pkg:  store, test: "TestAReportReadsConsistently",
	},
	{
		name: "a report may not find what has just changed",
		file: "internal/dynamo/walk.go",
		old:  `aws.Bool(w.index == "")`,
		new:  "aws.Bool(false)",
		pkg:  store, test: "TestAReportReadsConsistently",
	},
}

// ofAges are mutations of the age of the oldest waiting batch, and of other measurements.
var ofAges = []mutation{ //nolint:gochecknoglobals // as the others
	{
		name: "what has waited longest is looked for on the first page alone",
		file: oldestGo,
		old:  "n < oldestPages",
		new:  "n < 1",
		pkg:  store, test: "TestTheSearchForTheOldestIsBoundedAndReportsWhenItWasIncomplete",
	},
	{
		name: "what has waited longest is looked for without end",
		file: oldestGo,
		old:  "n < oldestPages",
		new:  "n >= 0 || n < oldestPages",
		pkg:  store, test: "TestTheSearchForTheOldestIsBoundedAndReportsWhenItWasIncomplete",
	},
	{
		name: "what has waited longest and was not looked at does not wait",
		file: oldestGo,
		old:  "!since.IsZero() || !pages.HasMorePages()",
		new:  "true",
		pkg:  store, test: "TestTheSearchForTheOldestIsBoundedAndReportsWhenItWasIncomplete",
	},
	{
		name: "what has waited longest may be of a mailing that is held",
		file: oldestGo,
		old:  "ok && running[row.Key.Mailing] &&",
		new:  "ok &&",
		pkg:  store, test: "TestTheOldestBatchOfTheRunningMailingsIsFound",
	},
	{
		name: "the batch that has waited longest is reported last",
		file: oldestGo,
		old:  "(since.IsZero() || began.Before(since))",
		new:  "true",
		pkg:  store, test: "TestTheOldestBatchIsFoundInWhicheverMailingForThreeCalls",
	},
	{
		name: "it is measured that all is well where the tables cannot be read",
		file: prometheusGo,
		old:  "Overall(ctx, \"\")\n	if err != nil {",
		new:  "Overall(ctx, \"\")\n	if err != nil && ctx == nil {",
		pkg:  httpAPI, test: "TestMetricsThatCannotBeReadAreAnInternalError",
	},
	{
		name: "it is measured that all is well where what is pending cannot be read",
		file: prometheusGo,
		old:  "OldestWaiting(ctx)\n	if err != nil {",
		new:  "OldestWaiting(ctx)\n	if err != nil && ctx == nil {",
		pkg:  httpAPI, test: "TestMetricsThatCannotBeReadAreAnInternalError",
	},
	{
		name: "an age that is not known is measured as none",
		file: prometheusGo,
		old:  "age = math.NaN()",
		new:  "_ = math.NaN()",
		pkg:  httpAPI, test: "TestTheAgeMetricIsNeverNegativeAndNaNIfUnknown",
	},
	{
		name: "an age that is measured is negative where clocks differ",
		file: prometheusGo,
		old:  "max(0, s.now().Sub(oldest).Seconds())",
		new:  "s.now().Sub(oldest).Seconds()",
		pkg:  httpAPI, test: "TestTheAgeMetricIsNeverNegativeAndNaNIfUnknown",
	},
}
