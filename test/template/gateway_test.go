package template_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/internal/api"
	"postrider/internal/cfn"
)

type gatewayResponse struct {
	StatusCode         int `json:"StatusCode"`
	ResponseParameters struct {
		Headers map[string]any `json:"Headers"`
	} `json:"ResponseParameters"`
	ResponseTemplates map[string]string `json:"ResponseTemplates"`
}

func gatewayResponses(t *testing.T) map[string]gatewayResponse {
	t.Helper()
	var all map[string]gatewayResponse
	api := cfn.At(readTemplate(t)["Resources"], "Api", "Properties")
	if err := cfn.Decode(cfn.At(api, "GatewayResponses"), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAPIGatewaysOwnAnswersAreProblemDocumentsWithAFixedText(t *testing.T) {
	t.Parallel()
	responses := gatewayResponses(t)
	for _, kind := range []string{
		"DEFAULT_4XX", "DEFAULT_5XX", "MISSING_AUTHENTICATION_TOKEN", "REQUEST_TOO_LARGE", "THROTTLED", "INTEGRATION_TIMEOUT",
	} {
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
			t.Errorf("%s is not a problem document: %v: %s", kind, err, body)
		}
		if p.Status != r.StatusCode || p.Status != 0 && p.Title != http.StatusText(p.Status) {
			t.Errorf("%s: status %d says %s", kind, r.StatusCode, body)
		}
		if fixed := strings.HasPrefix(kind, "DEFAULT_"); fixed != (p.Status == 0) {
			t.Errorf("%s: status %d; only a default has no status, because it stands for several", kind, p.Status)
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
		"Content-Type": "'application/problem+json'",
		"Access-Control-Allow-Origin": map[string]any{
			"Fn::If": []any{"HasCorsOrigins", "'*'", map[string]any{"Ref": "AWS::NoValue"}},
		},
	}
	for name := range api.OwnHeader() {
		want[name] = "'" + strings.ReplaceAll(api.OwnHeader().Get(name), " 'none'", "") + "'"
	}
	for kind, r := range gatewayResponses(t) {
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
	template := readTemplate(t)
	want := []any{map[string]any{
		"ResourcePath": "/*", "HttpMethod": "*",
		"ThrottlingRateLimit":  map[string]any{"Ref": "ApiRateLimit"},
		"ThrottlingBurstLimit": map[string]any{"Ref": "ApiBurstLimit"},
	}}
	if diff := cmp.Diff(want, cfn.At(template["Resources"], "Api", "Properties", "MethodSettings")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, limit := range []string{"ApiRateLimit", "ApiBurstLimit"} {
		if n := number(template, map[string]any{"Ref": limit}); !(n >= 1) {
			t.Errorf("%s is %v", limit, n)
		}
	}
}

func TestOriginsReachTheFunctionAndAreNoneByDefault(t *testing.T) {
	t.Parallel()
	template := readTemplate(t)
	function := cfn.At(template["Resources"], apiFunction, "Properties")
	if got := cfn.At(function, "Environment", "Variables", "CORS_ORIGINS"); cfn.Ref(got) != "CorsOrigins" {
		t.Errorf("CORS_ORIGINS is %v", got)
	}
	origins := cfn.At(template["Parameters"], "CorsOrigins")
	if byDefault := cfn.At(origins, "Default"); byDefault != "" {
		t.Errorf("the default is %v", byDefault)
	}
	// A value with which the function would not start must fail the deployment.
	allowed := regexp.MustCompile(cfn.Text(cfn.At(origins, "AllowedPattern")))
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
