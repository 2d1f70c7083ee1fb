package main

import (
	"errors"
	"fmt"
	"os"

	"postrider/localstack/deploy"
	"postrider/localstack/settings"
	"postrider/localstack/stack"
)

// config holds a person's settings and the values that follow from them.
type config struct {
	Ports      stack.Ports       `json:"ports"`
	Parameters map[string]string `json:"parameters"` // of the template, including secrets
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
	var errs [5]error
	ports := stack.DefaultPorts()
	c.Ports.Proxy, errs[0] = source.Port("PORT", ports.Proxy)
	c.Ports.FakeProvider, errs[1] = source.Port("FAKE_PROVIDER_PORT", ports.FakeProvider)
	c.Ports.LocalStack, errs[2] = source.Port("LOCALSTACK_PORT", ports.LocalStack)
	c.Parameters, errs[4] = stack.Parameters(source, template)
	_, elsewhere := source("PROVIDER_URL")
	// The sample must not be sent through a real sending API by surprise.
	c.Sample, errs[3] = source.Bool("SAMPLE", !elsewhere)
	if err := errors.Join(errs[:]...); err != nil {
		return config{}, err
	}
	return c, nil
}
