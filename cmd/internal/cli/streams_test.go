package cli

import (
	"bytes"
	"fmt"
	"testing"
)

func TestFiltered(t *testing.T) {
	t.Parallel()
	for _, colour := range []bool{true, false} {
		for _, screen := range []bool{true, false} {
			var out, errs bytes.Buffer
			env, flush := Env{Stdout: &out, Stderr: &errs, Colour: colour, Screen: screen}.filtered(t.Context())
			c := env.colours()
			fmt.Fprintf(env.Stdout, "%sours%s \x1b[32mtheirs\x1b[0m\a ", c.green, c.off)
			fmt.Fprintf(env.Stderr, "%serror%s \x1b", c.red, c.off)
			fmt.Fprint(env.data(), "\a")
			flush()
			want, wantErr, data := "ours theirs\\u0007 ", "error \\u001b", "\a"
			if colour {
				want, wantErr = "\x1b[32mours\x1b[0m theirs\\u0007 ", "\x1b[31merror\x1b[0m \\u001b"
			}
			if screen {
				data = `\u0007`
			}
			if out.String() != want+data || errs.String() != wantErr {
				t.Errorf("colour %v, screen %v: got %q, %q", colour, screen, &out, &errs)
			}
		}
	}
}
