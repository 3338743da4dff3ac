//go:build e2e

package page_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// faint returns every text in sight that has too little contrast to what is
// behind it: WCAG 2.2, 1.4.3.
const faint = `(() => {
	const rgb = text => text.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
		.reduce((n, c, i) => n + c * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = e => {
		for (; e; e = e.parentElement) {
			const colour = rgb(getComputedStyle(e).backgroundColor);
			if (colour[3] === undefined) return colour;
			if (colour[3] !== 0) throw new Error("half transparent: " + e.outerHTML);
		}
		throw new Error("no background");
	};
	const texts = [...document.body.querySelectorAll("*")].filter(e => e.checkVisibility() && !e.closest("script, style") &&
		[...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.textContent.trim() !== ""));
	if (texts.length < 50) throw new Error("only " + texts.length + " texts");
	return texts.map(e => {
		const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
		return {ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), what: e.outerHTML.slice(0, 200)};
	}).filter(t => t.ratio < 4.5).map(t => t.ratio.toFixed(2) + " " + t.what);
})()`

func TestRealThemes(t *testing.T) {
	o := open(t, realistic(), 1280, 900)
	ground := func() string { return ask[string](o, "getComputedStyle(document.body).backgroundColor") }
	look := func(name string) string {
		t.Helper()
		for _, without := range []bool{false, true} {
			if texts := ask[[]string](o, faint); len(texts) > 0 {
				t.Errorf("%s, without sharing %v: too faint:\n%s", name, without, strings.Join(texts, "\n"))
			}
			o.do(chromedp.Click(chromedp.CSS("#whatif")))
		}
		return ground()
	}
	o.do(chromedp.Focus(chromedp.CSS(".tree")), chromedp.KeyEvent(kb.Home+kb.Enter))
	light := look("light")
	o.media("", "dark")
	dark := look("dark")
	if light == dark {
		t.Errorf("both themes have the ground %s", light)
	}
	for _, want := range []string{light, dark} {
		o.do(chromedp.Click(chromedp.CSS("#theme")))
		if got := ground(); got != want {
			t.Errorf("after the button the ground is %s, want %s", got, want)
		}
	}
}

// TestRealWithoutScripts: all numbers are there, and nothing that does nothing.
func TestRealWithoutScripts(t *testing.T) {
	d := realistic()
	o := open(t, layers.Document{}, 360, 780)
	command(o, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	o.do(chromedp.Navigate("file://" + o.file(d)))
	if got := ask[int](o, `[...document.querySelectorAll("tr[data-chain]")].filter(e => e.checkVisibility()).length`); got != 18+11 {
		t.Errorf("%d layers, want 29", got)
	}
	if got := ask[int](o, `[...document.querySelectorAll("button, input, #picture")].filter(e => e.checkVisibility()).length`); got != 0 {
		t.Errorf("%d things to press", got)
	}
	if got := ask[int](o, "document.documentElement.scrollWidth"); got > 360 {
		t.Errorf("%d pixels wide", got)
	}
}

// TestRealNarrow opens everything that may be too wide, also with words that
// have no end.
func TestRealNarrow(t *testing.T) {
	word := strings.Repeat("abcdefghij", 30)
	endless := layers.NewDocument([]layers.Store{{Manager: "podman", Report: layers.Analyze([]layers.Image{{
		Ref: word, Layers: []layers.Layer{{DiffID: word, Size: 5, By: word}, {DiffID: word, Size: 7, By: word}},
		Boxes: []layers.Box{{Name: word, Box: word, Generation: 3, Written: 6}},
	}})}})
	endless.Advice = []layers.Advice{{Rule: word, Images: []string{word, word}, Text: word, Do: word}}
	for name, d := range map[string]layers.Document{"realistic": realistic(), "endless": endless, "large": large(300)} {
		o := open(t, d, 360, 780)
		narrow := func(when string) {
			t.Helper()
			if got := ask[int](o, "document.documentElement.scrollWidth"); got > 360 {
				t.Errorf("%s %s: %d pixels wide", name, when, got)
			}
		}
		narrow("opened")
		o.do(chromedp.Focus(chromedp.CSS(".tree")), chromedp.KeyEvent(kb.Home+kb.ArrowRight+kb.Enter))
		narrow("with a layer")
		o.do(chromedp.Click(chromedp.CSS("#whatif")))
		narrow("without sharing")
		o.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll(".all").forEach(b => b.click())`))
		narrow("with all layers")
	}
}
