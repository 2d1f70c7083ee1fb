package standin

import (
	"net/http"
	"strconv"
)

// nonsense is an answer that does not tell whether the message was accepted.
type nonsense struct {
	status int
	kind   string
	body   string
	length int // what Content-Length claims; 0: the truth
}

const (
	typeJSON = "application/json"
	typeHTML = "text/html"
	page     = "<!doctype html><title>Welcome</title><p>It works!"
)

// garbage is all of it in turn, so that a few hundred hand-overs meet each.
func garbage(turn uint64) nonsense {
	all := [...]nonsense{
		{status: http.StatusOK, kind: typeHTML, body: page},
		{status: http.StatusOK, kind: typeJSON},
		{status: http.StatusOK, kind: typeJSON, body: `{"code":0,"mess`, length: len(ok)},
		{status: http.StatusOK, kind: typeJSON, body: `{"message":"OK"}`},
		{status: http.StatusOK, kind: typeJSON, body: `{"code":1,"message":"unknown"}`},
		{status: http.StatusAccepted, kind: typeJSON, body: ok},
		{status: http.StatusBadGateway, kind: typeHTML, body: page},
		{status: http.StatusGatewayTimeout, kind: typeHTML, body: page},
	}
	return all[turn%uint64(len(all))]
}

func (n nonsense) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", n.kind)
	if n.length > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(n.length))
	}
	w.WriteHeader(n.status)
	_, _ = w.Write([]byte(n.body))
	if n.length > len(n.body) {
		// What was written has to go out before the connection ends.
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
