package dynamotest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"postrider/internal/cfn"
)

// These are the resources of template.yaml that define the tables.
const (
	clientsTable  = "ClientsTable"
	mailingsTable = "MailingsTable"
	batchesTable  = "BatchesTable"
)

// definitions returns the requests that create the tables of template.yaml, by resource.
// They have no TTL, because DynamoDB Local would remove items at times that a test does
// not control.
func definitions() (map[string]*dynamodb.CreateTableInput, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	template, err := cfn.Read(filepath.Join(root, "template.yaml"))
	if err != nil {
		return nil, err
	}
	tables := map[string]*dynamodb.CreateTableInput{}
	for name, properties := range template.Resources("AWS::DynamoDB::Table") {
		tables[name] = &dynamodb.CreateTableInput{}
		// The template and the request use the same names, except for the encryption,
		// which no test needs.
		delete(properties, "SSESpecification")
		if err := cfn.Decode(properties, tables[name]); err != nil {
			return nil, fmt.Errorf("template.yaml: %s: %w", name, err)
		}
	}
	for _, name := range []string{clientsTable, mailingsTable, batchesTable} {
		if tables[name] == nil {
			return nil, fmt.Errorf("template.yaml defines no table %s", name)
		}
	}
	return tables, nil
}

// repository returns the folder of go.mod, which is the working directory of the test
// or above it.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod in or above the working directory")
		}
	}
}
