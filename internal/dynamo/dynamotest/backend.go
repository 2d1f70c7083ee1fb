//go:build !integration

package dynamotest

import "testing"

// Fast reports whether a call takes microseconds, so that tests can afford thousands of
// runs.
const Fast = true

// backend returns a DynamoDB in memory.
func backend(testing.TB) (Client, error) { return NewMemory(), nil }
