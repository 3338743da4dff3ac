package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/ocisictl"
)

// schemaFile is what the schema is called beside the default config.
const schemaFile = "ocisi.schema.json"

// imported is a file to be written.
type imported struct {
	path string
	data []byte
	mode fs.FileMode
	was  []byte // what is there; nil when nothing is
	asIs bool   // what is there stays, whatever it is
}

// write writes the config last, so that it never leads to what is not there.
func (o *importOptions) write(ctx context.Context, r *ocisictl.Result, options ocisictl.Options) error {
	var files []imported
	for _, f := range r.Folders {
		more, err := o.folder(f)
		if err != nil {
			return err
		}
		files = append(files, more...)
	}
	if options.Schema != "" {
		files = append(files, imported{path: filepath.Join(o.env.ConfigDir, schemaFile), data: hierarchy.Schema(), mode: 0o644, asIs: true})
	}
	files = append(files, imported{path: options.To, data: r.Text, mode: 0o644})
	if err := o.look(files); err != nil {
		return err
	}
	release, err := o.env.lock("import")
	if err != nil {
		return err
	}
	defer release()
	for _, f := range files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := o.put(f); err != nil {
			return fmt.Errorf("writing %s: %w", f.path, err)
		}
	}
	return nil
}

// thereError says that files would be replaced.
type thereError struct{ paths []string }

func (e *thereError) Error() string {
	return strings.Join(e.paths, " and ") + ": there already, and something else; nothing was written"
}

// look finds out what is there, and objects to replacing it unasked.
func (o *importOptions) look(files []imported) error {
	var there []string
	for i := range files {
		f := &files[i]
		data, err := o.env.readFile(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		}
		f.was = append([]byte{}, data...)
		if !f.asIs && !bytes.Equal(f.was, f.data) {
			there = append(there, f.path)
		}
	}
	if len(there) > 0 && !o.force {
		return &thereError{there}
	}
	return nil
}

// put writes a file, and keeps what it replaces under the first name that is
// free.
func (o *importOptions) put(f imported) error {
	action := "create"
	switch {
	case f.was != nil && (f.asIs || bytes.Equal(f.was, f.data)):
		action = "keep"
	case f.was != nil:
		action = "replace"
		backup := f.path + ".old"
		for n := 2; o.env.mayExist(backup); n++ {
			backup = f.path + ".old" + strconv.Itoa(n)
		}
		if err := o.env.Disk.Write(backup, f.was, f.mode, nil); err != nil {
			return err
		}
		fmt.Fprintf(o.env.Stdout, "%-7s  %s\n", "create", o.env.short(backup))
	}
	if action != "keep" {
		if err := o.env.Disk.Write(f.path, f.data, f.mode, func() error { return o.unchanged(f) }); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(o.env.Stdout, "%-7s  %s\n", action, o.env.short(f.path))
	return err
}

// unchanged objects when somebody has written the file since it was looked at.
func (o *importOptions) unchanged(f imported) error {
	now, err := o.env.readFile(f.path)
	if errors.Is(err, fs.ErrNotExist) && f.was == nil {
		return nil
	}
	if err == nil && (f.was == nil || !bytes.Equal(now, f.was)) {
		err = errors.New("somebody has written it meanwhile")
	}
	return err
}

// folder returns the files of a folder of Containerfiles: all of them, since an
// image may copy any.
func (o *importOptions) folder(f ocisictl.Folder) ([]imported, error) {
	var files []imported
	if f.From == f.To {
		return nil, nil
	}
	root := strings.TrimPrefix(f.From, "/")
	err := fs.WalkDir(o.env.Files, root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".venv"}, d.Name()):
			return fs.SkipDir
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			fmt.Fprintf(o.env.Stderr, "/%s: not copied: no plain file\n", name)
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := fs.ReadFile(o.env.Files, name) // copied, not parsed: any size
		files = append(files, imported{path: f.To + strings.TrimPrefix(name, root), data: data, mode: info.Mode().Perm()})
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(o.env.Stderr, "%s: not copied: there is no such folder\n", o.env.short(f.From))
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("copying %s: %w", f.From, err)
	}
	return files, nil
}
