// Command samapi runs `sam local start-api`: the api function in a Docker container,
// with the data of the stack that runs on this machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"postrider/localstack/settings"
)

const (
	buildDir = ".local/sam/build"
	// host is the containers' name for the machine on which they run. samconfig.toml
	// defines it on Linux.
	host = "host.docker.internal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sam-api:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	sam, err := exec.LookPath(filepath.Join(".local", "tools", "gate", "bin", "sam"))
	if err != nil {
		return errors.New("sam is missing: `make gate-tools` installs it below .local")
	}
	source, err := settings.Environment(".env")
	if err != nil {
		return err
	}
	port, err := source.Port("LOCALSTACK_PORT", 4566)
	if err != nil {
		return err
	}
	gateway, err := bridge(ctx)
	if err != nil {
		return err
	}
	local := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	physical, err := resources(ctx, "http://"+local)
	if err != nil {
		return err
	}
	if err := command(ctx, sam, "build", "--config-env", "local", "--build-dir", buildDir, "--region", "us-east-1").Run(); err != nil {
		return fmt.Errorf("sam build: %w", err)
	}
	built, err := os.ReadFile(filepath.Join(buildDir, "template.yaml"))
	if err != nil {
		return err
	}
	template, err := bound(built, physical, "http://"+net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	path := filepath.Join(buildDir, "local.yaml") // in the folder of the programs that it names
	if err := os.WriteFile(path, template, 0o600); err != nil {
		return err
	}
	open(ctx, net.JoinHostPort(gateway, strconv.Itoa(port)), local, runtime.GOOS, os.Stderr)
	config, err := filepath.Abs("samconfig.toml")
	if err != nil {
		return err
	}
	if err := command(ctx, sam, "local", "start-api", "--config-file", config, "--config-env", "local", "--template", path).Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("sam local start-api: %w", err)
	}
	return nil
}

// command returns a sam command that is interrupted when ctx ends.
func command(ctx context.Context, sam string, arguments ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, sam, arguments...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // sam then removes its containers
	c.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c
}

// bridge returns the address at which Docker's containers reach this machine.
func bridge(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}").Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) && len(failed.Stderr) > 0 {
			err = errors.New(strings.TrimSpace(string(failed.Stderr)))
		}
		return "", fmt.Errorf("Docker is needed, and does not answer: %w", err) //nolint:staticcheck // ST1005: a name
	}
	return strings.TrimSpace(string(out)), nil
}

// resources returns the physical ids of the running stack by logical id.
func resources(ctx context.Context, endpoint string) (map[string]string, error) {
	client := cloudformation.New(cloudformation.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	out, err := client.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: aws.String("postrider")})
	if err != nil {
		return nil, fmt.Errorf("the stack does not run at %s: `make up` starts it: %w", endpoint, err)
	}
	ids := map[string]string{}
	for _, r := range out.StackResources {
		ids[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
	}
	return ids, nil
}
