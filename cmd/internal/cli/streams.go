package cli

import (
	"context"
	"crypto/rand"
	"io"

	"github.com/klmcwhirter/ocisi/cmd/internal/ui"
)

// streams are the standard input, output and error of an [Env] as they were given
// to Main.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	out            *ui.Writer // to stdout
	mark           string     // of ocisi's own colors
}

// filtered returns an Env that writes through filters, so that text from images,
// engines, registries and boxes cannot control the terminal. No command gets the
// Env without them. Reading the standard input ends when ctx does. flush writes what the filters hold at the end.
func (env Env) filtered(ctx context.Context) (_ Env, flush func()) {
	mark := ""
	if env.Colour {
		mark = rand.Text()
	}
	out, errs := ui.NewWriter(env.Stdout, mark), ui.NewWriter(env.Stderr, mark)
	env.streams = streams{mark: mark, out: out, stdin: env.Stdin, stdout: env.Stdout, stderr: env.Stderr}
	if env.Stdin != nil {
		env.Stdin = stdin{ctx, env.Stdin}
	}
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
