// Command deploy brings an environment of samconfig.toml up to date, with safeguards.
// sam makes a change set, and the command shows it. A change that would replace or
// remove a table or a queue needs a person's confirmation. Only then the change set is
// executed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	info, err := os.Stdin.Stat()
	ask := asker{in: os.Stdin, out: os.Stdout, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, confirm: os.Getenv("CONFIRM")}
	var name string
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	if err := run(ctx, name, ask); err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: the end of the process also ends the notification
	}
}

// environment is a deployment target that samconfig.toml describes.
type environment struct {
	name, stack, region string
	parameters          string // the file with the template's parameters
}

// settings matches the lines of samconfig.toml that this command reads.
var settings = regexp.MustCompile(`(?m)^(stack_name|region) = "([a-zA-Z0-9-]+)"$`)

// environments returns the names of the environments that can be deployed.
func environments(config string) []string {
	found := regexp.MustCompile(`(?m)^\[(\w+)\.deploy\.parameters\]$`).FindAllStringSubmatch(config, -1)
	names := make([]string, len(found))
	for i, m := range found {
		names[i] = m[1]
	}
	return names
}

// find reads an environment from samconfig.toml. For an unknown name the error mentions
// ENV.
func find(name string) (environment, error) {
	e := environment{name: name, parameters: filepath.Join("infra", "parameters", name+".yaml")}
	config, err := os.ReadFile("samconfig.toml")
	if err != nil {
		return e, fmt.Errorf("the environment (ENV) %q: %w", name, err)
	}
	_, section, found := strings.Cut(string(config), "\n["+name+".deploy.parameters]\n")
	if !found || name == "" {
		return e, fmt.Errorf("there is no environment %q in samconfig.toml: ENV is one of %s", name, strings.Join(environments(string(config)), ", "))
	}
	section, _, _ = strings.Cut(section, "\n[")
	for _, m := range settings.FindAllStringSubmatch(section, -1) {
		if m[1] == "region" {
			e.region = m[2]
		} else {
			e.stack = m[2]
		}
	}
	if e.stack == "" || e.region == "" {
		return e, fmt.Errorf("the environment (ENV) %s has no stack_name or no region in samconfig.toml", name)
	}
	return e, nil
}

func run(ctx context.Context, name string, ask asker) error {
	e, err := find(name)
	if err != nil {
		return err
	}
	if err := e.check(); err != nil {
		return err
	}
	if name == "local" && os.Getenv("AWS_ENDPOINT_URL") == "" {
		return errors.New("ENV=local is for a LocalStack: set AWS_ENDPOINT_URL to its address")
	}
	sam, err := findSAM()
	if err != nil {
		return err
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(e.region), awsconfig.WithLogger(logging.Nop{}))
	if err != nil {
		return fmt.Errorf("set up AWS: %w", err)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY\n  (%w)", err)
	}
	d := deployment{
		environment: e, client: cloudformation.NewFromConfig(cfg), ask: ask, sam: sam, interval: time.Second,
		options: options(os.Getenv("BUCKET"), os.Getenv("ROLE_ARN")),
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("ask AWS whose credentials these are: %w", err)
	}
	d.place = place(e, aws.ToString(who.Account), aws.ToString(d.client.Options().BaseEndpoint))
	fmt.Fprintln(ask.out, "deploying to", d.place)
	set, err := d.prepare(ctx)
	if err != nil || set == nil {
		return err
	}
	tellKeys(ctx, ssm.NewFromConfig(cfg), valueOf(set, "KeysParameter"), ask)
	if err := d.agree(ctx, set); err != nil {
		return err
	}
	return d.execute(ctx, set)
}

// place describes the stack of the deployment, so that a person does not confuse it
// with a stack in another account or in a LocalStack.
func place(e environment, account, endpoint string) string {
	told := fmt.Sprintf("the stack %s in %s of the account %s", e.stack, e.region, account)
	if endpoint != "" {
		told += ", at " + endpoint + " (AWS_ENDPOINT_URL), which is not AWS"
	}
	return told
}

// findSAM returns the path of sam: the one below .local if there is one, or else the
// one on the PATH.
func findSAM() (string, error) {
	if path, err := exec.LookPath(filepath.Join(".local", "tools", "gate", "bin", "sam")); err == nil {
		return filepath.Abs(path)
	}
	path, err := exec.LookPath("sam")
	if err != nil {
		return "", errors.New("sam is missing: `make gate-tools` installs it below .local")
	}
	return path, nil
}

// tellKeys prints whether the SSM parameter with the keys exists. Without it the API
// refuses every caller. This does not stop the deployment: the parameter can be created
// later.
func tellKeys(ctx context.Context, client *ssm.Client, name string, ask asker) {
	var missing *types.ParameterNotFound
	_, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(name)})
	switch {
	case errors.As(err, &missing):
		fmt.Fprintf(ask.out, "\nthe SSM parameter %s, with the API's keys, is not there: until it is, the API refuses every key. `make key` makes a key, docs/settings.md says where to put it\n", name)
	case err != nil:
		fmt.Fprintf(ask.out, "\nwhether the SSM parameter %s, with the API's keys, is there cannot be told: %v\n", name, err)
	default:
		fmt.Fprintf(ask.out, "\nthe SSM parameter %s, with the API's keys, is there\n", name)
	}
}

func valueOf(set *cloudformation.DescribeChangeSetOutput, parameter string) string {
	for _, p := range set.Parameters {
		if aws.ToString(p.ParameterKey) == parameter {
			return aws.ToString(p.ParameterValue)
		}
	}
	return ""
}
