//go:build clients

// Package clients_test makes programs of the API's description by several generators,
// compiles them, and runs the same scenario with each: create a client and mailings with
// and without a window, read one, send back what was read with If-Match, read a list to
// its end, read the errors of a 422, import and export.
//
// The API is the real one over tables in memory. It adds an unknown field to each object
// in its answers, as a later version may. CLIENTS_URL and CLIENTS_KEY name a stack that
// runs instead.
package clients_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postrider/internal/api"
	"postrider/internal/dynamo/dynamotest"
	"postrider/internal/mailing"
)

var all = flag.Bool("all", false, "run all generators, not only those of the gate (make show-clients)")

// generator is a tool, with shell commands that run in a copy of its folder here. They
// get the paths of the description in SPEC and SPEC30, of the repository in ROOT, and
// what a scenario needs: BASE, KEY, and PHONES, the first ten digits of phones.
type generator struct {
	name string
	// gate is whether it runs in the gate: it needs only Go, Python or Node.
	gate                            bool
	version, generate, compile, run string
	// refuses are texts by which the tool says that it left something out.
	refuses []string
}

func generators() []generator {
	return []generator{
		{
			name: "oapi-codegen", gate: true,
			version:  "go list -m -f '{{.Version}}' github.com/oapi-codegen/oapi-codegen/v2",
			generate: `mkdir gen && go tool oapi-codegen -generate types,client -package gen -o gen/gen.go "$SPEC"`,
			compile:  "go build -o scenario .", run: "./scenario",
		},
		{
			name: "openapi-python-client", gate: true,
			version:  `sed -n 's/^openapi-python-client==\([0-9.]*\).*/\1/p' "$ROOT/localstack/tools/clients.lock"`,
			generate: `PATH="$ROOT/.local/tools/clients/bin:$PATH" openapi-python-client generate --path "$SPEC" --meta none --output-path made`,
			compile:  `"$ROOT/.local/tools/clients/bin/python" -m compileall -q made`,
			run:      `"$ROOT/.local/tools/clients/bin/python" scenario.py`,
			refuses:  []string{"will not be generated"},
		},
		{
			name: "openapi-typescript", gate: true,
			version:  `sed -n 's/.*"openapi-typescript": "\(.*\)".*/\1/p' "$ROOT/web/package.json"`,
			generate: `ln -s "$ROOT/web/node_modules" . && node_modules/.bin/openapi-typescript "$SPEC" --output schema.ts`,
			compile:  "node_modules/.bin/tsc", run: "node scenario.ts",
		},
		{
			name:     "ogen",
			version:  "go list -m -f '{{.Version}}' github.com/ogen-go/ogen",
			generate: `go tool ogen --target gen --package gen "$SPEC"`,
			compile:  "go build -o scenario .", run: "./scenario",
		},
		openapiGenerator("go", generator{
			// The package is part of the scenario's module. By default the generated code
			// refuses fields that the description does not have, against JSON Schema.
			generate: `-o gen --additional-properties=packageName=gen,disallowAdditionalPropertiesIfNotPresent=false && rm -r gen/go.* gen/test`,
			compile:  "go build -o scenario .", run: "./scenario",
		}),
		openapiGenerator("python", generator{
			generate: "-o .",
			compile:  `"$ROOT/.local/tools/clients-python/bin/python" -m compileall -q openapi_client`,
			run:      `"$ROOT/.local/tools/clients-python/bin/python" scenario.py`,
		}),
		openapiGenerator("typescript-fetch", generator{
			generate: "-o made --additional-properties=importFileExtension=.ts",
			compile:  `"$ROOT/web/node_modules/.bin/tsc"`, run: "node built/scenario.js",
		}),
		openapiGenerator("java", generator{
			generate: "-o . --additional-properties=disallowAdditionalPropertiesIfNotPresent=false",
			compile:  `JAVA_HOME="$ROOT/.local/tools/openapi-generator/jdk" mvn -q -B -DskipTests -Dmaven.javadoc.skip compile dependency:build-classpath -Dmdep.outputFile=classpath`,
			run:      `"$ROOT/.local/tools/openapi-generator/jdk/bin/java" -cp "target/classes:$(cat classpath)" Scenario`,
		}),
		{
			// Postman, and the linters of redocly and spectral with their recommended rules.
			name:     "newman",
			version:  `sed -n 's/.*"newman": "\(.*\)".*/\1/p' package.json`,
			generate: `ln -s "$ROOT/test/clients/newman/node_modules" . && node collection.mjs "$SPEC" collection.json`,
			compile: `node_modules/.bin/redocly lint "$SPEC" "$SPEC30" --max-problems 0 && echo "extends: [spectral:oas]" >rules.yaml &&
				node_modules/.bin/spectral lint --fail-severity warn --ruleset rules.yaml "$SPEC" "$SPEC30"`,
			run: "node run.mjs collection.json",
		},
	}
}

// openapiGenerator returns the generator of openapi-generator for a language. g has the
// options of its command.
func openapiGenerator(language string, g generator) generator {
	const tool = `"$ROOT/.local/tools/openapi-generator`
	g.name = "openapi-generator-" + language
	g.version = "sed 's/.*-cli-\\(.*\\).jar/\\1/' \"$ROOT/localstack/tools/openapi-generator.lock\""
	g.generate = tool + `/jdk/bin/java" -jar ` + tool + `/generator.jar" generate -i "$SPEC" -g ` + language + " " + g.generate
	g.refuses = []string{"ERROR"}
	return g
}

func TestGeneratedProgramsPassTheScenario(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	base, key := os.Getenv("CLIENTS_URL"), os.Getenv("CLIENTS_KEY")
	if base == "" {
		base, key = startAPI(t), adminKey
	}
	made := filepath.Join(root, ".local", "test", "clients")
	if err := os.RemoveAll(made); err != nil {
		t.Fatal(err)
	}
	spec := fetch(t, base+"/openapi.yaml", filepath.Join(made, "openapi.yaml"))
	spec30 := fetch(t, base+"/openapi-3.0.json", filepath.Join(made, "openapi-3.0.json"))
	for i, g := range generators() {
		if !g.gate && !*all {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			folder := filepath.Join(made, g.name)
			copyFolder(t, g.name, folder)
			do := func(step, command string) string {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), "sh", "-ec", command)
				cmd.Dir = folder
				cmd.Env = append(os.Environ(), "ROOT="+root, "SPEC="+spec, "SPEC30="+spec30, "BASE="+base, "KEY="+key, "PHONES="+phones(t, i),
					"PATH="+filepath.Join(root, ".local", "tools", "node", "bin")+":"+os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1")
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %s: %v\n%s", g.name, step, err, out)
				}
				for _, refusal := range g.refuses {
					if step == "generate" && strings.Contains(string(out), refusal) {
						t.Errorf("%s leaves something out:\n%s", g.name, out)
					}
				}
				return strings.TrimSpace(string(out))
			}
			version := do("version", g.version)
			do("generate", g.generate)
			do("compile", g.compile)
			if out := do("run", g.run); !strings.HasSuffix(out, "passed") {
				t.Errorf("%s: the scenario did not reach its end:\n%s", g.name, out)
			}
			if !t.Failed() {
				t.Logf("figure: %-32s %-10s generated, compiled, passed", g.name, version)
			}
		})
	}
}

// copyFolder copies a folder without what is installed in it.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "node_modules":
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		text, err := os.ReadFile(path) //nolint:gosec // G122: the folder is this one
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// phones returns ten digits of phones that no other run of a scenario has.
func phones(t *testing.T, i int) string {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1e6))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("79%02d%06d", i, n)
}

// fetch writes a document of the API to a file, and returns its path.
func fetch(t *testing.T, address, path string) string {
	t.Helper()
	answer, err := http.Get(address) //nolint:gosec // the test chose the address
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", address, answer.StatusCode, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const adminKey = "key-of-the-tests"

// keys knows one key.
type keys struct{}

func (keys) Caller(_ context.Context, key string) (mailing.Caller, bool, error) {
	return mailing.Caller{Name: "scenario", Role: mailing.Admin}, key == adminKey, nil
}

// tasks takes no tasks: the mailings of the scenario start in the far future.
type tasks struct{}

func (tasks) QueueTasks(context.Context, mailing.Mailing) error { return nil }
func (tasks) QueueSweep(context.Context) error                  { return nil }

// startAPI serves the API over tables in memory, and returns its address.
func startAPI(t *testing.T) string {
	t.Helper()
	env := dynamotest.StartMemory(t)
	store := env.StoreOver(env.Client)
	handler := api.New(store, store, tasks{}, nil, keys{}, api.Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(later(handler))
	t.Cleanup(server.Close)
	return server.URL
}

// later adds a field to each object in the answers in JSON, but not to the description.
func later(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		text := answer.Body.Bytes()
		media, _, _ := mime.ParseMediaType(answer.Header().Get("Content-Type"))
		var body any
		if strings.HasPrefix(r.URL.Path, "/api/") && strings.HasSuffix(media, "json") && json.Unmarshal(text, &body) == nil {
			addField(body)
			text, _ = json.Marshal(body)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = io.Copy(w, bytes.NewReader(text))
	})
}

func addField(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			addField(one)
		}
	case map[string]any:
		for _, one := range v {
			addField(one)
		}
		v["added_later"] = "a field of a later version"
	}
}
