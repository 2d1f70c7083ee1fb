//go:build race

package faults_test

// raceDetector tells whether all runs several times slower: then what needs
// thousands of runs makes some.
const raceDetector = true
