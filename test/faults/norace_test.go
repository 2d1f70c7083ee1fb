//go:build !race

package faults_test

// raceDetector reports whether the race detector makes all code several times slower.
// Then tests of thousands of runs make only some.
const raceDetector = false
