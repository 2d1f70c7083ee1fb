package template_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"postrider/internal/api"
)

// described holds the parts of the template that these tests read. A short form such as
// !Ref is read as its argument.
type described struct {
	Parameters map[string]struct {
		Default        string `yaml:"Default"`
		AllowedPattern string `yaml:"AllowedPattern"`
	} `yaml:"Parameters"`
	Resources struct {
		API struct {
			Properties struct {
				GatewayResponses map[string]gatewayResponse `yaml:"GatewayResponses"`
				MethodSettings   []map[string]string        `yaml:"MethodSettings"`
			} `yaml:"Properties"`
		} `yaml:"Api"`
		APIFunction struct {
			Properties struct {
				Environment struct {
					Variables map[string]string `yaml:"Variables"`
				} `yaml:"Environment"`
			} `yaml:"Properties"`
		} `yaml:"ApiFunction"`
	} `yaml:"Resources"`
}

type gatewayResponse struct {
	StatusCode         int `yaml:"StatusCode"`
	ResponseParameters struct {
		Headers map[string]any `yaml:"Headers"`
	} `yaml:"ResponseParameters"`
	ResponseTemplates map[string]string `yaml:"ResponseTemplates"`
}

func template(t *testing.T) described {
	t.Helper()
	raw, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d described
	if err := yaml.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAPIGatewaysOwnAnswersAreProblemDocumentsWithAFixedText(t *testing.T) {
	t.Parallel()
	responses := template(t).Resources.API.Properties.GatewayResponses
	for _, kind := range []string{"DEFAULT_4XX", "DEFAULT_5XX", "MISSING_AUTHENTICATION_TOKEN", "REQUEST_TOO_LARGE", "THROTTLED", "INTEGRATION_TIMEOUT"} {
		if _, ok := responses[kind]; !ok {
			t.Errorf("%s is API Gateway's own", kind)
		}
	}
	for kind, r := range responses {
		if len(r.ResponseTemplates) != 1 {
			t.Errorf("%s: %d bodies", kind, len(r.ResponseTemplates))
		}
		body := r.ResponseTemplates["application/json"]
		var p struct {
			Title  string `json:"title"`
			Status int    `json:"status"`
			Detail string `json:"detail"`
		}
		d := json.NewDecoder(strings.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil || p.Title == "" || p.Detail == "" {
			t.Errorf("%s is no problem document: %v: %s", kind, err, body)
		}
		if p.Status != r.StatusCode || p.Status != 0 && p.Title != http.StatusText(p.Status) {
			t.Errorf("%s: status %d says %s", kind, r.StatusCode, body)
		}
		if fixed := strings.HasPrefix(kind, "DEFAULT_"); fixed != (p.Status == 0) {
			t.Errorf("%s: status %d, though a default stands for several, and no other does", kind, p.Status)
		}
		// A variable may repeat the caller's input, or internal data.
		if strings.Contains(body, "$") {
			t.Errorf("%s is not fixed: %s", kind, body)
		}
	}
}

func TestAPIGatewaysOwnAnswersHaveTheHeaderOfTheAPIs(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"Content-Type":                "'application/problem+json'",
		"Access-Control-Allow-Origin": []any{"HasCorsOrigins", "'*'", "AWS::NoValue"},
	}
	for name := range api.OwnHeader() {
		want[name] = "'" + strings.ReplaceAll(api.OwnHeader().Get(name), " 'none'", "") + "'"
	}
	for kind, r := range template(t).Resources.API.Properties.GatewayResponses {
		got := r.ResponseParameters.Headers
		if after, ok := got["Retry-After"]; ok != (r.StatusCode == http.StatusTooManyRequests) || ok && after != "'1'" {
			t.Errorf("%s: Retry-After %v", kind, after)
		}
		delete(got, "Retry-After")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

func TestTheStageIsThrottled(t *testing.T) {
	t.Parallel()
	d := template(t)
	want := []map[string]string{{
		"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": "ApiRateLimit", "ThrottlingBurstLimit": "ApiBurstLimit",
	}}
	if diff := cmp.Diff(want, d.Resources.API.Properties.MethodSettings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, limit := range []string{"ApiRateLimit", "ApiBurstLimit"} {
		if n, err := strconv.Atoi(d.Parameters[limit].Default); err != nil || n < 1 {
			t.Errorf("%s is %q", limit, d.Parameters[limit].Default)
		}
	}
}

func TestOriginsReachTheFunctionAndAreNoneByDefault(t *testing.T) {
	t.Parallel()
	d := template(t)
	if got := d.Resources.APIFunction.Properties.Environment.Variables["CORS_ORIGINS"]; got != "CorsOrigins" {
		t.Errorf("CORS_ORIGINS is %q", got)
	}
	origins, ok := d.Parameters["CorsOrigins"]
	if !ok || origins.Default != "" {
		t.Errorf("default %q, %t", origins.Default, ok)
	}
	// A value with which the function would not start must fail the deployment.
	allowed := regexp.MustCompile(origins.AllowedPattern)
	for text, want := range map[string]bool{
		"": true, "*": true, "https://app.example.com": true, "https://a.example, http://localhost:3000": true,
		"app.example.com": false, "https://a.example/": false, "https://*.example.com": false, "*, https://a.example": false,
		"https://A.example": false, "https://a.example,": false, "https://a.example?x": false, "https://me@a.example": false,
		"https://a.example:443": true, "http://a.example:80": true, "https://xn--e1afmkfd.xn--p1ai": true, "https://10.0.0.1:8443": true,
		"https://a.example:": false, "https://a.example:x": false, "https://пример.рф": false, "https://a%zz": false, "https://:3000": false,
	} {
		var read api.Origins
		if err := read.UnmarshalText([]byte(text)); allowed.MatchString(text) != want || err == nil != want {
			t.Errorf("%q: the template says %t, the function %v", text, allowed.MatchString(text), err)
		}
	}
}
