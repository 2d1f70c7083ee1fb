// Package stack runs Postrider on this machine: LocalStack without Docker, the fake
// provider, and the API's stable address. It deploys the same template that is deployed
// to AWS.
package stack

import (
	"context"
	"io"
	"net/http"
)

// Ports are the ports of a stack on 127.0.0.1 and ::1; 0 is any free port.
type Ports struct {
	Proxy        int `json:"proxy"` // the API's stable address
	FakeProvider int `json:"stand_in"`
	LocalStack   int `json:"local_stack"`
}

// DefaultPorts returns the ports that a stack has unless others are chosen.
func DefaultPorts() Ports { return Ports{Proxy: 8000, FakeProvider: 8001, LocalStack: 4566} }

// Options describe the stack to start.
type Options struct {
	// Root is the repository, with template.yaml, the Makefile that builds the functions,
	// and the tools that `make tools` has installed.
	Root string
	// Dir is the stack's own folder. No other stack may use it. Start empties it.
	Dir   string
	Ports Ports
	// Parameters are the template's parameters by name. Others keep their defaults.
	Parameters map[string]string
	// Template is the path of a template to use instead of Root's, if set.
	Template string
	// Built is a folder with <logical id>/bootstrap for each function. If set, the
	// functions are not built.
	Built string
	// Undeployed leaves LocalStack empty. The caller deploys to it, and the proxy leads
	// nowhere until Deploy is called.
	Undeployed bool
	// DeployWith replaces the stack's own way to deploy, if set.
	DeployWith DeployFunc
	// FakeProvider is the handler of the fake provider, if any. Functions get its address
	// unless Parameters has a ProviderUrl. If it has a method Close(), that is called
	// before its server stops.
	FakeProvider http.Handler
	// Record makes functions call AWS through a recorder: see Stack.Calls.
	Record bool
	// Log receives progress, one line each; nil discards it.
	Log io.Writer
}

// DeployFunc builds and deploys the template with these parameters, including its
// defaults, as the CloudFormation stack of this name, to the LocalStack at endpoint.
type DeployFunc func(ctx context.Context, endpoint, name string, parameters map[string]string) error

const (
	name   = "postrider" // of the CloudFormation stack
	region = "us-east-1"
	// apiResource is the logical id of the template's API, to which the proxy leads.
	apiResource = "Api"
)
