package hierarchy_test

import (
	"testing"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

func TestOwnershipOfBoxes(t *testing.T) {
	t.Parallel()
	o := hierarchy.Ownership{
		UID: 1000, Config: "/a.yaml",
		Exists: func(config string) bool { return config == "/b.yaml" || config == "/link.yaml" },
		Same:   func(a, b string) bool { return a == "/link.yaml" && b == "/a.yaml" },
	}
	box := func(change func(*hierarchy.StoredBox)) hierarchy.StoredBox {
		b := hierarchy.StoredBox{ID: "c1", Name: "go-dx", ImageID: "sha256:1", Labels: map[string]string{
			hierarchy.LabelBox: "go-dx", hierarchy.LabelImageID: "sha256:1",
			hierarchy.LabelConfig: "/a.yaml", hierarchy.LabelUID: "1000",
		}}
		change(&b)
		return b
	}
	for _, c := range []struct {
		name   string
		change func(*hierarchy.StoredBox)
		want   hierarchy.Claim
	}{
		{"its own", func(*hierarchy.StoredBox) {}, hierarchy.Owned},
		{"a generation", func(b *hierarchy.StoredBox) { b.Name = "go-dx.ocisi-3" }, hierarchy.Owned},
		{"no UID, as versions before 1.0 made it", func(b *hierarchy.StoredBox) { delete(b.Labels, hierarchy.LabelUID) }, hierarchy.Owned},
		{"renamed by the user", func(b *hierarchy.StoredBox) { b.Name = "mine" }, hierarchy.Unowned},
		{"made from a commit of a box", func(b *hierarchy.StoredBox) { b.ImageID = "sha256:2" }, hierarchy.Unowned},
		{"without the image's ID", func(b *hierarchy.StoredBox) { delete(b.Labels, hierarchy.LabelImageID); b.ImageID = "" }, hierarchy.Unowned},
		{"of another user", func(b *hierarchy.StoredBox) { b.Labels[hierarchy.LabelUID] = "1001" }, hierarchy.OtherUser},
		{"of another config", func(b *hierarchy.StoredBox) { b.Labels[hierarchy.LabelConfig] = "/b.yaml" }, hierarchy.OtherConfig},
		{"of a deleted config", func(b *hierarchy.StoredBox) { b.Labels[hierarchy.LabelConfig] = "/gone.yaml" }, hierarchy.Owned},
		{"of a link to this config", func(b *hierarchy.StoredBox) { b.Labels[hierarchy.LabelConfig] = "/link.yaml" }, hierarchy.Owned},
		{"of another user, whose config is gone", func(b *hierarchy.StoredBox) {
			b.Labels[hierarchy.LabelUID], b.Labels[hierarchy.LabelConfig] = "1001", "/gone.yaml"
		}, hierarchy.OtherUser},
	} {
		if got := o.Box(box(c.change)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestOwnershipOfImages(t *testing.T) {
	t.Parallel()
	o := hierarchy.Ownership{UID: 1000, Config: "/a.yaml", Exists: func(string) bool { return true }}
	for _, c := range []struct {
		name   string
		labels map[string]string
		sealed bool
		want   hierarchy.Claim
	}{
		{"its own", map[string]string{hierarchy.LabelImage: "base:latest", hierarchy.LabelConfig: "/a.yaml"}, true, hierarchy.Owned},
		{"built FROM one", map[string]string{hierarchy.LabelImage: "base:latest", hierarchy.LabelConfig: "/a.yaml"}, false, hierarchy.Unowned},
		{"without labels", nil, true, hierarchy.Unowned},
		{"of another config", map[string]string{hierarchy.LabelImage: "base:latest", hierarchy.LabelConfig: "/b.yaml"}, true, hierarchy.OtherConfig},
	} {
		if got := o.Image(hierarchy.StoredImage{Labels: c.labels, Sealed: c.sealed}); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A box that distrobox migrate has recreated is replaced only on request, and is
// ocisi's as a generation.
func TestOwnershipAfterMigrate(t *testing.T) {
	t.Parallel()
	o := hierarchy.Ownership{UID: 1000, Config: "/a.yaml"}
	for _, c := range []struct {
		name, image, uid string
		takeBack, claim  hierarchy.Claim
	}{
		{"go-dx", "localhost/go-dx:migrate-20261201", "1000", hierarchy.Owned, hierarchy.Unowned},
		{"go-dx", "go-dx:migrate-1", "1000", hierarchy.Owned, hierarchy.Unowned},
		{"go-dx.ocisi-old", "go-dx:migrate-1", "1000", hierarchy.Owned, hierarchy.Owned},
		{"go-dx.ocisi-2", "go-dx:migrate-1", "1000", hierarchy.Owned, hierarchy.Owned},
		{"go-dx", "go-dx:migrate-1", "1001", hierarchy.OtherUser, hierarchy.Unowned},
		{"go-dx", "backup:latest", "1000", hierarchy.Unowned, hierarchy.Unowned},
		{"go-dx", "other:migrate-1", "1000", hierarchy.Unowned, hierarchy.Unowned},
		{"mine", "mine:migrate-1", "1000", hierarchy.Unowned, hierarchy.Unowned},
		{"go-dx", "sha256:0123", "1000", hierarchy.Unowned, hierarchy.Unowned},
	} {
		b := hierarchy.StoredBox{Name: c.name, Image: c.image, ImageID: "sha256:2", Labels: map[string]string{
			hierarchy.LabelBox: "go-dx", hierarchy.LabelImageID: "sha256:1", hierarchy.LabelUID: c.uid,
		}}
		if takeBack, claim := o.TakeBack(b), o.Box(b); takeBack != c.takeBack || claim != c.claim {
			t.Errorf("%s of %s: %q and %q, want %q and %q", c.name, c.image, takeBack, claim, c.takeBack, c.claim)
		}
	}
}
