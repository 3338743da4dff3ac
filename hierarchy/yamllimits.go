package hierarchy

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/klmcwhirter/ocisi/internal/input"
)

// The limits of a YAML file. The parser needs memory in proportion to the square
// of the depth, and of the number of keys of a mapping.
const (
	maxTokens = 20_000 // about 1,000 images
	maxValues = 100_000
)

// tree parses a file within the limits. What exceeds them is a *ConfigError.
func (d *decoder) tree(data []byte) (*ast.File, error) {
	start := Position{d.config.File, 1, 1}
	if len(data) > input.MaxSize {
		return nil, d.errorAt(start, "the file is "+(&input.SizeError{Max: input.MaxSize}).Error(), "")
	}
	tokens := lexer.Tokenize(string(data))
	if len(tokens) > maxTokens {
		at := tokens[maxTokens].Position
		return nil, d.errorAt(Position{d.config.File, at.Line, at.Column}, "the file has more than "+itoa(maxTokens)+" keys, values and signs", "split it in two configs: ocisi -f FILE")
	}
	if t := tooDeep(tokens); t != nil {
		return nil, d.errorAt(Position{d.config.File, t.Position.Line, t.Position.Column}, "nested deeper than "+itoa(input.MaxDepth)+" levels", "")
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, d.syntax(err)
	}
	return file, nil
}

// tooDeep returns the first token that is nested deeper than [input.MaxDepth]; nil
// when there is none. Brackets and braces count one each. Outside of them, each
// token that is to the right of another one counts, until one at the left of it
// comes: that is never fewer than there are lists and mappings.
func tooDeep(tokens token.Tokens) *token.Token {
	flow := 0
	var columns []int
	for _, t := range tokens {
		switch t.Type {
		case token.CommentType:
			continue
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(flow-1, 0)
		default:
			if flow > 0 {
				continue
			}
			for len(columns) > 0 && columns[len(columns)-1] >= t.Position.Column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, t.Position.Column)
		}
		if flow+len(columns) > input.MaxDepth {
			return t
		}
	}
	return nil
}

// exhausted reports whether aliases have made more values of the file than it may
// have, which the first time is an error.
func (d *decoder) exhausted(n ast.Node) bool {
	if d.values++; d.values == maxValues {
		d.fail(n, "aliases make more than "+itoa(maxValues)+" values of the file", "")
	}
	return d.values >= maxValues
}
