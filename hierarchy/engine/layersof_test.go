package engine

import (
	"slices"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

func TestPair(t *testing.T) {
	for name, tc := range map[string]struct {
		p       pieces
		fromTop bool
		want    []int64
	}{
		"entries with bytes":           {pieces{history: []int64{70, 0, 5, 0}, total: 75}, false, []int64{70, 5}},
		"an empty layer, known":        {pieces{history: []int64{70, 0, 0, 5}, layer: []bool{true, false, true, true}, total: 75}, false, []int64{70, 0, 5}},
		"an empty layer, unknown":      {pieces{history: []int64{70, 0, 0, 5}, total: 75}, false, []int64{70, 5, 0}},
		"no history":                   {pieces{total: 75}, false, []int64{75, 0}},
		"history of the lower layers":  {pieces{history: []int64{70}, total: 100}, false, []int64{70, 30, 0}},
		"history of the upper layers":  {pieces{history: []int64{20, 10}, total: 100}, true, []int64{70, 20, 10}},
		"more history than layers":     {pieces{history: []int64{1, 2, 3}, total: 6}, false, []int64{1, 2}},
		"a total that is not the sum":  {pieces{history: []int64{70, 5}, total: 81}, true, []int64{70, 5}},
		"a total that is less":         {pieces{history: []int64{70}, total: 60}, false, []int64{70, 0}},
		"no layers":                    {pieces{history: []int64{0}}, false, nil},
		"an image of one layer, empty": {pieces{history: []int64{0}, layer: []bool{true}}, false, []int64{0}},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range tc.want {
				tc.p.diffIDs = append(tc.p.diffIDs, string(rune('a'+i)))
			}
			var got []int64
			for i, l := range tc.p.pair(tc.fromTop) {
				got = append(got, l.Size)
				if l.DiffID != tc.p.diffIDs[i] {
					t.Errorf("layer %d is %s", i, l.DiffID)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestExact(t *testing.T) {
	p := pieces{diffIDs: []string{"a", "b"}, history: []int64{70, 0, 5}}
	if !p.exact() {
		t.Error("two entries with bytes for two layers are not taken for them")
	}
	p.history = []int64{70, 0, 0}
	if p.exact() {
		t.Error("an empty layer is overlooked")
	}
}

func TestBegins(t *testing.T) {
	ls := []layers.Layer{{DiffID: "a"}, {DiffID: "b"}}
	if !begins(ls, ls[:1]) || !begins(ls, ls) || begins(ls[:1], ls) || begins(ls, ls[1:]) || begins(ls, nil) {
		t.Error("begins")
	}
}
