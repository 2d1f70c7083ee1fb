// Package fakeprovider is a fake provider: it replaces the external sending API on the laptop
// and in tests. It keeps a ledger of all hand-overs, so that a test knows which messages
// a provider would have delivered, and it misbehaves on request.
//
// # Hand-overs
//
// A hand-over is a POST to /v1/send/{msgId}, with any result. Each has one line in the
// ledger: id, phone, time of arrival (when its headers were read), and the answer that
// was decided:
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
//	down      no        503 at once: the fake provider is "down"
//	cut       no        nothing: the request ended before its body did
//
// Accepted messages are those that a provider would deliver. Hang, reset and garbage
// first accept the message and then misbehave. This is the worst case of an ambiguous
// outcome: if the message is handed over again, it becomes a duplicate. A line holds the
// decision, even if the client has gone and did not receive the answer.
//
// In the statistics, requests = accepted + refused and accepted = unique + duplicates at
// any time; unique is the number of ids. First and last are the earliest and the latest
// arrival.
//
// # Behaviour
//
// One random number per valid hand-over picks among the shares. latency_ms delays all
// answers, including resets, except those to a wrong token or when down. The decision is
// recorded before the delay. POST /reset forgets the ledger and the statistics, including
// hand-overs whose answer is still delayed, and keeps the behaviour. So no hand-over is
// counted both before and after a reset.
//
// "down" answers 503 at once and does not refuse connections, because the controls are
// on the same port. To test refused connections, stop the process.
package fakeprovider
