// Package dynamotest provides a DynamoDB for tests.
//
// Without a build tag it is [Memory]. With the tag "integration" it is the real
// DynamoDB Local: one Java process serves a test binary, in memory. `make tools`
// installs it; the environment variable DYNAMODB_LOCAL_JAR names another copy. All
// tests of the store run on both, so the two behave alike. [Memory] is fast enough for
// tests with thousands of runs. Each test has its own tables, made from the definitions
// in template.yaml. So tests run in parallel, and the schema is written down once.
//
// [Faults] stands between a store and DynamoDB. It makes chosen calls fail in the ways
// in which calls of DynamoDB fail.
package dynamotest
