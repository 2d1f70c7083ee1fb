package provider

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestAllProblemsOfAConfigurationAreToldTogether(t *testing.T) {
	_, err := New(Config{})
	if err == nil {
		t.Fatal("an empty configuration is taken")
	}
	for _, what := range []string{"base URL", "token", "timeout", "connections"} {
		if !strings.Contains(err.Error(), what) {
			t.Errorf("nothing about the %s in %q", what, err)
		}
	}
}

func TestAWrongConfigurationIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"a URL without a scheme":      func(c *Config) { c.BaseURL = "host/v1" },
		"a URL that has only a port":  func(c *Config) { c.BaseURL = "http://:8001" },
		"another scheme":              func(c *Config) { c.BaseURL = "ftp://host" },
		"a URL that cannot be parsed": func(c *Config) { c.BaseURL = "http://ho st" },
		"a URL with a user":           func(c *Config) { c.BaseURL = "http://u:secret-token@host" },
		"a URL with a query":          func(c *Config) { c.BaseURL = "http://host/?a=b" },
		"a URL with a fragment":       func(c *Config) { c.BaseURL = "http://host/#a" },
		"the token as URL":            func(c *Config) { c.BaseURL = "secret-token" },
		"a token with a line break":   func(c *Config) { c.Token = "secret-token\n" },
		"a token with a space":        func(c *Config) { c.Token = "Bearer secret-token" },
		"a token beyond a header":     func(c *Config) { c.Token = strings.Repeat("secret-token", 1000) },
		"a negative timeout":          func(c *Config) { c.Timeout = -time.Second },
		"a timeout of an hour":        func(c *Config) { c.Timeout = time.Hour },
		"a negative number of conns":  func(c *Config) { c.MaxConns = -1 },
		"too many conns":              func(c *Config) { c.MaxConns = 10_001 },
	} {
		cfg := Config{BaseURL: "https://host/v1", Token: "secret-token", Timeout: time.Second, MaxConns: 1}
		if _, err := New(cfg); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		_, err := New(cfg)
		if err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the token is in %q", name, err)
		}
	}
}

func TestTheTokenIsNeverShown(t *testing.T) {
	cfg := Config{BaseURL: "https://host/v1", Token: "secret-token", Timeout: time.Second, MaxConns: 1}
	c, err := New(cfg)
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
