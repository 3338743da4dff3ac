package launcher

import (
	"fmt"
	"os"
	"testing"
	"testing/fstest"
)

// Boxes are made side by side: what this process is writing for one of them is
// not to be cleaned up by another.
func TestUnfinished(t *testing.T) {
	const bin = "home/u/.local/bin/"
	own := fmt.Sprintf(".go.ocisi-%d", os.Getpid())
	files := fstest.MapFS{bin + own: {}, bin + own + "0": {}, "home/u/.local/share/icons/hicolor/48x48/apps/" + own: {}}
	found := Scan(files, Dirs{Home: "/home/u"}, nil)
	if len(found) != 1 || found[0].Kind != Leftover || found[0].Path != "/"+bin+own+"0" {
		t.Errorf("found %+v", found)
	}
}
