package provider_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"postrider/internal/provider"
)

func TestAllProblemsOfAConfigurationAreReportedTogether(t *testing.T) {
	_, err := provider.New(provider.Config{})
	if err == nil {
		t.Fatal("an empty configuration is accepted")
	}
	for _, what := range []string{"base URL", "token", "timeout", "connections"} {
		if !strings.Contains(err.Error(), what) {
			t.Errorf("no problem with the %s in %q", what, err)
		}
	}
}

func TestAWrongConfigurationIsRefused(t *testing.T) {
	for name, change := range map[string]func(*provider.Config){
		"a URL without a scheme":        func(c *provider.Config) { c.BaseURL = "host/v1" },
		"a URL without a host":          func(c *provider.Config) { c.BaseURL = "http://:8001" },
		"another scheme":                func(c *provider.Config) { c.BaseURL = "ftp://host" },
		"a URL that cannot be parsed":   func(c *provider.Config) { c.BaseURL = "http://ho st" },
		"a URL with a user":             func(c *provider.Config) { c.BaseURL = "http://u:secret-token@host" },
		"a URL with a query":            func(c *provider.Config) { c.BaseURL = "http://host/?a=b" },
		"a URL with a fragment":         func(c *provider.Config) { c.BaseURL = "http://host/#a" },
		"a URL of 3,000 bytes":          func(c *provider.Config) { c.BaseURL = "http://host/" + strings.Repeat("a", 3000) },
		"the token as URL":              func(c *provider.Config) { c.BaseURL = "secret-token" },
		"a token with a line break":     func(c *provider.Config) { c.Token = "secret-token\n" },
		"a token with a space":          func(c *provider.Config) { c.Token = "Bearer secret-token" },
		"a token too long for a header": func(c *provider.Config) { c.Token = strings.Repeat("secret-token", 1000) },
		"a negative timeout":            func(c *provider.Config) { c.Timeout = -time.Second },
		"a timeout of an hour":          func(c *provider.Config) { c.Timeout = time.Hour },
		"a negative number of conns":    func(c *provider.Config) { c.MaxConns = -1 },
		"too many conns":                func(c *provider.Config) { c.MaxConns = 10_001 },
	} {
		cfg := provider.Config{BaseURL: "https://host/v1", Token: "secret-token", Timeout: time.Second, MaxConns: 1}
		if _, err := provider.New(cfg); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		_, err := provider.New(cfg)
		if err == nil {
			t.Errorf("%s is accepted", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the token is in %q", name, err)
		}
	}
}

func TestTheTokenIsNeverShown(t *testing.T) {
	cfg := provider.Config{BaseURL: "https://host/v1", Token: "secret-token", Timeout: time.Second, MaxConns: 1}
	c, err := provider.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "config", cfg, "client", c)
	shown := fmt.Sprintf("%v %+v %#v %s %v %+v %#v %s", cfg, cfg, cfg, cfg, c, c, c, c) + logged.String()
	if strings.Contains(shown, "secret") || !strings.Contains(shown, "withheld") {
		t.Errorf("shown: %s", shown)
	}
}
