package api

import (
	"maps"
	"net/http"
)

// OwnHeader is what every answer begins with, whoever makes it; a handler that
// serves something else than data may override it. A browser is told to show,
// embed, keep and guess nothing, and to come by HTTPS only.
//
// Cross-Origin-Resource-Policy is about embedding: what CorsOrigins allows to be
// read is not touched by it.
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

// begin gives an answer its own header, before a handler can override it.
func begin(w http.ResponseWriter) { maps.Copy(w.Header(), OwnHeader()) }
