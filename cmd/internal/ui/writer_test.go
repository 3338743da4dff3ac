package ui_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/klmcwhirter/ocisi/cmd/internal/ui"
)

const mark = "MARK"

// filtered is what a Writer makes of pieces of text.
func filtered(t *testing.T, mark string, pieces ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := ui.NewWriter(&out, mark)
	for _, p := range pieces {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWriter(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain\ttext, größer → 漢字 🙂\n":         "plain\ttext, größer → 漢字 🙂\n",
		"copy \x1b]52;c;ZXZpbA==\a":            `copy \u001b]52;c;ZXZpbA==\u0007`,
		"title \x1b]0;x\x1b\\":                 `title \u001b]0;x\u001b\`,
		"clear \x1b[2J\x1b[H":                  `clear \u001b[2J\u001b[H`,
		"8 bit \u009b2J \u0085":                `8 bit \u009b2J \u0085`,
		"color \x1b[1;31mred\x1b[0m\x1b[K.":    "color red.",
		"own \x1bMARK[32mgreen\x1bMARK[0m.":    "own \x1b[32mgreen\x1b[0m.",
		"own \x1bMARK[2J \x1bMAR[31m":          `own \u001bMARK[2J \u001bMAR[31m`,
		"nested \x1b\x1b[m[31mx":               `nested \u001b[31mx`,
		"\x1b[" + strings.Repeat("1;", 80):     `\u001b[` + strings.Repeat("1;", 80),
		"redrawn\rover\r\n":                    `redrawn\u000dover` + "\n",
		"rm \u202etxt.exe\u202c \u2066x\u2069": `rm \u202etxt.exe\u202c \u2066x\u2069`,
		"bytes \xff\xc3(":                      `bytes \xff\xc3(`,
		"space \u00a0\u200b\u2028 \U000e0001":  `space \u00a0\u200b\u2028 \udb40\udc01`,
		"end \x1b":                             `end \u001b`,
		"end \x1b[3":                           `end \u001b[3`,
		"end \xe6\xbc":                         `end \xe6\xbc`,
		"end \r":                               `end \u000d`,
		"nul \x00 del \x7f back \b":            `nul \u0000 del \u007f back \u0008`,
	} {
		if got := filtered(t, mark, in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		if got := filtered(t, mark, strings.Split(in, "")...); got != want && strings.ToValidUTF8(in, "") == in {
			t.Errorf("%q in pieces: got %q, want %q", in, got, want)
		}
	}
	if got := filtered(t, "", "\x1b[32mgreen\x1bMARK[0m"); got != `green\u001bMARK[0m` {
		t.Errorf("without a mark: %q", got)
	}
}

// broken is a writer that fails, as one without a reader does.
type broken struct {
	err   error
	calls int
}

func (b *broken) Write([]byte) (int, error) { b.calls++; return 0, b.err }

func TestClosedReader(t *testing.T) {
	t.Parallel()
	for _, err := range []error{syscall.EPIPE, syscall.EIO} {
		b := &broken{err: err}
		w := ui.NewWriter(b, "")
		for range 3 {
			if n, err := w.Write([]byte("text")); n != 4 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
		}
		if n, err := w.Raw().Write([]byte("raw")); n != 3 || err != nil || b.calls != 1 {
			t.Errorf("got %d, %v, %d calls", n, err, b.calls)
		}
	}
	if _, err := ui.NewWriter(&broken{err: syscall.ENOSPC}, "").Write([]byte("x")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	var out bytes.Buffer
	if _, err := ui.NewWriter(&out, "").Raw().Write([]byte("\x00\xff")); err != nil || out.String() != "\x00\xff" {
		t.Errorf("raw: %q, %v", &out, err)
	}
}

func FuzzWriter(f *testing.F) {
	for _, s := range []string{"", "\x1b[31mx\x1b[0m", "\x1bMARK[1m", "\xe6\xbc\xa2\xff\r\n\u202e", "\x1b]52;c;x\a", `{"a":"\u001b"}`} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, in string, at int) {
		whole := filtered(t, mark, in)
		at = min(max(at, 0), len(in))
		if got := filtered(t, mark, in[:at], in[at:]); got != whole {
			t.Errorf("cut at %d: %q, not %q", at, got, whole)
		}
		for _, r := range strings.NewReplacer("\x1b[", "").Replace(whole) {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				t.Fatalf("%q passed in %q", r, whole)
			}
		}
		if !strings.Contains(in, mark) && strings.Contains(whole, "\x1b") {
			t.Errorf("ESC passed in %q", whole)
		}
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(in); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal([]byte(filtered(t, mark, text.String())), &got); err != nil || got != string([]rune(in)) {
			t.Errorf("JSON of %q: %q, %v", in, got, err)
		}
	})
}
