//go:build race

package main

// every is how many moments there are to one at which things go wrong: the race
// detector looks at the tests themselves, and makes each take four times as long.
const every = 7
