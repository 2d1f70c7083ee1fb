//go:build integration

package infra_test

import (
	"bytes"
	"debug/elf"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"postrider/localstack/stack/stacktest"
	"postrider/test/samcli"
)

// policySetter is a LocalStack that also takes the policies of stacks: LocalStack 4.14 does
// not know SetStackPolicy. It keeps the last one. It enforces none.
type policySetter struct {
	localStack http.Handler
	last       atomic.Value // of type url.Values: the request's parameters
}

func (p *policySetter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") == "SetStackPolicy" {
		p.last.Store(form)
		_, _ = io.WriteString(w, "<SetStackPolicyResponse/>")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.localStack.ServeHTTP(w, r)
}

// deployed is a template that is deployed quickly. The integration tests deploy the whole
// template.yaml with sam.
const deployed = `Transform: AWS::Serverless-2016-10-31
Parameters:
  ProviderUrl: {Type: String}
  Architecture: {Type: String}
Resources:
  SenderFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile}
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      CodeUri: .
      Architectures: [!Ref Architecture]
      Role: arn:aws:iam::000000000000:role/sender
  DeliveriesQueue: {Type: AWS::SQS::Queue}
`

// TestMakeDeployBuildsDeploysAndProtects runs make deploy in a copy of the repository, as
// a pipeline does. The copy differs in its template, and is for arm64.
func TestMakeDeployBuildsDeploysAndProtects(t *testing.T) {
	from, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := stacktest.Empty(t, from, "deploy")
	if err := samcli.MakeBucket(t.Context(), s.Config()); err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(s.EndpointURL)
	if err != nil {
		t.Fatal(err)
	}
	set := &policySetter{localStack: httputil.NewSingleHostReverseProxy(address)}
	endpoint := httptest.NewServer(set)
	defer endpoint.Close()
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "samconfig.toml", "go.mod", "go.sum", ".local"} {
		if err := os.Symlink(filepath.Join(from, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"functions", "internal", "infra"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(from, name))); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("template.yaml", deployed)
	parameters := strings.ReplaceAll(read(t, "infra/parameters/staging.yaml"), "x86_64", "arm64")
	deploy := func(more string, arguments ...string) (said string, protected bool) {
		write("infra/parameters/staging.yaml", parameters+more)
		command := exec.CommandContext(t.Context(), "make",
			append([]string{"-o", "gate-tools", "deploy", "BUCKET=" + samcli.Bucket}, arguments...)...)
		command.Dir, command.Env = dir, samcli.Environment(endpoint.URL) // it says: build for this machine
		out, err := command.CombinedOutput()
		return string(out), err == nil && set.last.Load() != nil
	}
	const provider = "ProviderUrl: http://127.0.0.1:9/v1\n"
	for _, refused := range []struct{ why, more, environment, confirm string }{
		{"infra/parameters/nowhere.yaml", provider, "nowhere", "1"},
		{"infra/parameters/local.yaml", provider, "local", "1"},
		{"[ProviderUrl] must have values", "", "staging", "1"},
		{"Deploy this changeset?", provider, "staging", ""},
	} {
		said, protected := deploy(refused.more, "ENV="+refused.environment, "CONFIRM="+refused.confirm)
		if protected || !strings.Contains(said, refused.why) {
			t.Fatalf("it is not refused with %q: %s", refused.why, said)
		}
	}
	client := cloudformation.NewFromConfig(s.Config())
	const stack = "postrider-staging"
	queue := cloudformation.DescribeStackResourceInput{
		StackName: aws.String(stack), LogicalResourceId: aws.String("DeliveriesQueue"),
	}
	if out, err := client.DescribeStackResource(t.Context(), &queue); err == nil {
		t.Errorf("what was refused is deployed: %v", out.StackResourceDetail)
	}
	said, protected := deploy(provider, "ENV=staging", "CONFIRM=1", "ROLE_ARN=arn:aws:iam::000000000000:role/deploy")
	if !protected {
		t.Fatal(said)
	}
	if _, err := client.DescribeStackResource(t.Context(), &queue); err != nil {
		t.Error(err)
	}
	form, _ := set.last.Load().(url.Values)
	if form.Get("StackName") != stack || form.Get("StackPolicyBody") != read(t, "infra/stackpolicy.json") {
		t.Errorf("its policy is set by %v", form)
	}
	program, err := elf.Open(filepath.Join(dir, ".aws-sam", "build", "SenderFunction", "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = program.Close() }()
	if program.Machine != elf.EM_AARCH64 {
		t.Errorf("the sender is built for %v, and deployed for arm64", program.Machine)
	}
}
