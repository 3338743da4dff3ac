// Package faultseed selects the points at which tests inject faults. It is for
// tests only.
//
// A run of the tests injects a sample of all faults. The sample depends on a
// seed, and the seed on the commit, so that each commit gets another sample and
// the same commit gets the same one.
package faultseed

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// Variable is the environment variable that sets the seed.
const Variable = "OCISI_FAULT_SEED"

// Fallback is the seed outside a git repository.
const Fallback = 1

// Logger is the part of [testing.TB] that [FromEnvOrCommit] needs.
type Logger interface {
	Context() context.Context
	Logf(format string, args ...any)
}

// FromEnvOrCommit returns the seed that [Variable] sets, else one derived from
// the commit that is checked out in the working directory, else [Fallback]. It
// logs the seed and its origin to t. A value of [Variable] that is not a number
// is an error.
func FromEnvOrCommit(t Logger, getenv func(string) string) (uint64, error) {
	return seed(t, getenv, process.System{})
}

func seed(t Logger, getenv func(string) string, git process.Runner) (uint64, error) {
	if text := getenv(Variable); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", Variable, err)
		}
		t.Logf("%s=%d (environment)", Variable, n)
		return n, nil
	}
	var out bytes.Buffer
	head := process.Cmd{Name: "git", Args: []string{"rev-parse", "--verify", "HEAD"}, Stdout: &out, Timeout: 10 * time.Second}
	if err := git.Run(t.Context(), head); err != nil {
		t.Logf("%s=%d (fallback: no commit: %v)", Variable, Fallback, err)
		return Fallback, nil
	}
	commit := strings.TrimSpace(out.String())
	n := fromCommit(commit)
	t.Logf("%s=%d (commit %s)", Variable, n, commit)
	return n, nil
}

// fromCommit hashes a commit ID to a number that is easy to type.
func fromCommit(id string) uint64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return uint64(h.Sum32())
}

// Rand returns the random numbers of a seed for one use of it. Two uses, such as
// two commands, get different numbers.
func Rand(seed uint64, use string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(use)) // never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Sample divides all into n parts of about equal length and returns a random
// element of each, or all when it has at most n elements.
func Sample[T any](all []T, n int, random *rand.Rand) []T {
	if n >= len(all) {
		return all
	}
	some := make([]T, 0, max(n, 0))
	for i := range n {
		from, to := i*len(all)/n, (i+1)*len(all)/n
		some = append(some, all[from+random.IntN(to-from)])
	}
	return some
}

// Stride returns every n-th element of all, from a random one of the first n on.
func Stride[T any](all []T, n int, random *rand.Rand) []T {
	var some []T
	for i := random.IntN(n); i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// AtLeast returns an error unless got is at least want. A test that loops over
// generated cases checks with it that it had cases.
func AtLeast(what string, got, want int) error {
	if got < want {
		return fmt.Errorf("%s: %d, want at least %d", what, got, want)
	}
	return nil
}
