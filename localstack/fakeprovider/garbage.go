package fakeprovider

import (
	"net/http"
	"strconv"
)

// nonsense is an answer that does not say whether the message was accepted.
type nonsense struct {
	status int
	kind   string
	body   string
	length int // value of Content-Length; 0: the true length
}

const (
	typeJSON = "application/json"
	typeHTML = "text/html"
	page     = "<!doctype html><title>Welcome</title><p>It works!"
)

// garbage returns all kinds of nonsense in turn, so that a few hundred hand-overs get
// each kind.
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
		// Without a flush the connection would end before the written bytes are sent.
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
