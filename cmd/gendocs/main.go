// Command gendocs writes what follows from ocisi's commands and config. Without
// -dir, what is committed: docs/cli and the schema of the config. With it, what a
// package has beside the program: man pages and completions.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klmcwhirter/ocisi/cmd/internal/cli"
)

func main() {
	root := flag.String("root", ".", "the repository, whose committed files are written")
	dir := flag.String("dir", "", "write man/ and completions/ into this folder instead")
	version := flag.String("version", "(devel)", "with -dir: the version that man pages name")
	date := flag.String("date", "1970-01-01", "with -dir: the day that man pages name, as the commit's: git log -1 --format=%cs")
	flag.Parse()
	err := run(*root, *dir, *version, *date)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

func run(root, dir, version, date string) error {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return err
	}
	if dir != "" {
		files, err := cli.Packaged(version, day)
		if err != nil {
			return err
		}
		return write(dir, files)
	}
	files, err := cli.Documents()
	if err != nil {
		return err
	}
	for _, name := range stale(root, files) {
		if err := os.Remove(filepath.Join(root, name)); err != nil {
			return err
		}
	}
	return write(root, files)
}

// stale returns the pages of commands that are no more, relative to root.
func stale(root string, files map[string][]byte) []string {
	pages, _ := filepath.Glob(filepath.Join(root, "docs", "cli", "*.md")) // the pattern is valid
	var names []string
	for _, page := range pages {
		name := strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(page, filepath.Clean(root))), "/")
		if _, ok := files[name]; !ok {
			names = append(names, name)
		}
	}
	return names
}

func write(root string, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}
