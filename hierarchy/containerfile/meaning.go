package containerfile

import (
	"bytes"
	"fmt"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Meaning returns what the engines make of the file: the instructions in one
// line each, heredocs, the escape character and the frontend of a syntax line.
// Two files with the same meaning differ in comments, empty lines and the
// breaks between lines at most.
func (f *File) Meaning() []byte { return f.meaning }

func meaning(text []byte, tree *parser.Result) []byte {
	var b bytes.Buffer
	syntax, _, _, _ := parser.DetectSyntax(text)
	fmt.Fprintf(&b, "%q %q\n", syntax, tree.EscapeToken)
	for _, instruction := range tree.AST.Children {
		fmt.Fprintf(&b, "%q\n", instruction.Original)
		for _, h := range instruction.Heredocs {
			fmt.Fprintf(&b, "%q %t %q\n", h.Name, h.Expand, h.Content)
		}
	}
	return b.Bytes()
}
