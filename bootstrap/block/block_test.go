package block_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/bootstrap/block"
)

func Example() {
	text, _ := block.Put([]byte("mine:\n    @true\n"), []byte("import? 'ocisi.just'"))
	fmt.Print(string(text))
	text, _ = block.Cut(text)
	fmt.Print("---\n", string(text))
	// Output:
	// mine:
	//     @true
	// # >>> ocisi >>> kept by 'ocisi just install', removed by 'ocisi just uninstall'
	// import? 'ocisi.just'
	// # <<< ocisi <<<
	// ---
	// mine:
	//     @true
}

func TestRoundTrip(t *testing.T) {
	for _, text := range [][]byte{
		nil, {}, []byte("\n"), []byte("a"), []byte("a\n"), []byte("a\n\n"), []byte("a\r\n"), []byte("a\r"), []byte("\xff\x00"),
	} {
		with := put(t, text, "one\ntwo\n")
		if got := cut(t, with); !bytes.Equal(got, text) || (got == nil) != (text == nil) {
			t.Errorf("%q became %q", text, got)
		}
		if !block.Has(with) || block.Has(text) {
			t.Errorf("%q: a block is not told from none", text)
		}
	}
}

func TestPutReplaces(t *testing.T) {
	for _, text := range [][]byte{nil, []byte("a"), []byte("a\n")} {
		once := put(t, text, "one\n")
		if got := put(t, once, "one\n"); !bytes.Equal(got, once) {
			t.Errorf("again: %q became %q", once, got)
		}
		other := put(t, once, "other\nlines")
		if want := put(t, text, "other\nlines"); !bytes.Equal(other, want) {
			t.Errorf("replaced: %q, want %q", other, want)
		}
	}
}

// What is written around a block later stays, in lines of its own.
func TestCutKeepsWhatCameLater(t *testing.T) {
	for _, c := range []struct{ text, want string }{{"a", "a\nz"}, {"a\n", "a\nz"}, {"", "z"}} {
		got := cut(t, append(put(t, []byte(c.text), "one\n"), 'z'))
		if string(got) != c.want {
			t.Errorf("%q became %q, want %q", c.text, got, c.want)
		}
	}
	made := put(t, nil, "one\n")
	if got := cut(t, append([]byte("a\n"), made...)); string(got) != "a\n" {
		t.Errorf("a file that got a line of its user's became %q", got)
	}
	if got := cut(t, append(made, '\n')); string(got) != "\n" {
		t.Errorf("a file that got an empty line became %q", got)
	}
}

func TestBroken(t *testing.T) {
	whole := string(put(t, nil, "one\n"))
	first, rest, _ := strings.Cut(whole, "\n")
	for name, text := range map[string]string{
		"no end":         first + "\none\n",
		"no beginning":   rest,
		"twice":          whole + whole,
		"two beginnings": first + "\n" + whole,
		"two ends":       whole + rest,
		"turned round":   rest + first + "\n",
	} {
		if _, err := block.Put([]byte(text), []byte("x")); !errors.Is(err, block.ErrBroken) {
			t.Errorf("%s: put: %v", name, err)
		}
		if got, err := block.Cut([]byte(text)); !errors.Is(err, block.ErrBroken) || string(got) != text {
			t.Errorf("%s: cut: %q, %v", name, got, err)
		}
		if !block.Has([]byte(text)) {
			t.Errorf("%s: nothing of a block is seen", name)
		}
	}
	dos := strings.ReplaceAll(whole, "\n", "\r\n")
	if got := cut(t, []byte("a\r\n"+dos)); string(got) != "a\r\n" {
		t.Errorf("with carriage returns: %q", got)
	}
}

func FuzzPut(f *testing.F) {
	f.Add([]byte("a:\n    @true\n"), []byte("import 'b'\n"), []byte("later\n"))
	f.Add([]byte("a"), []byte("x"), []byte(""))
	f.Add([]byte("# <<< ocisi <<<\n"), []byte("x"), []byte(""))
	f.Fuzz(func(t *testing.T, text, lines, later []byte) {
		if block.Has(text) || block.Has(lines) || block.Has(later) {
			if with, err := block.Put(text, lines); err != nil && (with != nil || !errors.Is(err, block.ErrBroken)) {
				t.Fatalf("%q, %v", with, err)
			}
			return
		}
		with := put(t, text, string(lines))
		if got := cut(t, with); !bytes.Equal(got, text) {
			t.Fatalf("%q became %q", text, got)
		}
		if !bytes.HasPrefix(with, text) || !bytes.Contains(with, lines) {
			t.Fatalf("%q lacks %q or %q", with, text, lines)
		}
		got := cut(t, append(bytes.Clone(with), later...))
		if !bytes.HasPrefix(got, text) || !bytes.HasSuffix(got, later) || len(got) > len(text)+len(later)+1 {
			t.Fatalf("%q and later %q became %q", text, later, got)
		}
	})
}

func put(t *testing.T, text []byte, lines string) []byte {
	t.Helper()
	out, err := block.Put(text, []byte(lines))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func cut(t *testing.T, text []byte) []byte {
	t.Helper()
	out, err := block.Cut(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
