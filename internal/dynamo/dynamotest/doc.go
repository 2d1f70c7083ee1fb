// Package dynamotest gives tests a DynamoDB.
//
// Without a build tag it is [Memory]. With the tag "integration" it is the real
// DynamoDB Local: one Java process serves a test binary, in memory; `make tools`
// lays it out, and the environment variable DYNAMODB_LOCAL_JAR names another copy.
// All tests of stores run on both, so what is shown by thousands of runs on the
// one holds for the other. Each test gets tables of its own, made from the
// definitions in template.yaml, so that tests run in parallel and the schema is
// written down once.
//
// [Faults] stands between a store and DynamoDB and makes chosen calls fail the
// ways that DynamoDB's do.
package dynamotest
