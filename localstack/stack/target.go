package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"postrider/internal/deliver"
	"postrider/internal/provider"
	"postrider/localstack/deploy"
	"postrider/localstack/fakeprovider"
	"postrider/localstack/proxy"
	"postrider/localstack/settings"
)

// Target is a LocalStack that runs, however it was started, with the fake provider and
// the proxy.
type Target struct {
	EndpointURL     string       // LocalStack's address, as this process reaches it
	FakeProviderURL string       // the fake provider's address, as functions reach it; "" without one
	Proxy           *proxy.Proxy // Deploy makes it lead to the API
}

// Deployed is a template that was deployed to a target.
type Deployed struct {
	deploy.Result

	APIID string // of API Gateway
	Stage string
}

// Deploy uploads the programs, whose keys are logical ids, writes the local keys for
// the functions, updates the target to the template and these parameters, and makes the
// proxy lead to its API. It may be called again.
func (t Target) Deploy(ctx context.Context, template *deploy.Template, programs, parameters map[string]string) (Deployed, error) {
	code, err := deploy.Upload(ctx, t.config(), programs)
	if err != nil {
		return Deployed{}, err
	}
	packaged, err := template.Package(code)
	if err != nil {
		return Deployed{}, err
	}
	all := t.withDefaults(template, parameters)
	return t.bring(ctx, all[keysParameter], func() (deploy.Result, error) {
		return deploy.Stack(ctx, t.config(), name, packaged, all)
	})
}

// DeployWith lets the function with deploy the template, and makes the proxy lead to
// the resulting API. It does the rest as Deploy does.
func (t Target) DeployWith(ctx context.Context, template *deploy.Template, parameters map[string]string, with DeployFunc) (Deployed, error) {
	all := t.withDefaults(template, parameters)
	for _, p := range template.Parameters() {
		// Some ways to deploy keep the stack's present value of a parameter that is not
		// given. Without this, an old value would stay after its setting was removed.
		if all[p.Name] == "" && p.Default != "" {
			all[p.Name] = p.Default
		}
	}
	return t.bring(ctx, all[keysParameter], func() (deploy.Result, error) {
		if err := with(ctx, t.EndpointURL, name, all); err != nil {
			return deploy.Result{}, err
		}
		return deploy.Read(ctx, t.config(), name)
	})
}

// bring writes the local keys into the SSM parameter keys, deploys, and makes the proxy
// lead to the result.
func (t Target) bring(ctx context.Context, keys string, with func() (deploy.Result, error)) (Deployed, error) {
	if err := putKeys(ctx, t.config(), keys); err != nil {
		return Deployed{}, err
	}
	result, err := with()
	if err != nil {
		return Deployed{}, err
	}
	return t.lead(result)
}

// Deployed reports whether the target has the stack. A restarted LocalStack does not
// have it: its data ends with it. Deployed returns an error if LocalStack does not
// answer.
func (t Target) Deployed(ctx context.Context) (bool, error) {
	return deploy.Exists(ctx, t.config(), name)
}

// Parameters returns the template's parameters that a person has set, by name. Without
// ProviderUrl it drops the token, because the fake provider has its own. It reports all
// errors together: half a deployment cannot be undone here.
func Parameters(source settings.Source, template *deploy.Template) (map[string]string, error) {
	parameters := template.Values(source)
	var errs []error
	plain, named := parameters["ProviderToken"] != "", parameters["ProviderTokenParameter"] != ""
	switch {
	case parameters["ProviderUrl"] == "":
		delete(parameters, "ProviderToken")
		delete(parameters, "ProviderTokenParameter")
	case !plain && !named:
		errs = append(errs, errors.New("PROVIDER_URL is set, and PROVIDER_TOKEN is not: set both, in the environment or in .env"))
	case plain && named: // a rule of the template that LocalStack does not know
		errs = append(errs, errors.New("PROVIDER_TOKEN and PROVIDER_TOKEN_PARAMETER are set: set one of them, in the environment or in .env"))
	}
	rules := map[string]func(string) error{"ProviderUrl": provider.CheckURL, "ProviderToken": provider.CheckToken}
	for _, p := range template.Parameters() {
		value, set := parameters[p.Name]
		if !set {
			continue
		}
		err := p.Check(value)
		if rule := rules[p.Name]; err == nil && rule != nil && rule(value) != nil {
			err = fmt.Errorf("%s: %w", p.Variable(), rule(value))
		}
		errs = append(errs, err)
	}
	if t := times(template, parameters); t.Provider > 0 && t.Sender > 0 && t.Visibility > 0 {
		errs = append(errs, t.CheckProvider(), t.CheckVisibility())
	}
	return parameters, errors.Join(errs...)
}

// times returns the timeouts that the functions get. A timeout is 0 if the template has
// none or if its value is not a number.
func times(template *deploy.Template, parameters map[string]string) deliver.Times {
	seconds := map[string]int{}
	for _, p := range template.Parameters() {
		if n, err := strconv.Atoi(cmp.Or(parameters[p.Name], p.Default)); err == nil {
			seconds[p.Name] = n
		}
	}
	return deliver.Times{
		Provider: seconds["ProviderTimeoutSeconds"], Sender: seconds["SenderTimeoutSeconds"], Visibility: seconds["VisibilityTimeoutSeconds"],
	}
}

// withDefaults returns the parameters, with the laptop's defaults for those that are
// not set. The fake provider is the sending API, and has no limit of messages a second.
// LocalStack runs one sender at a time, so SenderConcurrency has its smallest value,
// which gives that sender the largest possible share of MaxSendRate. The SSM parameter
// of the keys is the laptop's own.
func (t Target) withDefaults(template *deploy.Template, parameters map[string]string) map[string]string {
	defaults := map[string]string{"SenderConcurrency": "2", "FirstMailingId": "1", keysParameter: "/postrider/local/keys"}
	if t.FakeProviderURL != "" && parameters["ProviderUrl"] == "" {
		// An address, not a name: localhost would be tried on ::1 first, which costs a
		// moment for each connection.
		defaults["ProviderUrl"] = strings.Replace(t.FakeProviderURL, "localhost", "127.0.0.1", 1) + "/v1"
		defaults["ProviderToken"] = fakeprovider.DefaultToken
		defaults["MaxSendRate"] = "0"
	}
	all := map[string]string{}
	maps.Copy(all, parameters)
	for _, p := range template.Parameters() {
		if value, ok := defaults[p.Name]; ok && all[p.Name] == "" {
			all[p.Name] = value
		}
	}
	return all
}

// lead makes the proxy lead to the API of a deployment.
func (t Target) lead(result deploy.Result) (Deployed, error) {
	api, ok := result.Resources[apiResource]
	if !ok {
		return Deployed{}, fmt.Errorf("the template has no resource %s: the proxy leads nowhere", apiResource)
	}
	deployed := Deployed{Result: result, APIID: api.PhysicalID}
	for _, r := range result.Resources {
		if r.Type == "AWS::ApiGateway::Stage" {
			deployed.Stage = r.PhysicalID
		}
	}
	base, err := url.Parse(fmt.Sprintf("%s/_aws/execute-api/%s/%s", t.EndpointURL, deployed.APIID, deployed.Stage))
	if err != nil {
		return Deployed{}, err
	}
	t.Proxy.SetTarget(base)
	return deployed, nil
}

// config returns the configuration for AWS clients of the target.
func (t Target) config() aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(t.EndpointURL),
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}
