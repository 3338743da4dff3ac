package hierarchy

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/klmcwhirter/ocisi/hierarchy/containerfile"
	"github.com/klmcwhirter/ocisi/internal/input"
)

// readAll reads the Containerfiles of the enabled entries, several at once.
// Nothing is reported yet.
func (r *resolver) readAll() []node {
	var nodes []node
	for _, e := range r.config.Entries {
		if e.Enabled {
			nodes = append(nodes, r.node(e))
		}
	}
	var wait errgroup.Group
	wait.SetLimit(8)
	const some = 32 // a file takes less time than starting its turn
	for batch := range slices.Chunk(nodes, some) {
		wait.Go(func() error {
			for i := range batch {
				batch[i].read(r.host.Files)
			}
			return nil
		})
	}
	_ = wait.Wait() // the nodes keep their errors
	return nodes
}

// node returns what an entry alone tells.
func (r *resolver) node(e Entry) node {
	dir := r.config.Dir(e)
	im := Image{
		Name: e.Name, Tag: e.Tag,
		Manager: r.config.ManagerOf(e, r.host.Manager),
		Also:    slices.Clone(e.Also),
		Context: dir,
		Args:    maps.Clone(e.Args),
		MaxAge:  r.config.maxAge(e),
		Keep:    r.config.keep(e),
		Wish:    e.DevContainer,
	}
	file := "Containerfile." + im.Name[strings.LastIndexByte(im.Name, '/')+1:]
	if im.Thin() {
		file = "Containerfile.img-dx"
		im.Args = r.thinArgs(e)
	}
	im.Containerfile = filepath.Join(dir, file)
	if e.HasBox() {
		im.Box = &Box{}
		if e.Box != nil {
			*im.Box = *e.Box
		}
		im.Box.Name = e.BoxName()
	}
	return node{image: im, entry: e}
}

func (n *node) read(files fs.FS) {
	if n.text, n.err = input.ReadFile(files, strings.TrimPrefix(n.image.Containerfile, "/"), containerfile.MaxSize); n.err == nil {
		n.parsed, n.err = containerfile.Parse(n.text, n.image.Args)
	}
}

// add adds an image that has been read, or reports why not.
func (r *resolver) add(n node) {
	key := r.key(n.image.Manager, n.image.Ref())
	if at, ok := r.byKey[key]; ok {
		first := &r.nodes[at]
		if n.entry.sameImage(first.entry) {
			first.image.More = append(first.image.More, BoxOf{n.image.Box, n.image.Keep})
			return
		}
		d := decoder{config: r.config}
		r.fail(d.secondImage(n.entry, first.entry.at("name")))
		return
	}
	if n.err != nil {
		r.unread[key] = true
		r.failRead(&n)
		return
	}
	n.image.file = n.parsed
	r.checkArgs(&n, n.parsed.Args)
	r.byKey[key] = len(r.nodes)
	r.nodes = append(r.nodes, n)
}

// thinArgs returns the arguments of Containerfile.img-dx; what the entry gives
// comes last and wins.
func (r *resolver) thinArgs(e Entry) map[string]string {
	args := map[string]string{
		"IMG": strings.TrimSuffix(e.Name, ThinSuffix), "TAG": e.Tag,
		"USER": r.host.User, "UID": strconv.Itoa(r.host.UID), "GID": strconv.Itoa(r.host.GID),
	}
	maps.Copy(args, e.Args)
	return args
}

// failRead reports a Containerfile that cannot be read.
func (r *resolver) failRead(n *node) {
	se, isSyntax := errors.AsType[*containerfile.SyntaxError](n.err)
	switch {
	case isSyntax:
		r.failIn(n, se.Line, "", strings.TrimPrefix(se.Error(), fmt.Sprintf("line %d: ", se.Line)), "")
	case errors.Is(n.err, fs.ErrNotExist):
		r.failAt(n.entry.at("name"), "missing Containerfile: "+n.image.Containerfile+" does not exist",
			"create it, or mend name or path; 'ocisi setup' writes the default ones")
	default:
		r.failAt(n.entry.at("name"), n.err.Error(), "")
	}
}

// checkArgs reports arguments that the Containerfile does not declare: the
// engines would drop them without a word.
func (r *resolver) checkArgs(n *node, declared []string) {
	for _, name := range slices.Sorted(maps.Keys(n.entry.Args)) {
		if slices.Contains(declared, name) || strings.HasSuffix(strings.ToUpper(name), "_PROXY") || strings.HasPrefix(name, "BUILDKIT_") {
			continue
		}
		advice := "declare it there: ARG " + name
		if near := Nearest(name, declared); near != "" {
			advice = "did you mean " + near + "?"
		}
		r.failAt(n.entry.at("args"), "argument "+name+" is not declared in "+filepath.Base(n.image.Containerfile), advice)
	}
}
