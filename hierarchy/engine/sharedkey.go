package engine

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// sharedKey is the name under which the daemon keeps the files of a build context
// that it was sent, in order to be sent only what has changed. Whoever names the
// same key uses the same files, so the key has to be this user's alone: the path
// of the context, with the ID of the installation.
func (e *Engine) sharedKey(context string) string {
	e.installationOnce.Do(func() {
		if e.opts.Installation != nil {
			e.installation = e.opts.Installation()
		}
		if e.installation == "" {
			e.installation = rand.Text()
		}
	})
	sum := sha256.Sum256([]byte(e.installation + ":" + context))
	return hex.EncodeToString(sum[:])
}
