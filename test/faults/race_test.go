//go:build race

package faults_test

// raceDetector reports whether all runs several times slower: then what needs
// thousands of runs makes some.
const raceDetector = true
