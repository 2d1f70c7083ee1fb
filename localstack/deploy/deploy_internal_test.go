package deploy

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	want := []Parameter{{Name: "ProviderUrl", Default: "x"}, {Name: "ProviderToken", Secret: true}}
	if diff := cmp.Diff(want, parsed.Parameters()); diff != "" {
		t.Error(diff)
	}
	values := parsed.Values(func(name string) (string, bool) { return "v", name == "PROVIDER_URL" || name == "OTHER" })
	if diff := cmp.Diff(map[string]string{"ProviderUrl": "v"}, values); diff != "" {
		t.Error(diff)
	}
}

func TestPackagingSetsTheCodeAndKeepsShortForms(t *testing.T) {
	parsed := parse(t)
	if diff := cmp.Diff([]string{"OneFunction", "TwoFunction"}, parsed.Functions()); diff != "" {
		t.Error(diff)
	}
	out, err := parsed.Package(map[string]string{"OneFunction": "s3://b/one.zip", "TwoFunction": "s3://b/two.zip"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CodeUri: s3://b/one.zip", "CodeUri: s3://b/two.zip", "TABLE: !Ref Table", "!Sub \"${Api}/x\"", "!GetAtt Queue.Arn"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
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
