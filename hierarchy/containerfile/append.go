package containerfile

import (
	"bytes"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Append returns a Containerfile with one more instruction, which belongs to its
// last stage. All other instructions keep their lines. A text that cannot be
// parsed is returned as it is: the engine reports what is wrong with it.
func Append(text []byte, instruction string) []byte {
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return text
	}
	n := len(tree.AST.Children)
	for start := text; len(start) > 0; start = shortened(start, tree.EscapeToken) {
		longer := slices.Concat(bytes.TrimRight(start, "\r\n"), []byte("\n"+instruction+"\n"))
		now, err := parser.Parse(bytes.NewReader(longer))
		if err == nil && len(now.AST.Children) == n+1 && now.AST.Children[n].Original == instruction {
			return longer
		}
	}
	return text
}

// shortened returns a text without what may continue its last instruction on
// another line: an escape character at the end, or a comment line after one.
func shortened(text []byte, token rune) []byte {
	text = bytes.TrimRight(text, " \t\r\n")
	last := bytes.LastIndexByte(text, '\n') + 1
	if bytes.HasPrefix(bytes.TrimLeft(text[last:], " \t"), []byte("#")) {
		return text[:last]
	}
	if short, ok := bytes.CutSuffix(text, []byte(string(token))); ok {
		return short
	}
	return nil
}
