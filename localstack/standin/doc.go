// Package standin stands in for the external sending API on the laptop and in
// tests. It keeps a ledger of what it was handed, so that a test can tell what
// a provider would have delivered, and it misbehaves on purpose.
//
// # Hand-overs
//
// A hand-over is a POST to /v1/send/{msgId}, whatever comes of it. Each has one
// line in the ledger: id, phone, time of arrival (when its headers were read),
// and what was decided:
//
//	answer    accepted  what the client sees
//	accepted  yes       200 {"code":0,"message":"OK"}
//	hang      yes       nothing; after hang_ms the connection ends
//	reset     yes       the connection is reset
//	garbage   yes       in turn: 200 with HTML, empty, cut, without code, with code 1; 202; 502; 504
//	400       no        400 without body: not valid, or one of reject_phones
//	401       no        401: not our token
//	429       no        429, with Retry-After if retry_after is above 0
//	503       no        503: one of error_share
//	down      no        503 at once: the stand-in is "down"
//	cut       no        nothing: the request ended before its body did
//
// Accepted is what a provider would deliver. Hang, reset and garbage accept
// first and misbehave then: that is the worst that an ambiguous outcome can
// mean, and whoever hands the message over again makes a duplicate. A line says
// what was decided, not what came through: a client that has gone meanwhile
// changes nothing.
//
// In the statistics requests = accepted + refused, and accepted = unique +
// duplicates, whenever they are read; unique counts ids. First and last are the
// earliest and latest arrival.
//
// # Behaviour
//
// One draw per valid hand-over picks among the shares. latency_ms delays every
// answer, resets too, but not those to a wrong token or when down. The decision
// stands before that, so a wait is never lost or counted twice by a reset of the
// ledger: POST /reset forgets ledger and statistics, including hand-overs still
// under way, and keeps the behaviour.
//
// "down" answers 503 at once and does not refuse connections: the controls are
// on the same port. Stop the process to see connections refused.
package standin
