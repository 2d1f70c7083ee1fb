//go:build !integration

package dynamotest

import "testing"

// Fast reports whether a call takes microseconds: whether tests can afford
// thousands of runs.
const Fast = true

// backend is a DynamoDB in memory.
func backend(testing.TB) (Client, error) { return NewMemory(), nil }
