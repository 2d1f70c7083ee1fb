// Command screenshots makes pictures of the admin pages of a stack that runs: each page in
// light, dark, on a narrow screen, and in Russian. It also runs axe-core on each of them,
// and fails if axe-core finds a violation or the console shows an error.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"postrider/test/chromium"
)

// patience is the longest time for one picture.
const patience = time.Minute

// look is a way in which each page is shown.
type look struct {
	name     string
	width    int64
	height   int64
	theme    string
	language string
}

var looks = []look{ //nolint:gochecknoglobals // a list that never changes
	{"light", 1280, 800, "light", "en"},
	{"dark", 1280, 800, "dark", "en"},
	{"narrow", 360, 780, "light", "en"},
	{"russian", 1280, 800, "light", "ru"},
}

func main() {
	url := flag.String("url", "http://localhost:8000", "the address of the stack")
	key := flag.String("key", "local-admin", "a key of the stack")
	out := flag.String("out", filepath.FromSlash("docs/screenshots"), "the folder for the pictures")
	only := flag.String("only", "", "only pictures whose name matches this pattern")
	pages := flag.String("pages", "", "pages as name=address, separated by blanks; by default all, with a mailing that runs and one that is scheduled")
	flag.Parse()
	if err := run(*url, *key, *out, *only, *pages); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

// shooter takes the pictures in one tab.
type shooter struct {
	ctx      context.Context
	url, out string
	axe      chromium.Axe

	mu     sync.Mutex
	errors []string
}

func run(url, key, out, only, pages string) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	axe, err := chromium.ReadAxe(".")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o750); err != nil {
		return err
	}
	program, err := chromium.Program()
	if err != nil {
		return err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.DisableGPU,
		chromedp.Flag("no-proxy-server", true), chromedp.Flag("hide-scrollbars", true))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	defer end()
	ctx, cancel := chromedp.NewContext(allocator)
	defer cancel()
	s := &shooter{ctx: ctx, url: url, out: out, axe: axe}
	if err := chromedp.Listen(ctx, s.note); err != nil {
		return err
	}
	if err := s.do(chromedp.Navigate(url+"/"), chromium.Await("document.querySelector('form') !== null")); err != nil {
		return err
	}
	var problems []error
	for _, l := range looks {
		if pattern.MatchString("signin-" + l.name) {
			problems = append(problems, s.shoot(l, "signin", ""))
		}
	}
	signIn := fmt.Sprintf(`fetch("api/session", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({key: %q})}).then(r => r.status)`, key)
	status, err := chromedp.Run(ctx, chromedp.Evaluate[int](signIn, chromedp.EvalAwaitPromise))
	if err != nil {
		return fmt.Errorf("sign in at %s: %w", url, err)
	}
	if status != 200 {
		return fmt.Errorf("sign in at %s: status %d: give a key of the stack (-key)", url, status)
	}
	list, err := s.pages(pages)
	if err != nil {
		return err
	}
	for _, p := range list {
		name, address, _ := strings.Cut(p, "=")
		for _, l := range looks {
			if pattern.MatchString(name + "-" + l.name) {
				problems = append(problems, s.shoot(l, name, address))
			}
		}
	}
	return errors.Join(problems...)
}

// pages returns the pages to show, each as name=address.
func (s *shooter) pages(given string) ([]string, error) {
	if given != "" {
		return strings.Fields(given), nil
	}
	// newest returns the id of the first item of the first list that is not empty.
	newest := func(paths ...string) (string, error) {
		for _, path := range paths {
			id, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](fmt.Sprintf(
				`fetch(%q).then(r => r.json()).then(l => String(l.items[0]?.id ?? ""))`, path), chromedp.EvalAwaitPromise))
			if err != nil || id != "" {
				return id, err
			}
		}
		return "0", nil
	}
	mailing, err := newest("api/mailings?limit=1&status=running", "api/mailings?limit=1")
	if err != nil {
		return nil, err
	}
	edited, err := newest("api/mailings?limit=1&status=scheduled", "api/mailings?limit=1")
	if err != nil {
		return nil, err
	}
	client, err := newest("api/clients?limit=1")
	if err != nil {
		return nil, err
	}
	return []string{
		"overview=", "mailings=mailings", "mailing=mailings/" + mailing, "new=mailings/new", "edit=mailings/" + edited + "/edit",
		"clients=clients", "client=clients/" + client, "import=clients/import", "queues=queues", "help=help",
	}, nil
}

// note records what the console shows as an error.
func (s *shooter) note(event any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		s.errors = append(s.errors, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		// The answer to the first question who is signed in is a 401.
		if e.Entry.Level == log.EntryLevelError && !strings.HasSuffix(e.Entry.URL, "/api/session") {
			s.errors = append(s.errors, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

func (s *shooter) do(steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// shoot makes one picture and runs axe-core.
func (s *shooter) shoot(l look, name, address string) error {
	file := filepath.Join(s.out, name+"-"+l.name+".png")
	settings := fmt.Sprintf(`localStorage.setItem("postrider.theme", %q); localStorage.setItem("postrider.language", %q)`, l.theme, l.language)
	if _, err := chromedp.Run(s.ctx, chromedp.Evaluate[any](settings)); err != nil {
		return err
	}
	// Nothing moves in a picture.
	still := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, still); err != nil {
		return err
	}
	err := s.do(
		chromedp.EmulateViewport(l.width, l.height),
		chromedp.Navigate(s.url+"/#/"+address), chromedp.Reload(),
		chromium.Await(`document.querySelector("h1") !== null && document.querySelector(".skeleton, .starting, [aria-busy=true]") === null`),
	)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	found, err := chromedp.Run(s.ctx, s.axe.Violations())
	if err != nil {
		return fmt.Errorf("%s: axe-core: %w", file, err)
	}
	picture, err := chromedp.Run(s.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if picture, err = smaller(picture); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := s.errors
	s.errors = nil
	fmt.Printf("%s: %d KB, %d violations, %d errors in the console\n", file, len(picture)>>10, len(found), len(shown))
	if len(found)+len(shown) > 0 {
		return fmt.Errorf("%s: %s", file, strings.Join(append(found, shown...), "\n  "))
	}
	return nil
}

// smaller returns the same picture in fewer bytes.
func smaller(picture []byte) ([]byte, error) {
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	best := png.Encoder{CompressionLevel: png.BestCompression}
	err = best.Encode(&out, decoded)
	if out.Len() < len(picture) {
		picture = out.Bytes()
	}
	return picture, err
}
