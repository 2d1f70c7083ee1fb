// Package mailing is Postrider's domain: clients, mailings, messages, and every rule
// about them that a product manager would want to discuss.
//
// It is pure. It imports nothing but the standard library, and keeps no state but a cache
// of time zones. It has no clock of its own: every function that depends on the time
// takes it as an argument. The packages around it (api, schedule, deliver, dynamo, queue,
// provider) depend on it, and it depends on none of them.
package mailing
