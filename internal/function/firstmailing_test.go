package function_test

import (
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"

	"postrider/internal/function"
)

func TestTheFirstMailingsIDIsReadWithinItsLimits(t *testing.T) {
	for text, want := range map[string]function.FirstMailing{"": 0, "0": 0, "1": 1, "1048575": 1048575} {
		if got, err := readFirst(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"1048576", "-1", "1.5", "one", "4294967296"} {
		if got, err := readFirst(text); err == nil || !strings.Contains(err.Error(), "1 to 1048575") {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func readFirst(text string) (function.FirstMailing, error) {
	var c struct {
		First function.FirstMailing `env:"FIRST_MAILING_ID"`
	}
	err := env.ParseWithOptions(&c, env.Options{Environment: map[string]string{"FIRST_MAILING_ID": text}})
	return c.First, err
}
