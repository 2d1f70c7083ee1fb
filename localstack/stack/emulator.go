package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"postrider/localstack/process"
)

// emulator is a running LocalStack.
type emulator struct {
	*process.Group // with Java and the functions

	dir string // the stack's folder
	url string
}

// environment returns the environment of the LocalStack process. It passes on none of a
// person's own variables, except those that programs need to run.
func environment(dir string, port int, ipv6 bool, lambdaEndpoint string) []string {
	root := filepath.Join(dir, "localstack")
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	if ipv6 {
		listen += fmt.Sprintf(",[::1]:%d", port)
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"LANG=C.UTF-8",
		"HOME=" + root,
		"TMPDIR=" + filepath.Join(dir, "tmp"),
		"PYTHONUNBUFFERED=1",

		"FILESYSTEM_ROOT=" + root,                          // packages, caches and state
		"LAMBDA_RUNTIME_EXECUTOR=process",                  // our plugin: functions are processes of the host
		"GATEWAY_SERVER=loopback",                          // our plugin: LocalStack's own server listens on every interface
		"GATEWAY_LISTEN=" + listen,                         //
		fmt.Sprintf("LOCALSTACK_HOST=localhost:%d", port),  // the host in returned addresses
		"DNS_ADDRESS=0",                                    // no DNS server
		"DISABLE_EVENTS=1",                                 // no analytics
		"SKIP_SSL_CERT_DOWNLOAD=1",                         // a self-signed certificate instead of one from the internet
		"SQS_DISABLE_CLOUDWATCH_METRICS=1",                 // unused, and each is a request to itself
		"SQS_ENDPOINT_STRATEGY=path",                       // queue URLs on plain localhost: no wildcard DNS
		"DYNAMODB_IN_MEMORY=1",                             //
		"DYNAMODB_SHARE_DB=1",                              // functions call DynamoDB Local itself, with another access key than LocalStack
		"DYNAMODB_HEAP_SIZE=1g",                            // the default of 256m is too small for a large mailing
		"OVERRIDE_IN_DOCKER=0",                             // independent of /.dockerenv and cgroups
		"LAMBDA_SYNCHRONOUS_CREATE=1",                      // a function that cannot start fails the deployment
		"LAMBDA_LIMITS_CODE_SIZE_ZIPPED=104857600",         // archives are stored, not compressed
		"EAGER_SERVICE_LOADING=0",                          //
		"LS_LOG=" + cmp.Or(os.Getenv("LS_LOG"), "warning"), // a line for each request takes longer than the request
		"FUNCTION_PROCESSES=" + cmp.Or(os.Getenv("FUNCTION_PROCESSES"), "8"), // of each function; further invocations wait
		"AWS_CONFIG_FILE=/dev/null",                            // LocalStack's own clients: they use no profile,
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null",                //
		"AWS_EC2_METADATA_DISABLED=true",                       // and look for no cloud around us
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", //
		"AWS_DEFAULT_REGION=" + region,                           //
		"LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC=0.01",     // pause between two polls; the default of 1 s allows one batch a second
		"LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_ERROR_SEC=2", // the default is 60 s; errors pass sooner here

		"POSTRIDER_STATE=" + dir,
	}
	if lambdaEndpoint != "" {
		env = append(env, "POSTRIDER_LAMBDA_ENDPOINT="+lambdaEndpoint)
	}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} { // functions connect to a provider
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// prepare creates the stack's folder for LocalStack, with links to the tools.
// Java is a script: LocalStack starts it in a process group of its own, so it needs a
// guard of its own.
func prepare(dir string, tools installed) error {
	root := filepath.Join(dir, "localstack")
	libs := filepath.Join(root, "var", "lib", "localstack", "lib")
	java := filepath.Join(libs, "java", "21")                                                    // LocalStack's name for a version that is new enough
	bins := []string{filepath.Join(java, "bin"), filepath.Join(java, "Contents", "Home", "bin")} // the second one is for macOS
	for _, folder := range append(bins, filepath.Join(dir, "tmp"), logs(dir), filepath.Join(libs, "dynamodb-local"), filepath.Join(root, "usr", "lib")) {
		if err := os.MkdirAll(folder, 0o750); err != nil {
			return err
		}
	}
	if err := os.Symlink(tools.dynamodb, filepath.Join(libs, "dynamodb-local", "2")); err != nil {
		return err
	}
	if err := os.Symlink(tools.staticLibs, filepath.Join(root, "usr", "lib", "localstack")); err != nil {
		return err
	}
	// DynamoDB Local unpacks a library into Java's temporary folder. It does not run long
	// enough for Java's second compiler, nor has it enough data for a collector with threads.
	script := fmt.Sprintf("#!/bin/sh\nset -- %s -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Djava.io.tmpdir=%s \"$@\"\n%s",
		quote(filepath.Join(tools.javaHome, "bin", "java")), quote(filepath.Join(dir, "tmp")), process.Guard)
	for _, bin := range bins {
		if err := os.WriteFile(filepath.Join(bin, "java"), []byte(script), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// quote returns a path as one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func logs(dir string) string { return filepath.Join(dir, "logs") }

// startEmulator starts LocalStack, and returns when it is healthy.
func startEmulator(ctx context.Context, dir, python string, port int, ipv6 bool, lambdaEndpoint string) (*emulator, error) {
	log, err := os.Create(filepath.Join(logs(dir), "localstack.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()                           // LocalStack has its own copy
	cmd := exec.Command(python, "-m", "localstack.runtime.main") //nolint:noctx // its group is ended as a whole
	cmd.Dir = dir
	cmd.Env = environment(dir, port, ipv6, lambdaEndpoint)
	cmd.Stdout, cmd.Stderr = log, log
	group, err := process.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start LocalStack: %w", err)
	}
	e := &emulator{Group: group, dir: dir, url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	if err := e.healthy(ctx); err != nil {
		return nil, errors.Join(err, e.End())
	}
	return e, nil
}

// healthy waits until LocalStack answers, at most a minute. It takes 2 to 5 seconds on
// an idle machine.
func (e *emulator) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+"/_localstack/health", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close() // only the status matters
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-e.Ended():
			return fmt.Errorf("LocalStack ended while it was starting. Its last lines:\n%s", e.lastLines())
		case <-ctx.Done():
			return fmt.Errorf("LocalStack is not healthy: %w. Its last lines:\n%s", context.Cause(ctx), e.lastLines())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (e *emulator) lastLines() string {
	data, _ := os.ReadFile(filepath.Join(logs(e.dir), "localstack.log"))
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-15):], "\n  ")
}
