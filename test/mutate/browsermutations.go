package main

// Files that serve the pages of browsers.
const (
	sessionGo = "internal/api/session.go"
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
}
