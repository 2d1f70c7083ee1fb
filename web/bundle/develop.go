package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"postrider/internal/assets"
)

// develop serves the pages during development: a load of the page builds them
// again. All other requests go to the API.
func develop(from, address, api string) error {
	target, err := url.Parse(api)
	if err != nil {
		return fmt.Errorf("-api %q is not an address: %w", api, err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	var (
		mu   sync.Mutex
		site = assets.New(fstest.MapFS{}, nil, nil)
	)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			files, err := build(from)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			all := fstest.MapFS{}
			for name, text := range files {
				all["dist/"+name] = &fstest.MapFile{Data: text}
			}
			site = assets.New(all, []string{"dist"}, func(*http.Request, string) bool { return false })
		}
		if !site.Serve(w, r, name) {
			proxy.ServeHTTP(w, r)
		}
	})
	fmt.Fprintf(os.Stderr, "the pages are at http://%s/, with the API at %s; Ctrl-C ends them\n", address, api)
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}
