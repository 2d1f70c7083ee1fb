// Package stack runs Postrider on this machine: LocalStack without Docker, the
// stand-in of the sending API, and the API's stable address, deployed from the
// template that also goes to AWS.
package stack

import (
	"context"
	"io"
	"net/http"

	"postrider/localstack/tools"
)

// Ports are those of a stack, on 127.0.0.1 and ::1; 0 is any free one.
type Ports struct {
	Front      int `json:"front"` // the API's stable address
	StandIn    int `json:"stand_in"`
	LocalStack int `json:"local_stack"`
}

// DefaultPorts are those that a stack has unless others are chosen.
func DefaultPorts() Ports { return Ports{Front: 8000, StandIn: 8001, LocalStack: 4566} }

// Options say what to start.
type Options struct {
	// Root is the repository, with template.yaml and the Makefile that builds the functions.
	Root string
	// Dir is the stack's own folder. It is emptied at the start, and whatever a
	// crash left running from it is ended.
	Dir string
	// Tools are what tools.Install returned.
	Tools tools.Installed
	Ports Ports
	// Parameters are the template's, by name; the others keep their defaults.
	Parameters map[string]string
	// Template is the path of another template than Root's, if given.
	Template string
	// Built is a folder with <logical id>/bootstrap for each function, if they
	// need not be built.
	Built string
	// Undeployed leaves LocalStack empty: whoever starts the stack deploys to it,
	// and the front leads nowhere until Deploy is called.
	Undeployed bool
	// DeployWith deploys instead of the stack's own way, if given.
	DeployWith DeployFunc
	// StandIn is the handler that stands in for the sending API, if any. Functions
	// get its address unless Parameters has a ProviderUrl. When it has a method
	// Close(), that is called before its server stops.
	StandIn http.Handler
	// Record makes functions call AWS through a recorder: see Stack.Calls.
	Record bool
	// Log gets progress, a line each; nil is nowhere.
	Log io.Writer
}

// A DeployFunc builds and deploys the template with these parameters, its
// defaults among them, as the CloudFormation stack of this name, to the
// LocalStack at endpoint.
type DeployFunc func(ctx context.Context, endpoint, name string, parameters map[string]string) error

const (
	name   = "postrider" // the CloudFormation stack's
	region = "us-east-1"
	// The logical id of the template's API, which the front leads to.
	apiResource = "Api"
)
