package dynamotest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"gopkg.in/yaml.v3"
)

// These are the resources of template.yaml that define the tables.
const (
	clientsTable  = "ClientsTable"
	mailingsTable = "MailingsTable"
	batchesTable  = "BatchesTable"
)

// tableProperties is the part of an AWS::DynamoDB::Table that determines its behaviour.
type tableProperties struct {
	AttributeDefinitions []struct {
		AttributeName string `yaml:"AttributeName"`
		AttributeType string `yaml:"AttributeType"`
	} `yaml:"AttributeDefinitions"`
	KeySchema              keySchema `yaml:"KeySchema"`
	GlobalSecondaryIndexes []struct {
		IndexName  string    `yaml:"IndexName"`
		KeySchema  keySchema `yaml:"KeySchema"`
		Projection struct {
			ProjectionType   string   `yaml:"ProjectionType"`
			NonKeyAttributes []string `yaml:"NonKeyAttributes"`
		} `yaml:"Projection"`
	} `yaml:"GlobalSecondaryIndexes"`
}

type keySchema []struct {
	AttributeName string `yaml:"AttributeName"`
	KeyType       string `yaml:"KeyType"`
}

// definitions returns the tables that template.yaml defines, by resource.
func definitions() (map[string]*dynamodb.CreateTableInput, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(root, "template.yaml")) //nolint:gosec // G304: a file of the repository
	if err != nil {
		return nil, err
	}
	var template struct {
		Resources map[string]struct {
			Type string `yaml:"Type"`
			// Properties is a node, because those of other resources may have any
			// content.
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(raw, &template); err != nil {
		return nil, fmt.Errorf("template.yaml: %w", err)
	}
	tables := map[string]*dynamodb.CreateTableInput{}
	for _, name := range []string{clientsTable, mailingsTable, batchesTable} {
		resource := template.Resources[name]
		if resource.Type != "AWS::DynamoDB::Table" {
			return nil, fmt.Errorf("template.yaml defines no table %s", name)
		}
		var properties tableProperties
		if err := resource.Properties.Decode(&properties); err != nil {
			return nil, fmt.Errorf("template.yaml: %s: %w", name, err)
		}
		tables[name] = properties.input()
	}
	return tables, nil
}

// input returns the request that creates the table. It has no TTL, because DynamoDB
// Local would remove items at times that a test does not control.
func (p tableProperties) input() *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{BillingMode: types.BillingModePayPerRequest, KeySchema: p.KeySchema.elements()}
	for _, a := range p.AttributeDefinitions {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(a.AttributeName), AttributeType: types.ScalarAttributeType(a.AttributeType),
		})
	}
	for _, index := range p.GlobalSecondaryIndexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(index.IndexName), KeySchema: index.KeySchema.elements(),
			Projection: &types.Projection{
				ProjectionType: types.ProjectionType(index.Projection.ProjectionType), NonKeyAttributes: index.Projection.NonKeyAttributes,
			},
		})
	}
	return in
}

func (k keySchema) elements() []types.KeySchemaElement {
	elements := make([]types.KeySchemaElement, len(k))
	for i, e := range k {
		elements[i] = types.KeySchemaElement{AttributeName: aws.String(e.AttributeName), KeyType: types.KeyType(e.KeyType)}
	}
	return elements
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
