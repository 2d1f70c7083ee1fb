package main

import (
	"errors"
	"fmt"
	"os"

	"postrider/localstack/deploy"
	"postrider/localstack/settings"
	"postrider/localstack/stack"
)

// A config is what a person has set, and what follows from it.
type config struct {
	Ports      stack.Ports       `json:"ports"`
	Parameters map[string]string `json:"parameters"` // of the template; secrets are among them
	Sample     bool              `json:"sample"`
}

// load reads the environment, .env and the template's parameters.
func load() (config, error) {
	source, err := settings.Environment(".env")
	if err != nil {
		return config{}, err
	}
	data, err := os.ReadFile("template.yaml")
	if err != nil {
		return config{}, fmt.Errorf("read the template (is this the repository's root?): %w", err)
	}
	template, err := deploy.ParseTemplate(data)
	if err != nil {
		return config{}, err
	}
	return resolve(source, template)
}

func resolve(source settings.Source, template *deploy.Template) (config, error) {
	var c config
	var errs [4]error
	c.Ports.Front, errs[0] = source.Port("PORT", 8000)
	c.Ports.StandIn, errs[1] = source.Port("STANDIN_PORT", 8001)
	c.Ports.LocalStack, errs[2] = source.Port("LOCALSTACK_PORT", 4566)
	c.Parameters = template.Values(source)
	_, elsewhere := source("PROVIDER_URL")
	// Nobody's clients get a sample by surprise.
	c.Sample, errs[3] = source.Bool("SAMPLE", !elsewhere)
	if err := errors.Join(errs[:]...); err != nil {
		return config{}, err
	}
	if !elsewhere {
		delete(c.Parameters, "ProviderToken") // the stand-in has its own
	} else if c.Parameters["ProviderToken"] == "" {
		return config{}, errors.New("PROVIDER_URL is set, and PROVIDER_TOKEN is not: set both, in the environment or in .env")
	}
	return c, nil
}
