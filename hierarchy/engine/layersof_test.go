package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

func historyOf(sizes ...int64) (all []entry) {
	for _, size := range sizes {
		all = append(all, entry{size: size})
	}
	return all
}

// by sets who made the entries of a history.
func (p pieces) by(lines ...string) pieces {
	for i, line := range lines {
		p.history[i].by = line
	}
	return p
}

// A size that ends with ~ is estimated.
func TestPair(t *testing.T) {
	kit := []string{"ADD", "CMD", "RUN true", "RUN make"}
	for name, tc := range map[string]struct {
		p       pieces
		fromTop bool
		want    string
	}{
		"entries with bytes":                {pieces{history: historyOf(70, 0, 5, 0), total: 75}, false, "70 5"},
		"an empty layer, told":              {pieces{history: historyOf(70, 0, 0, 5), layer: []bool{true, false, true, true}, total: 75}, false, "70 0 5"},
		"an empty layer, by its line":       {pieces{history: historyOf(70, 0, 0, 5), total: 75}.by(kit...), false, "70 ADD|0 RUN true|5 RUN make"},
		"an empty layer, by its ID":         {pieces{history: historyOf(70, 0, 5), diffIDs: []string{"a", emptyTar, "b"}, total: 75}, false, "70 0 5"},
		"an empty layer, by line, not ID":   {pieces{history: historyOf(70, 0, 5), diffIDs: []string{emptyTar, "a", "b"}, total: 75}.by("ADD", "RUN true", "RUN"), false, "0 |70 ADD|5 RUN"},
		"an empty layer that may be two":    {pieces{history: historyOf(70, 0, 0, 5), total: 75}, false, "70~ 5~ 0~"},
		"no history":                        {pieces{total: 75}, false, "75~ 0~"},
		"no history, one layer":             {pieces{total: 75, summed: true}, false, "75"},
		"no history, one layer, no sum":     {pieces{total: 75}, false, "75~"},
		"history of the lower layers":       {pieces{history: historyOf(70), total: 100}, false, "70 30~ 0~"},
		"history of all but the last":       {pieces{history: historyOf(70), total: 100, summed: true}, false, "70 30"},
		"the same, told, one of them empty": {pieces{history: historyOf(70, 0, 0), layer: []bool{true, false, true}, total: 100, summed: true}, false, "70 0 30"},
		"history of the upper layers":       {pieces{history: historyOf(20, 10), total: 100}.by("RUN a", "RUN b"), true, "70~ |20 RUN a|10 RUN b"},
		"more history than layers":          {pieces{history: historyOf(1, 2, 3), total: 6}, false, "1~ 2~"},
		"a total that is not the sum":       {pieces{history: historyOf(70, 5), total: 81}, true, "70 5"},
		"a total that is less":              {pieces{history: historyOf(70), total: 60, summed: true}, false, "70 0~"},
		"no layers":                         {pieces{history: historyOf(0)}, false, ""},
		"an image of one layer, empty":      {pieces{history: historyOf(0), layer: []bool{true}}, false, "0"},
		"taken on disk":                     {pieces{history: historyOf(70, 5), taken: []int64{4096, -1, 8192}, total: 100}, false, "4096 5 8192"},
	} {
		t.Run(name, func(t *testing.T) {
			want := strings.FieldsFunc(tc.want, func(r rune) bool { return r == '|' })
			if !strings.Contains(tc.want, "|") {
				want = strings.Fields(tc.want)
			}
			for i := range want {
				if len(tc.p.diffIDs) < len(want) {
					tc.p.diffIDs = append(tc.p.diffIDs, string(rune('a'+i)))
				}
			}
			got := tc.p.pair(tc.fromTop)
			for i, l := range got {
				text := fmt.Sprint(l.Size)
				if l.Estimated {
					text += "~"
				}
				if strings.Contains(tc.want, "|") {
					text += " " + l.By
				}
				if l.DiffID != tc.p.diffIDs[i] || i >= len(want) || text != want[i] {
					t.Errorf("layer %d is %s, %q; want %q", i, l.DiffID, text, want)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d layers, want %d", len(got), len(want))
			}
		})
	}
}

func TestBegins(t *testing.T) {
	ls := []layers.Layer{{DiffID: "a"}, {DiffID: "b"}}
	if !begins(ls, ls[:1]) || !begins(ls, ls) || begins(ls[:1], ls) || begins(ls, ls[1:]) || begins(ls, nil) {
		t.Error("begins")
	}
}
