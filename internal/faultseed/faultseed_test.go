package faultseed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/internal/process"
)

// git is a git that prints a commit ID, or fails when there is none.
type git string

func (g git) Run(_ context.Context, c process.Cmd) error {
	if c.String() != "git rev-parse --verify HEAD" {
		return fmt.Errorf("unexpected command %s", c)
	}
	if g == "" {
		return errors.New("not a git repository")
	}
	_, err := io.WriteString(c.Stdout, string(g)+"\n")
	return err
}

// logger records what is logged.
type logger struct {
	*testing.T
	log []string
}

func (l *logger) Logf(format string, args ...any) {
	l.log = append(l.log, fmt.Sprintf(format, args...))
}

func TestSeed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env    string
		commit git
		want   uint64
		log    string
	}{
		{"42", "c0ffee", 42, "OCISI_FAULT_SEED=42 (environment)"},
		{"0", "c0ffee", 0, "OCISI_FAULT_SEED=0 (environment)"},
		{"", "c0ffee", 4025827056, "OCISI_FAULT_SEED=4025827056 (commit c0ffee)"},
		{"", "c0ffef", 4076159913, "OCISI_FAULT_SEED=4076159913 (commit c0ffef)"},
		{"", "", Fallback, "OCISI_FAULT_SEED=1 (fallback: no commit: not a git repository)"},
	} {
		l := &logger{T: t}
		got, err := seed(l, func(string) string { return c.env }, c.commit)
		if err != nil || got != c.want || strings.Join(l.log, "\n") != c.log {
			t.Errorf("env %q, commit %q: %d, %v, %q", c.env, c.commit, got, err, l.log)
		}
	}
	if _, err := seed(&logger{T: t}, func(string) string { return "x" }, git("c0ffee")); err == nil {
		t.Error("seed x is accepted")
	}
}

// The seed of a checkout is the same twice.
func TestFromEnvOrCommit(t *testing.T) {
	t.Parallel()
	first, err := FromEnvOrCommit(t, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := FromEnvOrCommit(t, os.Getenv); first != second {
		t.Errorf("seeds %d and %d", first, second)
	}
}

func TestRand(t *testing.T) {
	t.Parallel()
	first := Rand(1, "a").Uint64()
	if Rand(1, "a").Uint64() != first || Rand(1, "b").Uint64() == first || Rand(2, "a").Uint64() == first {
		t.Error("random numbers do not depend on seed and use alone")
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	all := make([]int, 100)
	for i := range all {
		all[i] = i
	}
	for _, n := range []int{-1, 0, 1, 7, 99, 100, 1000} {
		some := Sample(all, n, Rand(1, "a"))
		if want := min(max(n, 0), 100); len(some) != want {
			t.Errorf("%d of %d elements: %d", n, len(all), len(some))
		}
		for i, v := range some {
			if from, to := i*100/len(some), (i+1)*100/len(some); v < from || v >= to {
				t.Errorf("sample %d of %d is %d", i, n, v)
			}
		}
	}
	if slices.Equal(Sample(all, 7, Rand(1, "a")), Sample(all, 7, Rand(2, "a"))) {
		t.Error("two seeds give the same sample")
	}
}

// All offsets together cover each element once.
func TestStride(t *testing.T) {
	t.Parallel()
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	offsets := map[int]bool{}
	for seed := range uint64(100) {
		some := Stride(all, 5, Rand(seed, "a"))
		offsets[some[0]] = true
		for i, v := range some {
			if v != some[0]+5*i {
				t.Fatalf("stride 5: %v", some)
			}
		}
		if last := some[len(some)-1]; last+5 < len(all) {
			t.Fatalf("stride 5 ends early: %v", some)
		}
	}
	if len(offsets) != 5 {
		t.Errorf("offsets: %v", offsets)
	}
	if got := Stride(all, 1, Rand(1, "a")); !slices.Equal(got, all) {
		t.Errorf("stride 1: %v", got)
	}
	if got := Stride(all[:0], 5, Rand(1, "a")); len(got) != 0 {
		t.Errorf("stride over nothing: %v", got)
	}
}

func TestAtLeast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got, want int
		ok        bool
	}{{0, 0, true}, {0, 1, false}, {6, 7, false}, {7, 7, true}, {8, 7, true}} {
		if err := AtLeast("faults", c.got, c.want); (err == nil) != c.ok {
			t.Errorf("%d of %d: %v", c.got, c.want, err)
		}
	}
}
