// Command key makes a new key for the API. It prints the key, which cannot be printed
// again, and the line that makes the key known to the API.
package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"postrider/internal/keys"
	"postrider/internal/mailing"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 || !mailing.Role(args[0]).Valid() {
		return errors.New("usage: make key ROLE=admin|viewer NAME=who-it-is-for")
	}
	caller := mailing.Caller{Role: mailing.Role(args[0]), Name: args[1]}
	if err := keys.CheckName(caller.Name); err != nil {
		return err
	}
	// The secret has 26 letters and digits, which is 130 bits: too many to guess. The
	// prefix lets scanners for lost secrets recognise the key.
	secret := "postrider_" + rand.Text()
	fmt.Printf("the key, for %s alone; it cannot be shown again:\n  %s\nits line, for the SSM parameter that KeysParameter names:\n  %s\n",
		caller.Name, secret, keys.Line(caller, secret))
	return nil
}
