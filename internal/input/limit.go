package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// The limits of files that people write, and of labels. Nothing that ocisi or
// its documentation writes is near them.
const (
	MaxSize  = 1 << 20 // bytes
	MaxDepth = 100     // levels of lists and mappings in each other
)

// SizeError is the error of a file or text that is larger than its limit.
type SizeError struct{ Max int64 } // bytes

func (e *SizeError) Error() string {
	if e.Max >= 1<<20 {
		return fmt.Sprintf("larger than %d MiB", e.Max>>20)
	}
	return fmt.Sprintf("larger than %d KiB", e.Max>>10)
}

// DepthError is the error of a text whose lists and mappings nest deeper than
// [MaxDepth].
type DepthError struct{ Line, Column int } // of the first one that is too deep, from 1; columns in bytes

func (e *DepthError) Error() string {
	return fmt.Sprintf("line %d, column %d: nested deeper than %d levels", e.Line, e.Column, MaxDepth)
}

// ReadFile reads a file of at most limit bytes. A larger one is a *SizeError in an
// *fs.PathError.
func ReadFile(files fs.FS, name string, limit int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: &SizeError{limit}}
	}
	return data, err
}

// ReadPath is [ReadFile] for a path of the host, absolute or below the working
// directory, as [Root] opens it.
func ReadPath(path string, limit int64) ([]byte, error) {
	at, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	data, err := ReadFile(Root("/"), strings.TrimPrefix(filepath.ToSlash(at), "/"), limit)
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		pe.Path = path
	}
	return data, err
}

// Depth returns a *DepthError when lists and objects of a JSON text with comments
// nest too deep. It does not check anything else.
func Depth(text []byte) error {
	depth, line, begin := 0, 1, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n':
			line, begin = line+1, i+1
		case '[', '{':
			if depth++; depth > MaxDepth {
				return &DepthError{line, i - begin + 1}
			}
		case ']', '}':
			depth--
		case '"':
			i = stringEnd(text, i)
		case '/':
			// A line comment ends before its newline. Lines in a block comment count.
			end := commentEnd(text, i)
			if n := bytes.Count(text[i:end], []byte("\n")); n > 0 {
				line += n
				begin = i + bytes.LastIndexByte(text[i:end], '\n') + 1
			}
			i = max(end-1, i)
		}
	}
	return nil
}

// stringEnd returns the index of the quote that ends the string at i.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"' && text[i] != '\n'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	if i < len(text) && text[i] == '\n' {
		i-- // no JSON, and the line counts
	}
	return i
}

// commentEnd returns the index behind the comment at i, or i when there is none.
func commentEnd(text []byte, i int) int {
	var end int
	switch string(text[i:min(i+2, len(text))]) {
	case "//":
		end = bytes.IndexByte(text[i:], '\n')
	case "/*":
		if end = bytes.Index(text[i+2:], []byte("*/")); end >= 0 {
			end += len("/**/")
		}
	default:
		return i
	}
	if end < 0 {
		return len(text)
	}
	return i + end
}

// Unmarshal is [json.Unmarshal] for JSON that others wrote, within the limits.
func Unmarshal(data []byte, into any) error {
	if len(data) > MaxSize {
		return &SizeError{MaxSize}
	}
	if err := Depth(data); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
