// Package webui has the admin pages: one page whose script shows all of them, and which
// uses only the JSON API. Its sources are in the folder web; go generate writes dist.
package webui

import (
	"embed"
	"net/http"
	"regexp"

	"postrider/internal/assets"
)

//go:generate go run -C ../.. ./web/bundle

//go:embed dist
var files embed.FS

// hashed matches the name of a file that has a hash of its content in it.
var hashed = regexp.MustCompile(`-[0-9A-Z]{8}\.(js|css)$`)

// New returns the page and the files that it loads.
func New() *assets.Site {
	return assets.New(files, []string{"dist"}, func(_ *http.Request, name string) bool { return hashed.MatchString(name) })
}
