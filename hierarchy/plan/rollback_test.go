package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/hierarchy/plan"
)

func TestRollback(t *testing.T) {
	box := func(of, name, config string) hierarchy.StoredBox {
		return hierarchy.StoredBox{ID: name, Name: name, ImageID: "1", Labels: map[string]string{
			hierarchy.LabelImageID: "1", hierarchy.LabelBox: of, hierarchy.LabelConfig: config, hierarchy.LabelImage: of + "-dx:1",
		}}
	}
	stores := plan.Stores{
		hierarchy.Docker: {
			Boxes: []hierarchy.StoredBox{
				box("go", "go", "/c"), box("go", "go.ocisi-1", "/c"), box("go", "go.ocisi-3", "/c"),
				box("zig", "zig.ocisi-2", "/link"), // which is gone itself; /link is a symbolic link to /c
				box("new", "new", "/c"), box("other", "other.ocisi-1", "/d"), box("go", "copy.ocisi-1", "/c"),
			},
		},
		hierarchy.Podman: {
			Boxes:     []hierarchy.StoredBox{box("deb", "deb", "/c"), box("deb", "deb.ocisi-1", "/c")},
			RootBoxes: []hierarchy.StoredBox{box("sys", "sys.ocisi-1", "/c")},
		},
	}
	for _, c := range []struct {
		names string
		to    int
		want  string
	}{
		{"", 0, "docker go 3, docker zig 2, podman deb 1, podman sys 1 of root's"},
		{"go deb", 0, "docker go 3, podman deb 1"},
		{"go", 1, "docker go 1"},
		{"go", 2, "box go has no generation 2"},
		{"new", 0, "nothing of box new is kept to go back to"},
		{"go nowhere", 0, "nothing of box nowhere is kept to go back to"},
		{"other", 0, "nothing of box other is kept to go back to"},
	} {
		own := hierarchy.Ownership{
			UID: 1000, Config: "/c", Exists: func(string) bool { return true },
			Same: func(a, b string) bool { return a == "/link" && b == "/c" },
		}
		p, err := plan.Rollback(stores, own, strings.Fields(c.names), c.to)
		var got []string
		for _, s := range p.Steps {
			text := fmt.Sprint(s.Manager, " ", s.Name, " ", s.Generation)
			if s.Root {
				text += " of root's"
			}
			got = append(got, text)
			if s.Action != plan.RollBack || s.Kind != plan.Box || !strings.HasPrefix(s.Reason, fmt.Sprintf("to generation %d, made ", s.Generation)) || !strings.HasSuffix(s.Reason, " from "+s.Name+"-dx:1") {
				t.Errorf("%+v", s)
			}
		}
		if err != nil {
			if _, ok := errors.AsType[*plan.NoGenerationError](err); !ok {
				t.Errorf("%T", err)
			}
			got = []string{err.Error()}
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s to %d: %s\nwant %s", c.names, c.to, text, c.want)
		}
	}
}

// A box that the run may not change is refused, and its generations stay.
func TestRollbackOfAnotherUsersBox(t *testing.T) {
	box := func(name, uid string) hierarchy.StoredBox {
		return hierarchy.StoredBox{ID: name, Name: name, ImageID: "1", Labels: map[string]string{
			hierarchy.LabelImageID: "1", hierarchy.LabelBox: "go", hierarchy.LabelConfig: "/c", hierarchy.LabelUID: uid,
		}}
	}
	owner := hierarchy.Ownership{UID: 1000, Config: "/c"}
	stores := plan.Stores{hierarchy.Docker: {Boxes: []hierarchy.StoredBox{box("go", "1001"), box("go.ocisi-1", "1000"), box("go.ocisi-2", "1001")}}}
	p, err := plan.Rollback(stores, owner, []string{"go"}, 0)
	if err != nil || len(p.Steps) != 1 || p.Steps[0].Action != plan.Refuse || p.Steps[0].Reason != "box belongs to UID 1001" {
		t.Errorf("%+v, %v", p.Steps, err)
	}
	stores[hierarchy.Docker].Boxes[0] = box("go", "1000")
	p, err = plan.Rollback(stores, owner, nil, 0)
	if err != nil || len(p.Steps) != 1 || p.Steps[0].Action != plan.RollBack || p.Steps[0].Generation != 1 || p.Steps[0].ID != "go" {
		t.Errorf("%+v, %v", p.Steps, err)
	}
}
