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

// generation comes between the name of a box and the number of a generation.
const generation = ".ocisi-"

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
	Waiting Role = "waiting" // aside: a replacement did not come to its end
	Kept    Role = "kept"    // a generation
)

// Role returns the box that a container belongs to, what it is to it, and of a
// generation its number.
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
	number, ok := strings.CutPrefix(rest, generation)
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 || strconv.Itoa(n) != number {
		return "", NoRole, 0
	}
	return box, Kept, n
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
