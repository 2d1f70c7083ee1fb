// Package provider is the client of the external sending API. It hands each message over
// with a POST request, and returns the outcome.
//
// The API promises no deduplication, so it matters whether a failure is certain or
// ambiguous. [Client.Send] decides by two facts: the answer, and whether a byte of the
// request was or may have been written.
//
// An outcome's code is one of the following words, each with one kind. N is a number
// that the API gave; nothing else in a code comes from outside.
//
//	code             kind           what happened
//	(empty)          sent           200 and code 0, read to its proper end
//	http_400, _422   rejected       the API refuses the message
//	bad_message      rejected       the message cannot be handed over; no request was made
//	http_408, _425   retry          the API says that it has not accepted the request
//	http_503         retry          the API is not available
//	dns              retry          the host's name was not resolved
//	refused          retry          no server listens at the address
//	connect_timeout  retry          no connection in time: half the timeout for TCP, half for TLS, 5 s at most each
//	tls              retry          the TLS handshake failed
//	unreachable      retry          any other failure to connect
//	closed           retry          the connection broke before a byte was written
//	http_5NN         ambiguous      a 5xx other than 503: the API or a gateway failed, perhaps after the message was accepted
//	http_NNN         ambiguous      a 2xx other than 200, or a status outside 200 to 599, such as 101
//	code_N           ambiguous      200 and a code other than 0, an int32
//	no_code          ambiguous      200 and an object without code
//	bad_answer       ambiguous      not HTTP, or a 200 that is not one JSON object with an int32 as code
//	too_large        ambiguous      a 200 with more than 64 KiB
//	cut              ambiguous      the connection ended before the answer did
//	reset            ambiguous      the connection was reset after the first byte was written
//	timeout          ambiguous      time ran out after the first byte was written
//	cancelled        ambiguous      the caller cancelled after the first byte was written
//	unsolicited      ambiguous      the answer was there before the request, so it is not the answer to it
//	http_429         throttled      the API asks the sender to wait; Retry-After is read, 0 to 15 min
//	http_4NN         misconfigured  a 4xx that is in no other row: the API does not accept the token (401, 403), or the path (404)
//	http_3NN         misconfigured  the API is at another address; redirects are never followed
//	no_token         misconfigured  the token was never read; no request was made
//	not_tried        not tried      the caller gave up, or its time was over, before a byte was written
//	renewed          not tried      the API refused the token, and there is a new one, but it is too late for a second request
//	too_late         not tried      there was no connection at the last instant at which the request could begin; the caller may decide again
//	no_connection    not tried      all connections were in use for the whole timeout
//
// Phone, text and token are in no code, no error, and no log line of this package. One
// log line comes from net/http: if the API sends unrequested bytes on an idle
// connection, net/http closes it and prints the bytes with the standard logger.
package provider
