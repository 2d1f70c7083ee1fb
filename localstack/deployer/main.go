// Command deployer deploys the template to a LocalStack that was started by other
// means, and serves the API's stable address. Compose runs it beside LocalStack and the
// fake provider. When LocalStack was restarted, and so is empty, it deploys again. The
// template's parameters come from the environment.
//
//	go run ./localstack/deployer -localstack http://127.0.0.1:4566 -fakeprovider http://127.0.0.1:8001 -built .local/build
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"postrider/localstack/deploy"
	"postrider/localstack/proxy"
	"postrider/localstack/settings"
	"postrider/localstack/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: stop has nothing left to do
	}
}

func run(ctx context.Context) error {
	var target stack.Target
	flag.StringVar(&target.EndpointURL, "localstack", "http://127.0.0.1:4566", "LocalStack's address")
	flag.StringVar(&target.FakeProviderURL, "fakeprovider", "", "the fake provider's address, as functions reach it; none if empty")
	listen := flag.String("listen", "127.0.0.1:8000", "the API's stable address")
	template := flag.String("template", "template.yaml", "what to deploy")
	built := flag.String("built", ".local/build", "folder with <logical id>/bootstrap for each function")
	flag.Parse()

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	quiet := log.New(os.Stderr, "", 0)
	target.Proxy = proxy.New(quiet)
	server := &http.Server{Handler: target.Proxy, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: quiet}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }() // answers 503 until the API is deployed
	err = keep(ctx, served, target.Deployed, func() error {
		target.Proxy.SetTarget(nil) // the old target no longer exists
		if err := bring(ctx, target, *template, *built); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "the API is at http://%v\n", listener.Addr())
		return nil
	})
	soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(soon) != nil {
		return errors.Join(err, server.Close()) // cuts the requests that are still running
	}
	return err
}

// interval is the pause between two looks at LocalStack. During it the API's address
// may answer 404, if LocalStack was restarted and is empty.
const interval = 2 * time.Second

// keep keeps the stack deployed until ctx is done or the proxy has ended. It deploys as
// soon as LocalStack answers, and again after each restart of LocalStack, which leaves
// it empty. If the first deployment fails, keep returns the error; it tries later ones
// again. there reports whether LocalStack has the stack.
func keep(ctx context.Context, served <-chan error, there func(context.Context) (bool, error), bring func() error) error {
	tried, whole, silent := false, false, false
	for {
		has, err := look(ctx, there)
		if err != nil && !silent && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "LocalStack does not answer, and is asked again:", err)
		}
		silent = err != nil
		if !silent && (!has || !whole) {
			err := bring()
			if err != nil && !tried {
				return err
			}
			if err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, err)
			}
			tried, whole = true, err == nil
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return err
		case <-time.After(interval):
		}
	}
}

// look calls there with a time limit of 20 s: a connection to a container that no
// longer exists may never answer.
func look(ctx context.Context, there func(context.Context) (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return there(ctx)
}

// bring deploys the built functions, and prints how long it took.
func bring(ctx context.Context, target stack.Target, path, built string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	template, err := deploy.ParseTemplate(data)
	if err != nil {
		return err
	}
	source, err := settings.Environment(".env")
	if err != nil {
		return err
	}
	parameters, err := stack.Parameters(source, template)
	if err != nil {
		return err
	}
	begun := time.Now()
	fmt.Fprintln(os.Stderr, "deploying ...")
	deployed, err := target.Deploy(ctx, template, stack.Programs(template, built), parameters)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "deployed the API %s in %.1f s\n", deployed.APIID, time.Since(begun).Seconds())
	return nil
}
