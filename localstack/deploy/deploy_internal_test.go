package deploy

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const template = `Transform: AWS::Serverless-2016-10-31
Parameters:
  ProviderUrl: {Type: String, Default: x}
  ProviderToken: {Type: String, NoEcho: true}
Globals:
  Function: {CodeUri: .}
Resources:
  Table:
    Type: AWS::DynamoDB::Table
  OneFunction:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {TABLE: !Ref Table, URL: !Sub "${Api}/x"}}
      Events: {Q: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}
  TwoFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ./functions/two
`

func parse(t *testing.T) *Template {
	t.Helper()
	parsed, err := ParseTemplate([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestVariablesAreParameterNamesInUpperSnakeCase(t *testing.T) {
	for name, want := range map[string]string{
		"ProviderUrl": "PROVIDER_URL", "ProviderTimeoutSeconds": "PROVIDER_TIMEOUT_SECONDS", "Stage": "STAGE",
		"ProviderURL": "PROVIDER_URL", "URLPath": "URL_PATH", "Http2Port": "HTTP2_PORT", "MaxSQSDepth": "MAX_SQS_DEPTH",
	} {
		if got := (Parameter{Name: name}).Variable(); got != want {
			t.Errorf("%s is set by %s, want %s", name, got, want)
		}
	}
}

func TestParametersTakeOnlyWhatIsSet(t *testing.T) {
	parsed := parse(t)
	want := []Parameter{{Name: "ProviderToken", Secret: true}, {Name: "ProviderUrl", Default: "x"}}
	if diff := cmp.Diff(want, parsed.Parameters(), cmpopts.IgnoreUnexported(Parameter{})); diff != "" {
		t.Error(diff)
	}
	values := parsed.Values(func(name string) (string, bool) { return "v", name == "PROVIDER_URL" || name == "OTHER" })
	if diff := cmp.Diff(map[string]string{"ProviderUrl": "v"}, values); diff != "" {
		t.Error(diff)
	}
}

func TestAValueIsCheckedAgainstWhatTheTemplateSays(t *testing.T) {
	parsed, err := ParseTemplate([]byte(`Parameters:
  SenderConcurrency: {Type: Number, MinValue: 2, MaxValue: 1000}
  ReportHour: {Type: Number, MinValue: 0, MaxValue: 23}
  AnyNumber: {Type: Number}
  AtLeast: {Type: Number, MinValue: 1}
  AtMost: {Type: Number, MaxValue: 100000}
  LogLevel: {Type: String, AllowedValues: [debug, info]}
  LogRetentionDays: {Type: Number, AllowedValues: [1, 30]}
  Stage: {Type: String, AllowedPattern: "a|[b-z]{1,3}", Description: Name of the stage.}
  ProviderToken: {Type: String, NoEcho: true, MinLength: 2, MaxLength: 4}
  Free: {Type: String}
Resources: {}`))
	if err != nil {
		t.Fatal(err)
	}
	parameters := map[string]Parameter{}
	for _, p := range parsed.Parameters() {
		parameters[p.Name] = p
	}
	for _, c := range []struct{ name, value, want string }{
		{"SenderConcurrency", "2", ""},
		{"SenderConcurrency", "1000", ""},
		{"SenderConcurrency", "1", "SENDER_CONCURRENCY=1: it is a whole number, 2 to 1,000"},
		{"SenderConcurrency", "1001", "SENDER_CONCURRENCY=1001: it is a whole number, 2 to 1,000"},
		{"SenderConcurrency", "abc", "SENDER_CONCURRENCY=abc: it is a whole number, 2 to 1,000"},
		{"SenderConcurrency", "2.5", "SENDER_CONCURRENCY=2.5: it is a whole number, 2 to 1,000"},
		{"ReportHour", "0", ""},
		{"ReportHour", "-1", "REPORT_HOUR=-1: it is a whole number, 0 to 23"},
		{"AnyNumber", "-5", ""},
		{"AnyNumber", "x", "ANY_NUMBER=x: it is a whole number"},
		{"AtLeast", "0", "AT_LEAST=0: it is a whole number, 1 at least"},
		{"AtMost", "100001", "AT_MOST=100001: it is a whole number, 100,000 at most"},
		{"LogLevel", "info", ""},
		{"LogLevel", "loud", "LOG_LEVEL=loud: it is one of debug, info"},
		{"LogRetentionDays", "30", ""},
		{"LogRetentionDays", "2", "LOG_RETENTION_DAYS=2: it is one of 1, 30"},
		{"Stage", "bcd", ""},
		{"Stage", "bcde", "STAGE: Name of the stage. It has to match a|[b-z]{1,3}"},
		{"Stage", "a ", "STAGE: Name of the stage. It has to match a|[b-z]{1,3}"},
		{"ProviderToken", "äöüß", ""},
		{"ProviderToken", "secret", "PROVIDER_TOKEN: the number of its characters is 2 to 4"},
		{"Free", "anything at all", ""},
	} {
		said := ""
		if err := parameters[c.name].Check(c.value); err != nil {
			said = err.Error()
		}
		if said != c.want {
			t.Errorf("%s: %q says %q, want %q", c.name, c.value, said, c.want)
		}
	}
}

func TestPackagingSetsTheCodeAndKeepsReferences(t *testing.T) {
	parsed := parse(t)
	if diff := cmp.Diff([]string{"OneFunction", "TwoFunction"}, parsed.Functions()); diff != "" {
		t.Error(diff)
	}
	out, err := parsed.Package(map[string]string{"OneFunction": "s3://b/one.zip", "TwoFunction": "s3://b/two.zip"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"CodeUri":"s3://b/one.zip"`, `"CodeUri":"s3://b/two.zip"`,
		`"TABLE":{"Ref":"Table"}`, `{"Fn::Sub":"${Api}/x"}`, `{"Fn::GetAtt":["Queue","Arn"]}`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "functions/two") {
		t.Error("the old CodeUri is still there")
	}
	again, err := parsed.Package(map[string]string{"OneFunction": "s3://b/one.zip", "TwoFunction": "s3://b/two.zip"})
	if err != nil || !bytes.Equal(out, again) {
		t.Errorf("packaging again gives another template, or %v", err)
	}
}

func TestPackagingWithoutAFunctionsCodeFails(t *testing.T) {
	_, err := parse(t).Package(map[string]string{"OneFunction": "s3://b/one.zip"})
	if err == nil || !strings.Contains(err.Error(), "TwoFunction") {
		t.Errorf("Package = %v, want an error that names TwoFunction", err)
	}
}

func TestATemplateWithoutResourcesIsRefused(t *testing.T) {
	for _, text := range []string{"", "a: b", ": :", "- x"} {
		if _, err := ParseTemplate([]byte(text)); err == nil {
			t.Errorf("ParseTemplate(%q) has no error", text)
		}
	}
}

func TestTheSameProgramHasTheSameAddress(t *testing.T) {
	pack := func(content string) (string, []byte) {
		path := filepath.Join(t.TempDir(), "bootstrap")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		key, archive, err := Archive(path)
		if err != nil {
			t.Fatal(err)
		}
		return key, archive
	}
	key, archive := pack("one")
	if again, _ := pack("one"); again != key {
		t.Errorf("the same program has keys %s and %s", key, again)
	}
	if other, _ := pack("two"); other == key {
		t.Error("another program has the same key")
	}
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode()&0o111 == 0 {
		t.Errorf("the archive holds %v, want an executable bootstrap", z.File)
	}
}
