package page_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/klmcwhirter/ocisi/cmd/internal/page"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

func write(t *testing.T, d layers.Document) string {
	t.Helper()
	w := &strings.Builder{}
	if err := page.Write(w, d, "somebody's host"); err != nil {
		t.Fatal(err)
	}
	return w.String()
}

// parsed is the page as a browser without JavaScript sees it.
func parsed(t *testing.T, text string) *html.Node {
	t.Helper()
	root, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func find(root *html.Node, match func(*html.Node) bool) (all []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && match(n) {
			all = append(all, n)
		}
	}
	return all
}

func with(name, value string) func(*html.Node) bool {
	return func(n *html.Node) bool { return attribute(n, name) == value }
}

func text(n *html.Node) string {
	b := &strings.Builder{}
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// embedded is the document that the page holds.
func embedded(t *testing.T, root *html.Node) (d layers.Document) {
	t.Helper()
	all := find(root, with("id", "document"))
	if len(all) != 1 {
		t.Fatalf("%d elements with the document", len(all))
	}
	if err := json.Unmarshal([]byte(text(all[0])), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDocumentIsWhole(t *testing.T) {
	d := realistic()
	want, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(embedded(t, parsed(t, write(t, d))))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v; the page's document is another:\n%.300s", err, got)
	}
}

// What is in an image's history is written by strangers.
func TestStrangersText(t *testing.T) {
	const evil = "RUN </script><script>alert(1)</script><!--<script> */ ]]> \u2028\u2029 \" ' ` ${x} <img src=x onerror=alert(1)> &lt; \x00\x7f 日本"
	im := layers.Image{Ref: evil, Layers: []layers.Layer{{DiffID: evil, Size: 1, By: evil}}, Boxes: []layers.Box{{Name: evil, Box: evil}, {Name: evil, Box: evil, Generation: 1}}}
	d := layers.NewDocument([]layers.Store{{Manager: evil, Report: layers.Analyze([]layers.Image{im})}})
	d.Advice = []layers.Advice{{Rule: evil, Manager: evil, Images: []string{evil}, Chain: evil, Text: evil, Do: evil}}
	page := write(t, d)
	root := parsed(t, page)
	if n := len(find(root, func(n *html.Node) bool { return n.Data == "script" })); n != 2 {
		t.Errorf("%d scripts, want the document and the page's own", n)
	}
	if n := len(find(root, func(n *html.Node) bool { return n.Data == "img" })); n != 0 {
		t.Errorf("%d images", n)
	}
	if strings.ContainsAny(text(find(root, with("id", "document"))[0]), "\u2028\u2029") {
		t.Error("a line separator within the JSON")
	}
	if got := embedded(t, root); got.Stores[0].Tree[0].By != evil {
		t.Errorf("got %q, want %q", got.Stores[0].Tree[0].By, evil)
	}
}

func TestNumbers(t *testing.T) {
	d := realistic()
	root := parsed(t, write(t, d))
	if got := find(root, with("data-total", "twice")); len(got) != 1 || attribute(got[0], "data-bytes") != strconv.FormatInt(d.Twice, 10) {
		t.Errorf("stored twice: %d of them", len(got))
	}
	for i, s := range d.Stores {
		section := find(root, func(n *html.Node) bool { return n.Data == "section" && attribute(n, "data-manager") == s.Manager })[0]
		for key, want := range map[string]int64{
			"stored": s.Stored, "referenced": s.Referenced, "saved": s.Referenced - s.Stored, "copied": s.Copied, "written": s.Written, "kept": s.Kept, "total": s.Total,
		} {
			if got := attribute(find(section, with("data-total", key))[0], "data-bytes"); got != strconv.FormatInt(want, 10) {
				t.Errorf("%s: %s is %s, want %d", s.Manager, key, got, want)
			}
		}
		for _, im := range s.Images {
			row := find(section, with("data-ref", im.Ref))[0]
			for key, want := range map[string]int64{"own": im.Own, "shared": im.Shared, "added": im.Added, "copied": im.Copied} {
				if got := attribute(find(row, with("data-key", key))[0], "data-bytes"); got != strconv.FormatInt(want, 10) {
					t.Errorf("%s: %s is %s, want %d", im.Ref, key, got, want)
				}
			}
		}
		if got, want := len(find(section, func(n *html.Node) bool { return attribute(n, "data-chain") != "" })), []int{18, 11}[i]; got != want {
			t.Errorf("%s: %d layers for those without JavaScript, want %d", s.Manager, got, want)
		}
	}
	if got := len(find(root, func(n *html.Node) bool { return attribute(n, "data-rule") != "" })); got != len(d.Advice) {
		t.Errorf("%d pieces of advice, want %d", got, len(d.Advice))
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 4_194_304: "4.194 MB", 12_125: "12.12 kB", 1_500_000_000: "1.5 GB", 2_000_000_000_000_000: "2000 TB"} {
		d := layers.NewDocument([]layers.Store{{Manager: "docker", Report: layers.Report{Kept: bytes}}})
		if got := text(find(parsed(t, write(t, d)), with("data-total", "kept"))[0]); got != want {
			t.Errorf("%d is written %q, want %q", bytes, got, want)
		}
	}
}

// Nothing of the page is elsewhere, and the browser is told that nothing may be.
func TestNeedsNothing(t *testing.T) {
	root := parsed(t, write(t, layers.NewDocument(nil)))
	for _, n := range find(root, func(n *html.Node) bool { return attribute(n, "src")+attribute(n, "href") != "" }) {
		t.Errorf("%s refers to something", n.Data)
	}
	style := text(find(root, func(n *html.Node) bool { return n.Data == "style" })[0])
	if m := regexp.MustCompile(`url\(|@import|//`).FindString(style); m != "" {
		t.Errorf("the style has %q", m)
	}
	script := text(find(root, func(n *html.Node) bool { return n.Data == "script" && attribute(n, "id") == "" })[0])
	if m := regexp.MustCompile(`fetch\(|XMLHttp|import\(|https?:|innerHTML|eval\(`).FindString(script); m != "" {
		t.Errorf("the script has %q", m)
	}
	policy := attribute(find(root, with("http-equiv", "Content-Security-Policy"))[0], "content")
	if !regexp.MustCompile(`^default-src 'none'; style-src 'sha256-[^' ]+'; script-src 'sha256-[^' ]+'$`).MatchString(policy) {
		t.Errorf("policy %q", policy)
	}
}

func TestSameBytes(t *testing.T) {
	first := write(t, realistic())
	if first != write(t, realistic()) {
		t.Error("two pages of the same document differ")
	}
}

func TestEmpty(t *testing.T) {
	for _, d := range []layers.Document{{}, layers.NewDocument(nil), layers.NewDocument([]layers.Store{{Manager: "docker", Report: layers.Analyze(nil)}})} {
		if root := parsed(t, write(t, d)); len(find(root, with("data-total", "stored"))) != 1+len(d.Stores) {
			t.Errorf("totals are missing from the page of %+v", d)
		}
	}
}

// Every element that is opened is closed, in order.
func TestWellFormed(t *testing.T) {
	void := map[string]bool{"meta": true, "input": true, "rect": true}
	var open []string
	tokens := html.NewTokenizer(strings.NewReader(write(t, realistic())))
	for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
		raw, _ := tokens.TagName()
		name := string(raw)
		if name == "noscript" {
			tokens.NextIsNotRawText() // it has elements
		}
		if kind == html.StartTagToken && !void[name] {
			open = append(open, name)
		}
		if kind != html.EndTagToken {
			continue
		}
		if len(open) == 0 || open[len(open)-1] != name {
			t.Fatalf("</%s> closes %v", name, open)
		}
		open = open[:len(open)-1]
	}
	if !errors.Is(tokens.Err(), io.EOF) || len(open) > 0 {
		t.Errorf("at the end: %v, open are %v", tokens.Err(), open)
	}
}

func TestWriterFails(t *testing.T) {
	full := errors.New("full")
	if err := page.Write(failing{full}, realistic(), ""); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func BenchmarkWrite(b *testing.B) {
	d := large(5000)
	for b.Loop() {
		if err := page.Write(&bytes.Buffer{}, d, ""); err != nil {
			b.Fatal(err)
		}
	}
}
