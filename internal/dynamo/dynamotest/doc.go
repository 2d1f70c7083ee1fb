// Package dynamotest runs the real DynamoDB Local for tests.
//
// One Java process serves a test binary, in memory; each test gets tables of its
// own, made from the definitions in template.yaml, so that tests run in parallel
// and the schema is written down once. `make tools` lays DynamoDB Local out; the
// environment variable DYNAMODB_LOCAL_JAR names another copy. Tests that need it
// carry the build tag "integration".
//
// [Faults] stands between a store and DynamoDB and makes chosen calls fail the
// ways that DynamoDB's do.
package dynamotest
