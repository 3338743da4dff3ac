package devcontainer

import (
	"path"
	"strings"
)

// Project is a project whose devcontainer.json is to be right for an image.
type Project struct {
	Folder string // absolute, symlinks resolved
	Image  Image
}

// What the file itself has to say: tools take none of it from an image's label.
const (
	keyName    = "name"
	keyImage   = "image"
	keyFolder  = "workspaceFolder"
	keyMount   = "workspaceMount"
	keyCommand = "initializeCommand"
)

// ours is the key of our command in initializeCommand, and theirs that of a
// command that was there before ours.
const (
	ours   = "ocisi"
	theirs = "project"
)

// workspace is the project's folder on the host, as the file names it.
const workspace = "${localWorkspaceFolder}"

// member is a key of the file and what it is to be.
type member struct {
	key  string
	text string
}

// texts returns the keys whose value is a text, in the order of a new file.
func (p Project) texts() []member {
	name := path.Base(p.Folder) + " (" + strings.TrimSuffix(p.Image.Ref, ":latest") + ")"
	where := "" // mounted already, with the home
	if !below(p.Folder, p.Image.Home) {
		where = "type=bind,source=" + workspace + ",target=" + workspace
	}
	return []member{{keyName, name}, {keyImage, p.Image.Ref}, {keyFolder, workspace}, {keyMount, where}}
}

// command makes the folders of the image's mounts, on the host: whoever starts
// the container need not have run ocisi since they were removed.
func (p Project) command() []string {
	words := []string{"mkdir", "-p"}
	for _, f := range p.Image.Folders() {
		words = append(words, portable(f.Path, p.Image.Home))
	}
	return words
}

// portable writes a path below the home so that it means the same for everybody
// who works on the project.
func portable(file, home string) string {
	if home != "" && below(file, home) {
		return "${localEnv:HOME}" + strings.TrimPrefix(file, home)
	}
	return file
}

func below(file, dir string) bool {
	return file == dir || strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}

// New returns a whole file.
func (p Project) New() []byte {
	const head = `// Written by 'ocisi devcontainer'. User, home, environment, mounts and extensions
// are in the image's label devcontainer.metadata; what is here, tools do not take
// from there. Add what you like: ocisi changes only the keys below.
{}
`
	edit, err := p.edit([]byte(head))
	if err != nil {
		panic(err) // the text above is an object
	}
	return edit.data
}
