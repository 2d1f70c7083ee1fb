// Command cmd runs the fake provider until it is interrupted.
//
//	go run ./localstack/fakeprovider/cmd -listen '127.0.0.1:8001,[::1]:8001' -token local-token
//
// The defaults of its flags come from FAKE_PROVIDER_LISTEN and FAKE_PROVIDER_TOKEN.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"postrider/localstack/fakeprovider"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: stop has nothing left to do
	}
}

func run(ctx context.Context) error {
	listen := flag.String("listen", cmp.Or(os.Getenv("FAKE_PROVIDER_LISTEN"), "127.0.0.1:8001,[::1]:8001"), "addresses, separated by commas")
	token := flag.String("token", cmp.Or(os.Getenv("FAKE_PROVIDER_TOKEN"), fakeprovider.DefaultToken), "bearer token that is accepted")
	flag.Parse()

	listeners, err := fakeprovider.Listen(ctx, strings.Split(*listen, ",")...)
	if err != nil {
		return err
	}
	for _, l := range listeners {
		fmt.Fprintf(os.Stderr, "fake provider of the sending API: http://%v/v1\n", l.Addr())
	}
	return fakeprovider.New(fakeprovider.WithToken(*token)).Serve(ctx, listeners...)
}
