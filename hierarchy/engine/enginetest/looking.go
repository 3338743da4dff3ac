package enginetest

import (
	pathpkg "path"
	"slices"
	"strings"
)

func cat(t tree, files []string) Answer {
	var a Answer
	for _, file := range files {
		content, ok := t.content(t.resolve(file))
		if !ok {
			a.Err, a.Exit = a.Err+"cat: "+file+": No such file or directory\n", 1
		}
		a.Out += content
	}
	return a
}

func test(t tree, args []string) Answer {
	if len(args) != 2 {
		return Answer{Exit: 2, Err: "test: only test -X FILE is played\n"}
	}
	path := t.resolve(args[1])
	_, isFile := t.content(path)
	ok := t.exists(path)
	switch args[0] {
	case "-f", "-x":
		ok = isFile
	case "-d":
		ok = ok && !isFile
	}
	if !ok {
		return Answer{Exit: 1}
	}
	return Answer{}
}

// ls knows what follows --, or all that is a path, and says whether it is there.
func ls(t tree, args []string) Answer {
	var a Answer
	for _, path := range args {
		switch {
		case !strings.HasPrefix(path, "/"):
		case path == "/" || t.exists(t.resolve(path)):
			a.Out += path + "\n"
		default:
			a.Err, a.Exit = a.Err+"ls: cannot access '"+path+"': No such file or directory\n", 2
		}
	}
	return a
}

// head takes the paths among its arguments, and all that they hold. With -v, it
// begins with the name of each.
func head(t tree, args []string) Answer {
	var a Answer
	for _, path := range args {
		if !strings.HasPrefix(path, "/") {
			continue
		}
		got := cat(t, []string{path})
		if slices.Contains(args, "-v") && got.Exit == 0 {
			if a.Out != "" {
				a.Out += "\n"
			}
			got.Out = "==> " + path + " <==\n" + got.Out
		}
		a.Out, a.Err, a.Exit = a.Out+got.Out, a.Err+got.Err, max(a.Exit, got.Exit)
	}
	return a
}

// find knows paths, -name, -type, -print0 and -exec head, all of which must hold.
func find(t tree, args []string) Answer {
	var a Answer
	var roots []string
	end, pattern, kind := "\n", "*", "f"
	for i, arg := range args {
		next := args[min(i+1, len(args)-1)]
		switch {
		case arg == "-name":
			pattern = next
		case arg == "-type":
			kind = next
		case arg == "-print0":
			end = "\x00"
		case strings.HasPrefix(arg, "/") && (i == 0 || args[i-1] != "-name"):
			roots = append(roots, arg)
		}
	}
	var found []string
	for _, root := range roots {
		if !t.exists(root) {
			a.Err, a.Exit = a.Err+"find: '"+root+"': No such file or directory\n", 1
		}
		found = append(found, t.matching(root, pattern, kind)...)
	}
	if i := slices.Index(args, "-exec"); i >= 0 {
		return head(t, append(args[i+1:], found...))
	}
	for _, file := range found {
		a.Out += file + end
	}
	return a
}

// matching returns the files below a folder whose names match, and which are
// links or not.
func (t tree) matching(root, pattern, kind string) []string {
	return slices.DeleteFunc(t.below(root), func(file string) bool {
		ok, _ := pathpkg.Match(pattern, pathpkg.Base(file))
		return !ok || kind == "d" || (kind == "l") != strings.HasPrefix(t.files[file], link)
	})
}
