// Package samcli runs sam against a LocalStack on this machine. Tests use it to deploy as
// users do on AWS.
package samcli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Bucket holds the files that sam uploads. With resolve_s3, as users have it, sam makes a
// bucket by a stack of its own, and waits long for that; the rest is the same.
const Bucket = "sam-artifacts"

// MakeBucket makes the bucket; it may be there already.
func MakeBucket(ctx context.Context, cfg aws.Config) error {
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(Bucket)}); err != nil {
		return fmt.Errorf("make the bucket %s: %w", Bucket, err)
	}
	return nil
}

// Config writes root's samconfig.toml into dir, and returns its path. It replaces
// resolve_s3 by the bucket of MakeBucket, and makes these replacements of strings (old,
// new, ...).
func Config(root, dir string, replacements ...string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "samconfig.toml"))
	if err != nil {
		return "", err
	}
	replacements = append([]string{"resolve_s3 = true", `s3_bucket = "` + Bucket + `"`}, replacements...)
	path := filepath.Join(dir, "samconfig.toml")
	return path, os.WriteFile(path, []byte(strings.NewReplacer(replacements...).Replace(string(text))), 0o600)
}

// Environment returns the environment by which sam, and what it builds, use this machine,
// where the functions run as processes.
func Environment(endpoint string) []string {
	return append(os.Environ(), "SAM_CLI_TELEMETRY=0", "SAM_CLI_POLL_DELAY=0.5", "AWS_ENDPOINT_URL="+endpoint,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"FUNCTION_GOOS="+runtime.GOOS, "FUNCTION_GOARCH="+runtime.GOARCH)
}

// Run runs a command of the sam that `make gate-tools` installs, in root, against the
// LocalStack at endpoint. The error holds sam's whole output.
func Run(ctx context.Context, root, endpoint string, arguments ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(root, ".local", "tools", "gate", "bin", "sam"), arguments...)
	command.Dir, command.Env = root, Environment(endpoint)
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("sam %s (`make gate-tools` installs it): %w\n%s", arguments[0], err, said)
	}
	return nil
}
