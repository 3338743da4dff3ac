//go:build e2e

package page_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"golang.org/x/net/html"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// TestRealPictures makes those of the documentation, in $OCISI_SCREENSHOTS.
func TestRealPictures(t *testing.T) {
	for _, theme := range []string{"light", "dark"} {
		o := open(t, realistic(), 1120, 900)
		o.media("", theme)
		o.do(chromedp.Focus(chromedp.CSS(".tree")), chromedp.KeyEvent(strings.Repeat(kb.ArrowRight, 4)))
		o.shot(theme)
	}
	open(t, realistic(), 360, 1320).shot("narrow")
}

func TestRealNothingIsFetched(t *testing.T) {
	o := open(t, realistic(), 1280, 900)
	if got := ask[[]string](o, "performance.getEntriesByType('resource').map(e => e.name)"); len(got) != 0 {
		t.Errorf("the page fetched %v", got)
	}
}

// TestRealWalk goes to every layer with two keys, and compares all that the
// page says of it with the document.
func TestRealWalk(t *testing.T) {
	d := realistic()
	o := open(t, d, 1280, 900)
	for i, s := range d.Stores {
		o.do(chromedp.Focus(chromedp.CSS("#whatif")), chromedp.KeyEvent(strings.Repeat(kb.Tab, i+1)))
		want := map[string]string{}
		expect(s, s.Tree, 0, 0, want)
		got := map[string]string{}
		for range 2 * len(want) {
			at := o.panel()
			got[at.Chain] = at.String()
			if o.press(kb.ArrowRight) == at.Chain && o.press(kb.ArrowDown) == at.Chain {
				break
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %d of %d layers reached, or told wrong:\n%v\nwant\n%v", s.Manager, len(got), len(want), got, want)
		}
		if o.press(kb.Home) != s.Tree[0].ChainID || i == 0 && o.press(kb.ArrowDown) != s.Tree[1].ChainID || i == 0 && o.press(kb.ArrowUp) != s.Tree[0].ChainID {
			t.Errorf("%s: the lowest layers are not beside each other", s.Manager)
		}
		o.press(kb.ArrowRight)
		if got := o.press(kb.ArrowLeft); got != s.Tree[0].ChainID {
			t.Errorf("%s: back at %s, want the lowest layer", s.Manager, got)
		}
	}
}

// TestRealWalkWithoutSharing goes through every image from its base to its top.
func TestRealWalkWithoutSharing(t *testing.T) {
	s := realistic().Stores[1]
	o := open(t, layers.NewDocument([]layers.Store{s}), 1280, 900)
	o.do(chromedp.Click(chromedp.CSS("#whatif")), chromedp.KeyEvent(kb.Tab+kb.Home))
	got, want := map[string]string{}, map[string]string{}
	for _, im := range s.Images {
		for _, l := range im.Layers {
			want[strings.TrimPrefix(im.Ref, "docker.io/library/")] += l.ChainID + " "
		}
	}
	for range s.Images {
		label := ask[string](o, `document.getElementById(document.activeElement.getAttribute("aria-activedescendant")).closest(".row").dataset.ref`)
		row, depth := "", 0
		for at, last := o.panel().Chain, ""; at != last; depth++ {
			row += at + " "
			at, last = o.press(kb.ArrowRight), at
		}
		got[strings.TrimPrefix(label, "docker.io/library/")] = row
		for range depth {
			o.press(kb.ArrowLeft)
		}
		o.press(kb.ArrowDown)
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// told is what the panel says of a layer.
type told struct {
	Chain, Diff, By, Users, Label string
	Size, Above, Below            int64
	Estimated                     bool
}

func (at told) String() string {
	return fmt.Sprint(at.Diff, at.By, at.Users, at.Size, at.Above, at.Below, at.Estimated, at.Label)
}

func expect(s layers.Store, nodes []layers.Node, depth int, below int64, want map[string]string) {
	for _, n := range nodes {
		var users []string
		for _, im := range s.Images {
			if slices.ContainsFunc(im.Layers, func(l layers.LayerReport) bool { return l.ChainID == n.ChainID }) {
				users = append(users, strings.TrimPrefix(im.Ref, "docker.io/library/"))
			}
		}
		slices.Sort(users)
		want[n.ChainID] = told{n.ChainID, n.DiffID, n.By, strings.Join(users, " "), fmt.Sprint(depth + 1), n.Size, n.Above, below, n.Estimated}.String()
		expect(s, n.Children, depth+1, below+n.Size, want)
	}
}

func (o *tab) panel() told {
	o.Helper()
	return ask[told](o, `(() => {
		const panel = document.getElementById("panel"), get = key => panel.querySelector("[data-key=" + key + "]");
		const box = document.getElementById(document.activeElement.getAttribute("aria-activedescendant"));
		const seen = box.getBoundingClientRect();
		if (seen.width < 3 || seen.top < 0 || seen.bottom > innerHeight) throw new Error("the layer is not in sight");
		if (box.getAttribute("role") !== "treeitem" || !box.getAttribute("aria-label").startsWith(get("by").textContent)) throw new Error("label " + box.ariaLabel);
		return {
			Chain: get("chain").textContent, Diff: get("diff").textContent, By: get("by").textContent,
			Users: [...panel.querySelectorAll("dd li")].map(li => li.textContent).sort().join(" "),
			Size: +get("size").dataset.bytes, Above: +get("above").dataset.bytes, Below: +get("below").dataset.bytes,
			Estimated: get("estimated") !== null, Label: box.getAttribute("aria-level"),
		};
	})()`)
}

// press returns the chain that the panel shows afterwards.
func (o *tab) press(key string) string {
	o.Helper()
	o.do(chromedp.KeyEvent(key))
	return ask[string](o, "document.getElementById('panel').dataset.chain || ''")
}

func TestRealPin(t *testing.T) {
	o := open(t, realistic(), 1280, 1400)
	const box = `document.querySelectorAll(".seg.shared[role=treeitem]")[%d]`
	point := func(i int) string {
		o.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(box+`.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}))`, i)))
		return ask[string](o, "document.getElementById('panel').dataset.chain || ''")
	}
	o.do(chromedp.Focus(chromedp.CSS(".tree")))
	first := o.press(kb.Home)
	if other := point(4); other == first || other == "" {
		t.Errorf("pointing shows %q", other)
	}
	for _, key := range []string{kb.Enter, " "} {
		o.press(kb.Home)
		o.press(key)
		if got := point(4); got != first {
			t.Errorf("kept with %q, and pointing shows %s", key, got)
		}
		o.press(key)
		if got := point(4); got == first {
			t.Error("let go, and pointing shows the same")
		}
	}
	if got := o.press(kb.Escape); got != "" {
		t.Errorf("after Escape there is %s", got)
	}
	o.do(chromedp.Click(chromedp.CSS("#advice button")))
	if got, want := ask[string](o, "document.getElementById('panel').dataset.chain"), realistic().Advice[1].Chain; got != want {
		t.Errorf("the advice's layer is %s, want %s", got, want)
	}
}

// TestRealScale measures the boxes: bytes and pixels are the same everywhere.
func TestRealScale(t *testing.T) {
	d := realistic()
	var stored, referenced int64
	for _, s := range d.Stores {
		stored += s.Stored
		referenced += s.Referenced
	}
	for _, width := range []int64{1280, 360} {
		o := open(t, d, width, 2000)
		check := func(want int64) {
			t.Helper()
			if got := o.number("#drawn b"); got != want {
				t.Errorf("%d pixels: %d bytes are said to be drawn, want %d", width, got, want)
			}
			if got := ask[int64](o, `[...document.querySelectorAll("[role=treeitem]")].reduce((n, e) => n + Number(e.dataset.bytes), 0)`); got != want {
				t.Errorf("%d pixels: boxes of %d bytes, want %d", width, got, want)
			}
			if got := ask[[]string](o, `(() => {
				const boxes = [...document.querySelectorAll(".row .seg:not(.few)")].map(e => ({bytes: +e.dataset.bytes, width: e.getBoundingClientRect().width}));
				const most = boxes.reduce((a, b) => a.bytes > b.bytes ? a : b);
				return boxes.filter(b => Math.abs(b.width - b.bytes * most.width / most.bytes) > 0.5).map(b => JSON.stringify(b));
			})()`); len(got) > 0 {
				t.Errorf("%d pixels: not to scale: %v", width, got)
			}
		}
		check(stored)
		o.do(chromedp.Click(chromedp.CSS("#whatif")))
		check(referenced)
		o.do(chromedp.Click(chromedp.CSS("#whatif")))
		check(stored)
	}
}

// TestRealSizes compares the table that the script makes with the one that is
// there without scripts, to the letter.
func TestRealSizes(t *testing.T) {
	var ls []layers.Layer
	for i, bytes := range []int64{0, 1, 999, 1000, 12_125, 12_135, 999_949, 999_950, 999_999, 4_194_304, 1_234_500, 8_001_500_000, 2_000_000_000_000_000} {
		ls = append(ls, layers.Layer{DiffID: "sha256:" + strconv.Itoa(i), Size: bytes, Estimated: i%2 == 1})
	}
	for _, d := range []layers.Document{
		realistic(), layers.NewDocument([]layers.Store{{Manager: "docker", Report: layers.Analyze([]layers.Image{{Ref: "x", Layers: ls}})}}),
	} {
		o := open(t, d, 1280, 900)
		var want [][]string
		for _, tr := range find(parsed(t, write(t, d)), func(n *html.Node) bool { return n.Data == "tr" && attribute(n, "data-chain") != "" }) {
			var cells []string
			for _, td := range find(tr, func(n *html.Node) bool { return n.Data == "td" }) {
				cells = append(cells, text(td))
			}
			want = append(want, cells)
		}
		o.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll(".all").forEach(b => b.click())`))
		got := ask[[][]string](o, `[...document.querySelectorAll("tr[data-chain]")].map(tr => [...tr.cells].map(td => td.textContent))`)
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("got %q\nwant %q", got, want)
		}
	}
}

func TestRealPrint(t *testing.T) {
	o := open(t, realistic(), 1280, 900)
	if pdf := value(o, chromedp.PrintToPDF()); !strings.HasPrefix(string(pdf), "%PDF") {
		t.Errorf("printed %.10q", pdf)
	}
	if got := ask[int](o, `document.querySelectorAll(".layers tr[data-chain]").length`); got != 18+11 {
		t.Errorf("%d layers on paper, want 29", got)
	}
	o.media("print", "dark")
	if got := ask[[]string](o, `[...document.querySelectorAll("button, input")].filter(e => e.checkVisibility()).map(e => e.outerHTML)`); len(got) > 0 {
		t.Errorf("on paper there is %v", got)
	}
	if got := ask[string](o, `getComputedStyle(document.body).backgroundColor`); got != "rgb(250, 250, 248)" {
		t.Errorf("paper is %s", got)
	}
}

// TestRealLarge is about time. It logs what it measured, and its bounds are
// for machines that have other things to do.
func TestRealLarge(t *testing.T) {
	d := large(5000)
	for _, slower := range []float64{1, 4} {
		o := open(t, layers.Document{}, 1280, 900)
		command(o, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: slower})
		o.do(chromedp.Navigate("file://" + o.file(d)))
		drawn := ask[float64](o, `performance.getEntriesByName("drawn")[0].duration`)
		boxes := ask[int](o, `document.querySelectorAll(".seg").length`)
		t.Logf("5000 layers, processor slowed down %v times: read and drawn in %.0f ms, %d boxes in the document", slower, drawn, boxes)
		if drawn > 2000 || boxes > 2000 {
			t.Error("that is too much")
		}
		again := ask[float64](o, `(() => {
			const begun = performance.now();
			document.getElementById("whatif").click();
			document.body.getBoundingClientRect();
			return performance.now() - begun;
		})()`)
		o.do(chromedp.Focus(chromedp.CSS(".tree")))
		key := ask[float64](o, `(() => {
			const begun = performance.now();
			document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "End", bubbles: true, cancelable: true}));
			document.body.getBoundingClientRect();
			return performance.now() - begun;
		})()`)
		t.Logf("without sharing after %.0f ms, at the last layer after %.0f ms", again, key)
		if again > 1000 || key > 1000 {
			t.Error("that is a stall")
		}
		if got := ask[string](o, `document.getElementById("panel").dataset.chain`); got == "" {
			t.Error("the last layer is not shown")
		}
	}
}
