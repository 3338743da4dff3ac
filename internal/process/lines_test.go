package process_test

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/internal/process"
)

func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", process.MaxLine/2)
	for in, want := range map[string][]string{
		"":                      nil,
		"one\ntwo":              {"one", "two"},
		"\n\n":                  {"", ""},
		"dos\r\nend\r\n":        {"dos", "end"},
		"  0 %\r 50 %\r100 %\n": {"100 %"},
		"  0 %\r 50 %":          {" 50 %"},
		"100 %\r\r\n":           {"100 %"},
		"\rfirst\r":             {"first"},
		"x" + long + "\n":       {"x" + strings.TrimSuffix(long, "ü"), "ü"},
		long + "\nnext":         {long, "next"},
	} {
		for _, size := range []int{1, 7, len(in) + 1} {
			var got []string
			l := process.NewLines(func(line string) { got = append(got, line) })
			for piece := range slices.Chunk([]byte(in), size) {
				if n, err := l.Write(piece); n != len(piece) || err != nil {
					t.Fatal(n, err)
				}
			}
			l.Flush()
			if !slices.Equal(got, want) {
				t.Errorf("%.40q in pieces of %d: got %.80q", in, size, got)
			}
		}
	}
}

// allocated returns how many bytes f allocates. It is for tests that run alone.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Output without a newline takes as many bytes of memory as it has, and keeps
// little of it.
func TestLongLine(t *testing.T) { //nolint:paralleltest // it measures allocations of the process
	const total = 32 << 20
	for name, text := range map[string]string{"letters": "x", "progress": "10 %\r", "sequences": "\x1b[2K\r"} {
		piece := []byte(strings.Repeat(text, 4<<10/len(text)))
		lines, longest := 0, 0
		used := allocated(func() {
			l := process.NewLines(func(line string) { lines++; longest = max(longest, len(line)) })
			for range total / len(piece) {
				_, _ = l.Write(piece)
			}
			l.Flush()
		})
		if lines > total/process.MaxLine+1 || longest > process.MaxLine || used > 2*total {
			t.Errorf("%s: %d lines, the longest of %d bytes, %d bytes allocated", name, lines, longest, used)
		}
	}
	var tail process.Tail
	tail.Max = 1 << 10
	if used := allocated(func() {
		for range 1 << 14 {
			_, _ = tail.Write([]byte("0123456789"))
		}
	}); used > 64<<10 {
		t.Errorf("tail: %d bytes allocated", used)
	}
	_, _ = tail.Write(bytes.Repeat([]byte("ab"), 1<<20))
	if got := tail.String(); got != strings.Repeat("ab", 512) {
		t.Errorf("tail: %d bytes", len(got))
	}
}
