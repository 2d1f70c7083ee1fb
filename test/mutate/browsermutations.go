package main

// Files that serve the pages of browsers.
const (
	sessionGo = "internal/api/session.go"
	seriesGo  = "internal/dynamo/series.go"
)

// ofBrowsers are mutations of what the admin pages use: sessions, facets and series.
var ofBrowsers = []mutation{ //nolint:gochecknoglobals // as the others
	{
		name: "browsers: a page of another site may use a session",
		file: accessGo,
		old:  `(bySession || r.URL.Path == sessionPath) &&`,
		new:  `r.URL.Path == sessionPath &&`,
		pkg:  httpAPI, test: "TestAPageOfAnotherSiteChangesNothingWithASession",
	},
	{
		name: "browsers: a page of another site may sign in",
		file: accessGo,
		old:  `(bySession || r.URL.Path == sessionPath) &&`,
		new:  `bySession &&`,
		pkg:  httpAPI, test: "TestAllowedOriginsHaveNoPartInSessions",
	},
	{
		name: "browsers: the cookie of a revoked key stays",
		file: accessGo,
		old:  `bySession && refused.Status == http.StatusUnauthorized`,
		new:  `bySession && refused.Status == http.StatusForbidden`,
		pkg:  httpAPI, test: "TestTheCookieOfARevokedKeyIsRefusedAndRemoved",
	},
	{
		name: "browsers: a cookie is removed while its key cannot be checked",
		file: accessGo,
		old:  `if bySession && refused.Status == http.StatusUnauthorized {`,
		new:  `if bySession {`,
		pkg:  httpAPI, test: "TestTheCookieOfARevokedKeyIsRefusedAndRemoved",
	},
	{
		name: "browsers: the cookie goes over plain HTTP",
		file: sessionGo,
		old:  `Secure: !r.plainLocal`,
		new:  `Secure: false`,
		pkg:  httpAPI, test: "TestTheCookieMayGoOverPlainHTTPOnlyToThisMachine",
	},
	{
		name: "browsers: scripts can read the cookie",
		file: sessionGo,
		old:  `HttpOnly: true`,
		new:  `HttpOnly: false`,
		pkg:  httpAPI, test: "TestAKeySignsABrowserIn",
	},
	{
		name: "browsers: a new client has no marker",
		file: "internal/dynamo/clients.go",
		old:  `if err := s.markFacets(ctx, c); err != nil {`,
		new:  `if err := s.markFacets(ctx); err != nil {`,
		pkg:  store, test: "TestNoClientHasATagWithoutAMarker",
	},
	{
		name: "browsers: an imported client is written although its marker is not",
		file: "internal/dynamo/upsert.go",
		old:  `if err := u.store.markFacets(ctx, marked...); err != nil {`,
		new:  `if err := u.store.markFacets(ctx, marked...); err != nil && ctx.Err() != nil {`,
		pkg:  store, test: "TestNoClientHasATagWithoutAMarker",
	},
	{
		name: "browsers: markers are looked up for each client",
		file: "internal/dynamo/facets.go",
		old:  `	s.facets.add(unknown)`,
		new:  `	s.facets.add(nil)`,
		pkg:  store, test: "TestMarkersCostAHandfulOfCallsOnce",
	},
	{
		name: "browsers: a series expires with the earlier end",
		file: "internal/schedule/extend.go",
		old:  `if more, err := s.extendSeries(ctx, m, until); err != nil || more {`,
		new:  `if more, err := s.extendSeries(ctx, m, until); err != nil && more {`,
		pkg:  scheduler, test: "TestAnExtensionOfALongSeriesEndsWithItsTurnAndGoesOnInAnother",
	},
	{
		name: "browsers: a series outlives its messages",
		file: seriesGo,
		old:  `if s.past(m) {`,
		new:  `if m.ID == 0 {`,
		pkg:  store, test: "TestASeriesIsKeptAsLongAsTheMessages",
	},
	{
		name: "browsers: a step has more points than a series may have",
		file: "internal/mailing/series.go",
		old:  `case pointsFrom(first, last, step) > MaxPoints:`,
		new:  `case pointsFrom(first, last, step) > MaxPoints+1:`,
		pkg:  domain, test: "TestAStepThatIsTooSmallIsRefusedWithTheSmallestThatFits",
	},
}
