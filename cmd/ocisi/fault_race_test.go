//go:build race

package main

// underRace limits TestFaults to a handful of faults: the race detector makes
// each take four times as long. The others run without it.
const underRace = true
