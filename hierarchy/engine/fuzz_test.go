package engine

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Whatever podman build prints, each step has a number and a title, each line of
// output is one line, and nothing is emitted after the end.
func FuzzPodmanProgress(f *testing.F) {
	f.Add("STEP 1/2: FROM x\nSTEP 2/2: RUN y\n--> Using cache 0123\nCOMMIT\n", "Error: no\n", 7)
	f.Add("[1/2] STEP 1/3: FROM x AS y\r\n\rprogress\r100 %\nno newline", "warning\nError: a\nError: b", 1)
	f.Add("STEP 99999999999999999999/1: \n\x00\n", "", 3)
	f.Fuzz(func(t *testing.T, stdout, stderr string, chunk int) {
		var mu sync.Mutex
		ended := false
		p := newPodmanProgress(func(g hierarchy.Progress) {
			mu.Lock()
			defer mu.Unlock()
			if ended || strings.Contains(g.Log, "\n") || g.Step < 0 || g.Title != "" && g.Log != "" {
				t.Errorf("ended %t: %+v", ended, g)
			}
		})
		size := max(1, min(chunk, 100))
		for len(stdout)+len(stderr) > 0 {
			out, errs := stdout[:min(size, len(stdout))], stderr[:min(size, len(stderr))]
			stdout, stderr = stdout[len(out):], stderr[len(errs):]
			_, _ = p.stdout.Write([]byte(out)) // cannot fail
			_, _ = p.stderr.Write([]byte(errs))
		}
		p.end()
		mu.Lock()
		ended = true
		mu.Unlock()
		p.outLine("more")
		p.errLine("more")
	})
}

// What histories and podman's lists say is read without a panic. A line of a history
// stays one line and does not grow, and only a LABEL seals an image.
func FuzzEngineText(f *testing.F) {
	for _, text := range []string{
		"RUN |2 A=b C=d /bin/sh -c echo a  b # buildkit", "/bin/sh -c #(nop) COPY file:0123456789abcdef in /x ", "|1 A=b /bin/bash -o pipefail -c x",
		"LABEL ocisi.image=a:1", `/bin/sh -c #(nop) LABEL "ocisi.image"="a:1"`,
		`[{"Id":"x","Names":["base-working-container"],"State":"storage"}]`, `[{"Names":[""],"Id":null}]`, "manifest unknown",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line := createdBy(text)
		if strings.ContainsAny(line, "\n\t\r") || len(line) > len(text)+len("RUN ") {
			t.Errorf("%q became %q", text, line)
		}
		if makes, known := makesLayer(line); makes && !known {
			t.Errorf("%q makes a layer, which is not known", line)
		}
		if hierarchy.IsSeal(text, "a:1") && !strings.Contains(text, "LABEL ") {
			t.Errorf("%q seals an image", text)
		}
		if list, err := parseExternal(text); err == nil && len(list) > 0 && !json.Valid([]byte(text)) {
			t.Errorf("%q is read as %v", text, list)
		}
	})
}

// A stream of messages of a pull ends with an error or is read to its end; what it
// emits has text.
func FuzzPullMessages(f *testing.F) {
	f.Add(`{"status":"Pulling from x","id":"1"}{"status":"Downloading","id":"a","progress":"[=> ]"}`)
	f.Add(`{"errorDetail":{"message":"denied"},"error":"denied"}`)
	f.Add(`{"status":`)
	f.Add(`null {"errorDetail":null} [] 1`)
	f.Fuzz(func(t *testing.T, stream string) {
		err := pullMessages(strings.NewReader(stream), func(p hierarchy.Progress) {
			if p.Log == "" {
				t.Errorf("%q: %+v", stream, p)
			}
		})
		for dec := json.NewDecoder(strings.NewReader(stream)); err == nil; {
			var value json.RawMessage
			if bad := dec.Decode(&value); errors.Is(bad, io.EOF) {
				return
			} else if bad != nil {
				t.Fatalf("%q is read to its end: %v", stream, bad)
			}
		}
	})
}
