// Package mailing is Postrider's domain: clients, mailings, messages, and every
// rule about them that a product person would argue about.
//
// It is pure. It imports nothing but the standard library, keeps no state, and
// has no clock of its own: every function that depends on the time is given it.
// The packages around it (api, schedule, deliver, dynamo, queue, provider)
// depend on it, never the other way round.
package mailing
