package stack

import (
	"fmt"
	"os"
	"path/filepath"
)

// installed holds the paths of what `make tools` has installed below a repository.
type installed struct {
	python     string // of LocalStack's virtual environment
	staticLibs string // what LocalStack's own image has in /usr/lib/localstack: the index of all services
	dynamodb   string // DynamoDB Local's folder, in the layout that LocalStack expects
	javaHome   string
}

// findTools returns the tools below root. It returns an error if an installation is not
// complete, that is if it does not have the stamp of localstack/tools/tools.mk.
func findTools(root string) (installed, error) {
	dir := filepath.Join(root, ".local", "tools")
	for _, tool := range []string{"localstack", "localstack/executor", "dynamodb"} {
		stamps, _ := filepath.Glob(filepath.Join(dir, tool, ".from-*")) // the pattern is valid
		if len(stamps) == 0 {
			return installed{}, fmt.Errorf("%s is missing: run `make tools`", filepath.Join(dir, tool))
		}
		if _, err := os.Stat(stamps[0]); err != nil {
			return installed{}, fmt.Errorf("a program of %s is gone: run `make tools`: %w", filepath.Join(dir, tool), err)
		}
	}
	localstack, dynamodb := filepath.Join(dir, "localstack"), filepath.Join(dir, "dynamodb")
	return installed{
		python:     filepath.Join(localstack, "bin", "python"),
		staticLibs: filepath.Join(localstack, "root", "usr", "lib", "localstack"),
		dynamodb:   dynamodb,
		javaHome:   filepath.Join(dynamodb, "jdk"),
	}, nil
}
