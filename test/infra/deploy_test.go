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

// policies is a LocalStack that also takes the policies of stacks: LocalStack 4.14 does
// not know SetStackPolicy. It keeps the last one. It enforces none.
type policies struct {
	localStack http.Handler
	last       atomic.Value // of type url.Values: the request's parameters
}

func (p *policies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

// TestMakeDeployProtectsWhatItDeploys deploys a copy of the repository, for arm64, as a
// pipeline does.
func TestMakeDeployProtectsWhatItDeploys(t *testing.T) {
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
	set := &policies{localStack: httputil.NewSingleHostReverseProxy(address)}
	endpoint := httptest.NewServer(set)
	defer endpoint.Close()
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "samconfig.toml", "template.yaml", "go.mod", "go.sum", ".local"} {
		if err := os.Symlink(filepath.Join(from, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"functions", "internal", "infra"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(from, name))); err != nil {
			t.Fatal(err)
		}
	}
	parameters := strings.ReplaceAll(read(t, "infra/parameters/staging.yaml"), "x86_64", "arm64")
	deploy := func(more string, arguments ...string) (said string, deployed bool) {
		if err := os.WriteFile(filepath.Join(dir, "infra", "parameters", "staging.yaml"), []byte(parameters+more), 0o600); err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(t.Context(), "make", append([]string{"-o", "gate-tools", "deploy", "BUCKET=" + samcli.Bucket}, arguments...)...)
		command.Dir, command.Env = dir, samcli.Environment(endpoint.URL)
		out, err := command.CombinedOutput()
		return string(out), err == nil && set.last.Load() != nil
	}
	const provider = "ProviderUrl: http://127.0.0.1:9/v1\n"
	for _, refused := range []struct{ why, more, environment, confirm string }{
		{"infra/parameters/nowhere.yaml", provider, "nowhere", "1"},
		{"[ProviderUrl] must have values", "", "staging", "1"},
		{"Deploy this changeset?", provider, "staging", ""},
	} {
		said, deployed := deploy(refused.more, "ENV="+refused.environment, "CONFIRM="+refused.confirm)
		if deployed || !strings.Contains(said, refused.why) {
			t.Fatalf("it is not refused with %q: %s", refused.why, said)
		}
	}
	said, deployed := deploy(provider, "ENV=staging", "CONFIRM=1", "ROLE_ARN=arn:aws:iam::000000000000:role/cloudformation")
	if !deployed {
		t.Fatal(said)
	}
	client := cloudformation.NewFromConfig(s.Config())
	if _, err := client.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{
		StackName: aws.String("postrider-staging"), LogicalResourceId: aws.String("ClientsTable"),
	}); err != nil {
		t.Error(err)
	}
	form, _ := set.last.Load().(url.Values)
	if form.Get("StackName") != "postrider-staging" || form.Get("StackPolicyBody") != read(t, "infra/stackpolicy.json") {
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
