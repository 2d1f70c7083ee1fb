//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"gopkg.in/yaml.v3"

	"postrider/localstack/stack"
	"postrider/test/samcli"
)

// deployer returns how to deploy the stack. nil is the stack's own way, which takes
// seconds; with DEPLOY=sam it is sam, as on AWS. Everything that is built goes below dir.
func deployer(root, dir string) (stack.DeployFunc, error) {
	switch by := os.Getenv("DEPLOY"); by {
	case "":
		return nil, nil //nolint:nilnil // no function means the stack's own way
	case "sam":
		return deploySAM(root, filepath.Join(dir, "build")), nil
	default:
		return nil, fmt.Errorf("DEPLOY is %q: sam, or nothing", by)
	}
}

// deploySAM builds with `sam build` and deploys with `sam deploy`.
func deploySAM(root, dir string) stack.DeployFunc {
	built := filepath.Join(dir, "sam")
	var isBuilt bool // what is built stays the same
	return func(ctx context.Context, endpoint, name string, parameters map[string]string) error {
		cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
		if err := samcli.MakeBucket(ctx, cfg); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return err
		}
		config, err := samcli.Config(root, dir)
		if err != nil {
			return err
		}
		if !isBuilt {
			if err := samcli.Run(ctx, root, endpoint, "build", "--config-env", "local", "--build-dir", built, "--region", "us-east-1"); err != nil {
				return err
			}
			isBuilt = true
		}
		// A file of parameters can also hold an empty value.
		own, err := yaml.Marshal(parameters)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, "parameters.yaml")
		if err := os.WriteFile(file, own, 0o600); err != nil {
			return err
		}
		return samcli.Run(ctx, root, endpoint,
			"deploy", "--config-file", config, "--config-env", "local", "--template-file", filepath.Join(built, "template.yaml"),
			"--stack-name", name, "--no-progressbar", "--parameter-overrides", "file://infra/parameters/local.yaml", "file://"+file)
	}
}
