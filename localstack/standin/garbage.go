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

const page = "<!doctype html><title>Welcome</title><p>It works!"

// garbage is given out in turn, so that a few hundred hand-overs meet it all.
var garbage = []nonsense{
	{status: http.StatusOK, kind: "text/html", body: page},
	{status: http.StatusOK, kind: "application/json"},
	{status: http.StatusOK, kind: "application/json", body: `{"code":0,"mess`, length: len(ok)},
	{status: http.StatusOK, kind: "application/json", body: `{"message":"OK"}`},
	{status: http.StatusOK, kind: "application/json", body: `{"code":1,"message":"unknown"}`},
	{status: http.StatusAccepted, kind: "application/json", body: string(ok)},
	{status: http.StatusBadGateway, kind: "text/html", body: page},
	{status: http.StatusGatewayTimeout, kind: "text/html", body: page},
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
