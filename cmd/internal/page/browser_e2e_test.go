//go:build e2e

package page_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/klmcwhirter/ocisi/cmd/internal/page"
	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

// tab is the page of a document in a real browser, opened from a file.
type tab struct {
	*testing.T
	ctx   context.Context
	mu    sync.Mutex
	wrong []string // what the browser complained of
}

// open fails the test when the browser complains of the page, until its end.
func open(t *testing.T, d layers.Document, width, height int64) *tab {
	t.Helper()
	// The machine that it runs in lacks what the sandbox is made of.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	ctx, stopBrowser := chromedp.NewExecAllocator(ctx, options...)
	ctx, stopTab := chromedp.NewContext(ctx)
	o := &tab{T: t, ctx: ctx}
	t.Cleanup(func() {
		stopTab()
		stopBrowser()
		stop()
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, what := range o.wrong {
			t.Errorf("the browser says: %s", what)
		}
	})
	o.do(chromedp.EmulateViewport(width, height))
	if err := chromedp.Listen(ctx, o.listen); err != nil {
		t.Fatal(err)
	}
	command(o, log.Enable, cdp.Empty{})
	o.media("", "light")
	o.do(chromedp.Navigate("file://" + o.file(d)))
	return o
}

// file is the page of a document.
func (o *tab) file(d layers.Document) string {
	o.Helper()
	file := filepath.Join(o.TempDir(), "sharing.html")
	w, err := os.Create(file)
	if err != nil {
		o.Fatal(err)
	}
	defer w.Close()
	if err := page.Write(w, d, "bluefin, 23 November 2026"); err != nil {
		o.Fatal(err)
	}
	return file
}

func (o *tab) listen(event any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text, _ := json.Marshal(e.ExceptionDetails)
		o.wrong = append(o.wrong, "exception: "+string(text))
	case *runtime.EventConsoleAPICalled:
		text, _ := json.Marshal(e.Args)
		o.wrong = append(o.wrong, "console: "+string(text))
	case *log.EventEntryAdded:
		o.wrong = append(o.wrong, e.Entry.Text)
	}
}

// media is "print" or "" for the screen, and the theme that the desktop has.
func (o *tab) media(media, theme string) {
	o.Helper()
	command(o, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	})
}

func (o *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	o.Helper()
	if err := chromedp.Do(o.ctx, actions...); err != nil {
		o.Fatal(err)
	}
}

// value returns what an action does.
func value[V any](o *tab, action chromedp.Action[V]) V {
	o.Helper()
	v, err := chromedp.Run(o.ctx, action)
	if err != nil {
		o.Fatal(err)
	}
	return v
}

func command[P, R any](o *tab, c cdp.Command[P, R], params P) {
	o.Helper()
	if _, err := chromedp.Call(o.ctx, c, params); err != nil {
		o.Fatalf("%s: %v", c.Method, err)
	}
}

// ask returns what a JavaScript expression is.
func ask[V any](o *tab, expression string) V {
	o.Helper()
	return value(o, chromedp.Evaluate[V](expression))
}

// number returns the exact bytes of the first element that a selector finds.
func (o *tab) number(selector string) int64 {
	o.Helper()
	return ask[int64](o, "Number(document.querySelector(`"+selector+"`).dataset.bytes)")
}

// shot keeps a picture for the documentation when somebody wants them.
func (o *tab) shot(name string) {
	o.Helper()
	dir := os.Getenv("OCISI_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture := value(o, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(dir, "sharing-"+name+".png"), picture, 0o644); err != nil {
		o.Fatal(err)
	}
}
