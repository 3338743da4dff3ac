//go:build !race

package main

// underRace limits TestFaults to a handful of faults.
const underRace = false
