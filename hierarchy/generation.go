package hierarchy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Aside ends the name of a box that waits for its successor to work. A run that
// was killed leaves it there.
const Aside = ".ocisi-old"

// back and generation come between the name of a box and the number of a
// generation: of a box that waits while the generation is brought back, and of
// the generation itself.
const (
	back       = ".ocisi-back-"
	generation = ".ocisi-"
)

// AsideFor returns the name under which a box waits while its n-th generation is
// brought back. It is another one than Aside, and has the number, so that the
// next run knows what a run that was killed was about.
func AsideFor(box string, n int) string { return box + back + strconv.Itoa(n) }

// KeptAs returns the name under which the n-th generation of a box is kept: the
// box that was replaced or rolled back, stopped. Later ones have higher numbers;
// the first is 1.
func KeptAs(box string, n int) string { return box + generation + strconv.Itoa(n) }

// Role is what a container is to the box whose name its label has. A label is
// inherited by clones and stays when somebody renames a box: both are the
// user's, and no role of ours.
type Role string

// The roles.
const (
	NoRole  Role = ""        // not made by ocisi, or no longer its
	Current Role = "current" // has the box's name
	Waiting Role = "waiting" // aside: a replacement or a rollback did not come to its end
	Kept    Role = "kept"    // a generation
)

// Role returns the box that a container belongs to, what it is to it, and a
// number: that of a generation, and of a box that waits the generation that is
// being brought back; 0 when it waits for a new box.
func (b StoredBox) Role() (box string, role Role, n int) {
	box = b.Labels[LabelBox]
	rest, ok := strings.CutPrefix(b.Name, box)
	switch {
	case box == "" || !ok:
		return "", NoRole, 0
	case rest == "":
		return box, Current, 0
	case rest == Aside:
		return box, Waiting, 0
	}
	for _, r := range []struct {
		prefix string
		role   Role
	}{{back, Waiting}, {generation, Kept}} {
		number, ok := strings.CutPrefix(rest, r.prefix)
		if n, err := strconv.Atoi(number); ok && err == nil && n > 0 && strconv.Itoa(n) == number {
			return box, r.role, n
		}
	}
	return "", NoRole, 0
}

// Generations returns those boxes of a list that are generations of a box, the
// latest first.
func Generations(boxes []StoredBox, box string) []StoredBox {
	number := func(b StoredBox) int {
		if of, role, n := b.Role(); of == box && role == Kept {
			return n
		}
		return 0
	}
	found := slices.DeleteFunc(slices.Clone(boxes), func(b StoredBox) bool { return number(b) == 0 })
	slices.SortFunc(found, func(a, b StoredBox) int { return cmp.Compare(number(b), number(a)) })
	return found
}
