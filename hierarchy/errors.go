package hierarchy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ConfigError says what is wrong at a place of a config file. Its text is
// FILE:LINE:COLUMN, the problem, the line and a caret below the column.
type ConfigError struct {
	Pos     Position
	Source  string // the line
	Problem string
	Advice  string // what to do, or to type; "" when the problem says it
}

func (e *ConfigError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s", e.Pos.File, e.Pos.Line, e.Pos.Column, e.Problem)
	if strings.TrimSpace(e.Source) != "" {
		// Tabs are kept in front of the caret, so that it stands right however wide
		// the terminal makes them.
		pad := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, firstRunes(e.Source, e.Pos.Column-1))
		fmt.Fprintf(&b, "\n  %s\n  %s^", e.Source, pad)
	}
	if e.Advice != "" {
		b.WriteString("\n  " + e.Advice)
	}
	return b.String()
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// Nearest returns the candidate that a misspelt word most likely means, or ""
// when none is near: at most two edits away, and fewer than half the word.
func Nearest(word string, candidates []string) string {
	best, at := "", 3
	for _, c := range candidates {
		if d := distance(word, c); d < at && d*2 < max(utf8.RuneCountInString(word), 3) {
			best, at = c, d
		}
	}
	return best
}

// distance is the optimal string alignment distance: the insertions,
// deletions, substitutions and swaps of neighbours that turn a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
