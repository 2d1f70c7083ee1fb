// Package swaggerui has the page that shows the API's description and tries it out.
// dist/ has Swagger UI as its authors publish it, and page/ has the few files around it.
// All of them are embedded in the program: a browser that shows the page loads nothing
// from other sites.
package swaggerui

import (
	"embed"
	"io/fs"
	"net/http"

	"postrider/internal/assets"
)

// Version is the version of Swagger UI in dist/.
const Version = "5.35.0"

// The licences are embedded, and so published, with the code. Swagger UI's styles need
// no exception in the Content-Security-Policy, because its script sets them one by one.
//
//go:embed dist/swagger-ui-bundle.js dist/swagger-ui-bundle.js.LICENSE.txt dist/swagger-ui.css dist/LICENSE dist/NOTICE
//go:embed page
var files embed.FS

// New returns the page and the files that it loads. Swagger UI's own files change only
// with [Version].
func New() *assets.Site {
	return assets.New(files, []string{"dist", "page"}, func(r *http.Request, name string) bool {
		_, err := fs.Stat(files, "dist/"+name)
		return err == nil && r.URL.Query().Get("v") == Version
	})
}
