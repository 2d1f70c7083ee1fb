// Package dynamotest provides a DynamoDB for tests.
//
// Without a build tag it is [Memory]. With the tag "integration" it is the real
// DynamoDB Local: one Java process serves a test binary, in memory. `make tools`
// installs it; the environment variable DYNAMODB_LOCAL_JAR names another copy. All
// tests of stores run on both, so a result of thousands of runs on one holds for the
// other. Each test has its own tables, made from the definitions in template.yaml. So
// tests run in parallel, and the schema is written down once.
//
// [Faults] stands between a store and DynamoDB, and makes chosen calls fail in the ways
// in which those of DynamoDB do.
package dynamotest
