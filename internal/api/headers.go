package api

import (
	"maps"
	"net/http"
)

// OwnHeader returns the headers that each answer begins with, also where no handler
// makes the answer. A handler that serves other content than data may override
// them. They forbid a browser to store the answer, to load or run anything, to
// embed it in a frame, and to guess its type. They also make it use HTTPS only, for
// two years.
//
// Cross-Origin-Resource-Policy concerns embedding. It does not affect the origins
// that CorsOrigins allows to read answers.
func OwnHeader() http.Header {
	return http.Header{
		"Cache-Control":                {"no-store"},
		"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Referrer-Policy":              {"no-referrer"},
		"Strict-Transport-Security":    {"max-age=63072000; includeSubDomains"},
		"X-Content-Type-Options":       {"nosniff"},
		"X-Frame-Options":              {"DENY"},
	}
}

// begin sets the headers of [OwnHeader], before a handler can override them.
func begin(w http.ResponseWriter) { maps.Copy(w.Header(), OwnHeader()) }
