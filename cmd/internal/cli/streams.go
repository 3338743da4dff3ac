package cli

import (
	"crypto/rand"
	"io"

	"github.com/klmcwhirter/ocisi/cmd/internal/ui"
)

// streams are the standard output and error of an [Env] whose own are filtered.
type streams struct {
	mark           string // of ocisi's own colors
	out            *ui.Writer
	stdout, stderr io.Writer // as they were given to Main
}

// filtered returns an Env that writes through filters, so that text from images,
// engines, registries and boxes cannot control the terminal. No command gets the
// Env without them. flush writes what the filters hold at the end.
func (env Env) filtered() (_ Env, flush func()) {
	mark := ""
	if env.Colour {
		mark = rand.Text()
	}
	out, errs := ui.NewWriter(env.Stdout, mark), ui.NewWriter(env.Stderr, mark)
	env.streams = streams{mark: mark, out: out, stdout: env.Stdout, stderr: env.Stderr}
	env.Stdout, env.Stderr = out, errs
	return env, func() { _, _ = out.Flush(), errs.Flush() }
}

// data is where a command writes the contents of a file. A file or a pipe gets
// the bytes as they are, a terminal gets them filtered.
func (env Env) data() io.Writer {
	if env.Screen {
		return env.Stdout
	}
	return env.streams.out.Raw()
}

// colours of a terminal; all empty without one.
type colours struct{ bold, green, yellow, red, off string }

func (env Env) colours() colours {
	if !env.Colour {
		return colours{}
	}
	sgr := func(code string) string { return "\x1b" + env.streams.mark + "[" + code + "m" }
	return colours{bold: sgr("1"), green: sgr("32"), yellow: sgr("33"), red: sgr("31"), off: sgr("0")}
}
