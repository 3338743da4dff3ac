package engine

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// block is what file systems give space in: ext4's, xfs's and btrfs's default.
const block = 4096

// blocks returns the space that bytes take.
func blocks(n int64) int64 { return (n + block - 1) / block * block }

// member is an entry of a layer's tar.
type member struct {
	name string // a folder's ends with a slash
	size int64  // bytes of its contents
}

// space returns the bytes that a member takes on disk. Links have no contents in
// a tar, hard or symbolic, and a symbolic link fits into its inode.
func (m member) space() int64 {
	if strings.HasSuffix(m.name, "/") {
		return block
	}
	return blocks(m.size)
}

// members calls f with every entry of a layer's tar, out of the record that
// containers/storage keeps to make that tar again (layers.go, tarSplitSuffix): a
// line of JSON for every file and every piece between files, compressed. The
// format is that of github.com/vbatts/tar-split, tar/storage/entry.go.
func members(ctx context.Context, file string, f func(member)) error {
	r, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	lines := bufio.NewReaderSize(z, 1<<16)
	for ctx.Err() == nil {
		switch m, found, err := nextMember(lines); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", file, err)
		case found:
			f(m)
		}
	}
	return context.Cause(ctx)
}

// notFile begins a line that is not about a file. There is one for each that is,
// and four times as long: not to read them is most of the speed.
const notFile = `{"type":2,`

// nextMember reads a line.
func nextMember(lines *bufio.Reader) (m member, found bool, err error) {
	line, more, err := lines.ReadLine()
	if err != nil {
		return m, false, err
	}
	skip := len(line) >= len(notFile) && string(line[:len(notFile)]) == notFile
	if !skip && !more {
		m, found, err = parseMember(line)
	}
	if !skip && more {
		err = errors.New("a line is too long")
	}
	for more && err == nil {
		_, more, err = lines.ReadLine()
	}
	return m, found, err
}

func parseMember(line []byte) (member, bool, error) {
	var entry struct {
		Type int
		Name string
		Raw  []byte `json:"name_raw"` // of a name that is not UTF-8
		Size int64
	}
	if err := json.Unmarshal(line, &entry); err != nil {
		return member{}, false, err
	}
	if entry.Name == "" {
		entry.Name = string(entry.Raw)
	}
	return member{entry.Name, entry.Size}, entry.Type == 1, nil
}

// tree is what layers on top of each other look like from inside: a file or
// folder, and what is in it.
type tree struct {
	space int64 // bytes on disk, without what is in it
	in    map[string]*tree
}

// Whiteouts of the OCI image specification (layer.md): what they name in the
// layers below is not there any more.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// add puts a layer on top.
func (t *tree) add(layer []member) {
	for _, m := range layer { // a layer removes nothing of its own
		dir, name := split(m.name)
		if gone, ok := strings.CutPrefix(name, whiteout); ok {
			if d := t.at(dir, false); d == nil {
				continue
			} else if name == opaque {
				d.in = nil
			} else {
				delete(d.in, gone)
			}
		}
	}
	for _, m := range layer {
		dir, name := split(m.name)
		if strings.HasPrefix(name, whiteout) {
			continue
		}
		n := t
		if name != "" {
			n = t.at(append(dir, name), true)
		}
		n.space = m.space()
		if !strings.HasSuffix(m.name, "/") {
			n.in = nil
		}
	}
}

// split returns the folders of a path, and its last part.
func split(path string) (dir []string, name string) {
	parts := strings.FieldsFunc(strings.TrimPrefix(path, "./"), func(r rune) bool { return r == '/' })
	if len(parts) == 0 || len(parts) == 1 && parts[0] == "." {
		return nil, ""
	}
	return parts[:len(parts)-1], parts[len(parts)-1]
}

// at returns what is at a path; nil when it is not there and not to be made.
func (t *tree) at(path []string, add bool) *tree {
	for _, name := range path {
		next := t.in[name]
		if next == nil && !add {
			return nil
		}
		if next == nil {
			if t.in == nil {
				t.in = make(map[string]*tree)
			}
			next = &tree{space: block}
			t.in[name] = next
		}
		t = next
	}
	return t
}

// total returns the bytes on disk of all that is there.
func (t *tree) total() int64 {
	n := t.space
	for _, c := range t.in {
		n += c.total()
	}
	return n
}
