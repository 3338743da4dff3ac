//go:build !race

package main

// every is how many moments there are to one at which things go wrong.
const every = 1
