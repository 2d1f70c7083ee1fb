// Command bundle builds the admin pages: it makes one script and one style sheet of the
// sources in web/src, and writes them with index.html and the licences to
// internal/webui/dist. The npm packages must be installed (make web-tools).
//
// The result depends only on the sources and on the lock file, so the gate can build it
// again and compare.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

const dist = "internal/webui/dist"

func main() {
	serve := flag.String("serve", "", "serve the pages at this address, built again at each load, and write nothing")
	api := flag.String("api", "http://localhost:8000", "with -serve: the address of the API that the pages use")
	to := flag.String("to", filepath.FromSlash(dist), "the folder that is replaced by the result")
	flag.Parse()
	err := run("web", *to, *serve, *api)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bundle the admin pages:", err)
		os.Exit(1)
	}
}

func run(from, to, serve, api string) error {
	if serve != "" {
		return develop(from, serve, api)
	}
	files, err := build(from)
	if err != nil {
		return err
	}
	return replace(to, files)
}

// build returns the files that the sources in a folder make.
func build(from string) (map[string][]byte, error) {
	from, err := filepath.Abs(from)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(from, "node_modules")); err != nil {
		return nil, fmt.Errorf("the npm packages are not installed: run make web-tools (%w)", err)
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir: from,
		EntryPoints:   []string{"src/main.tsx"},
		EntryNames:    "[name]-[hash]", ChunkNames: "[name]-[hash]", Splitting: true,
		Outdir: "dist", // only the names matter: Write is false
		Bundle: true, Metafile: true,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
		Format: api.FormatESModule, Platform: api.PlatformBrowser, Target: api.ES2022,
		Charset: api.CharsetUTF8, // Russian texts are half as long as with escapes
		JSX:     api.JSXAutomatic, JSXImportSource: "preact",
		LegalComments: api.LegalCommentsNone, // licences.txt has them
		Define:        map[string]string{"process.env.NODE_ENV": `"production"`},
		LogLevel:      api.LogLevelWarning,
	})
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("%d errors, see above", len(result.Errors))
	}
	files := map[string][]byte{}
	for _, f := range result.OutputFiles {
		files[filepath.Base(f.Path)] = f.Contents
	}
	if files["icon.svg"], err = os.ReadFile(filepath.Join(from, "icon.svg")); err != nil { //nolint:gosec // G304: a file of the repository
		return nil, err
	}
	if files["licences.txt"], err = licences(from, result.Metafile); err != nil {
		return nil, err
	}
	if files["index.html"], err = index(from, slices.Sorted(maps.Keys(files))); err != nil {
		return nil, err
	}
	return files, nil
}

// index returns index.html with the names of the script and of the style sheet.
func index(from string, names []string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(from, "index.html")) //nolint:gosec // G304: a file of the repository
	if err != nil {
		return nil, err
	}
	page := string(text)
	for _, kind := range []string{".js", ".css"} {
		i := slices.IndexFunc(names, func(name string) bool { return path.Ext(name) == kind && strings.HasPrefix(name, "main-") })
		place := "main" + kind
		if i < 0 || strings.Count(page, place) != 1 {
			return nil, fmt.Errorf("index.html must name %s once, and the build must make one", place)
		}
		page = strings.Replace(page, place, names[i], 1)
	}
	return []byte(page), nil
}

// licences returns the licences of all packages that have code in the bundle. metafile
// is esbuild's description of the build.
func licences(from, metafile string) ([]byte, error) {
	var meta struct {
		Inputs map[string]struct{} `json:"inputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, err
	}
	packages := map[string]bool{}
	for input := range meta.Inputs {
		parts := strings.Split(input, "/")
		at := slices.Index(parts, "node_modules")
		if at < 0 {
			continue
		}
		name := parts[at+1]
		if strings.HasPrefix(name, "@") {
			name += "/" + parts[at+2]
		}
		packages[name] = true
	}
	var out strings.Builder
	out.WriteString("The admin pages of Postrider contain code of these packages.\n")
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		dir := filepath.Join(from, "node_modules", filepath.FromSlash(name))
		text, err := licence(dir)
		if err != nil {
			return nil, err
		}
		number, err := version(dir)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "\n%s %s\n\n%s\n", name, number, strings.TrimSpace(text))
	}
	return []byte(out.String()), nil
}

// licence returns the text of a package's licence file.
func licence(dir string) (string, error) {
	for _, name := range []string{"LICENSE", "LICENSE.md", "LICENSE.txt"} {
		text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // G304: a file of an installed package
		if err == nil {
			return string(text), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s has no licence file: it cannot be in the bundle", dir)
}

// version returns the version of an installed package.
func version(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "package.json")) //nolint:gosec // G304: a file of an installed package
	if err != nil {
		return "", err
	}
	var about struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(text, &about); err != nil {
		return "", fmt.Errorf("%s: %w", dir, err)
	}
	return about.Version, nil
}

// replace makes the folder contain just these files.
func replace(to string, files map[string][]byte) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
