package hierarchy

import "strings"

// MigratedImage returns the name of the image to which distrobox migrate committed
// a box of ocisi, and false if the box was not migrated. Since distrobox 2.0 that
// command commits a box, removes it and creates it again from NAME:migrate-…; the
// labels are inherited. Such a box shares no layer with its image's other boxes
// beyond what it was created from, and [Ownership] does not count it as ocisi's.
//
// images must contain those of the box's store.
func MigratedImage(b StoredBox, images []StoredImage) (string, bool) {
	if _, role, _ := b.Role(); role == NoRole || b.ImageID == "" || b.Labels[LabelImageID] == b.ImageID {
		return "", false
	}
	for _, im := range images {
		if im.ID != b.ImageID {
			continue
		}
		for _, ref := range im.Refs {
			if name := ref[strings.LastIndexByte(ref, '/')+1:]; strings.HasPrefix(name, b.Name+":migrate-") {
				return ref, true
			}
		}
	}
	return "", false
}
