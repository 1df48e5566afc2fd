//go:build race

package harness

// raceEnabled says that the race detector slows everything down some ten times.
const raceEnabled = true
