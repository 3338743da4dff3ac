package hierarchy

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
)

// buildContext is what a build can see besides its parents.
type buildContext struct {
	file   string            // SHA-256 of the Containerfile, in hex
	sum    string            // SHA-256 of all files that it can see; "" when there are none
	files  map[string]string // path → the first 12 digits of its hash; nil when there are many
	ignore []byte            // contents of the ignore file; nil when there is none
}

// context reads what the image's Containerfile can see of its build context.
func (im Image) context(files fs.FS) (buildContext, error) {
	sum := sha256.Sum256(im.file.Text())
	return buildContext{file: hex.EncodeToString(sum[:])}, nil
}
