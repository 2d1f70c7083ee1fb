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
	"postrider/localstack/front"
	"postrider/localstack/settings"
	"postrider/localstack/standin"
)

// A Target is a LocalStack that runs, whoever has started it, with what is
// around it.
type Target struct {
	EndpointURL string       // LocalStack's, as this process reaches it
	StandInURL  string       // the stand-in's, as functions reach it; "" without one
	Front       *front.Front // is led to the API
}

// A Deployed is a template that was brought to a target.
type Deployed struct {
	deploy.Result

	APIID string // of API Gateway
	Stage string
}

// Deploy uploads the programs, by logical id, puts the local keys where
// functions look for them, brings the target up to the template and these
// parameters, and leads the front to its API. It may be called again.
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

// DeployWith lets somebody else deploy the template, and leads the front to the
// API that comes of it. The rest is as with Deploy.
func (t Target) DeployWith(ctx context.Context, template *deploy.Template, parameters map[string]string, with DeployFunc) (Deployed, error) {
	all := t.withDefaults(template, parameters)
	for _, p := range template.Parameters() {
		// What is not said keeps the value that the stack has, to some: a value that
		// is not asked for any more would stay.
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

// bring puts the local keys into this SSM parameter, deploys, and leads the front
// to what comes of it.
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

// Deployed reports whether the target has the stack. A LocalStack that was started
// anew has not: its data ends with it. It is an error if LocalStack does not
// answer.
func (t Target) Deployed(ctx context.Context) (bool, error) {
	return deploy.Exists(ctx, t.config(), name)
}

// Parameters are the template's that a person has set, by name. Without a
// sending API there is no token either: the stand-in has its own. All that is
// wrong with them is told together: half a deployment cannot be taken back here.
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
	case plain && named: // the template's rule, which LocalStack does not know
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

// times are those that the functions get, 0 where the template has none or the
// value is no number.
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

// withDefaults is parameters with what is different on a laptop where they say
// nothing: the stand-in is the sending API, and it is nobody whom too many
// messages a second could hurt; and LocalStack runs one sender at a time, so
// that one gets the largest share of MaxSendRate that there is. Its keys are its
// own.
func (t Target) withDefaults(template *deploy.Template, parameters map[string]string) map[string]string {
	defaults := map[string]string{"SenderConcurrency": "2", "FirstMailingId": "1", keysParameter: "/postrider/local/keys"}
	if t.StandInURL != "" && parameters["ProviderUrl"] == "" {
		// An address, not a name: localhost would be tried on ::1 first, a moment lost for each connection.
		defaults["ProviderUrl"] = strings.Replace(t.StandInURL, "localhost", "127.0.0.1", 1) + "/v1"
		defaults["ProviderToken"] = standin.DefaultToken
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

// lead points the front at the API of a deployment.
func (t Target) lead(result deploy.Result) (Deployed, error) {
	api, ok := result.Resources[apiResource]
	if !ok {
		return Deployed{}, fmt.Errorf("the template has no resource %s: the front leads nowhere", apiResource)
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
	t.Front.SetTarget(base)
	return deployed, nil
}

// config is that of an AWS client for the target.
func (t Target) config() aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(t.EndpointURL),
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}
