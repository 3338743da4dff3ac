package hierarchy

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// managers decodes one manager, or a list of them: the first builds, the others
// get copies.
func (d *decoder) managers(builds *Manager, also *[]Manager) func(ast.Node) {
	one := d.manager(builds)
	return func(n ast.Node) {
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			one(n)
			return
		}
		var all []Manager
		for _, v := range list.Values {
			var m Manager
			v = d.resolve(v)
			switch d.manager(&m)(v); {
			case m == "":
			case slices.Contains(all, m):
				d.fail(v, "manager "+string(m)+" is listed twice", "name each once: the first builds, the others get copies")
			default:
				all = append(all, m)
			}
		}
		if len(list.Values) == 0 {
			d.fail(n, "manager is an empty list", "write docker, podman or [docker, podman]")
		}
		if len(all) > 0 {
			*builds, *also = all[0], all[1:]
		}
	}
}

// checkCopies reports copies whose name another image of the config holds in the
// same store.
func (r *resolver) checkCopies() {
	taken := map[Key]Position{}
	for key, at := range r.byKey {
		taken[key] = r.nodes[at].entry.at("name")
	}
	for i := range r.nodes {
		n := &r.nodes[i]
		for _, m := range n.image.Also {
			key := r.key(m, n.image.Ref())
			if first, ok := taken[key]; ok {
				r.failAt(n.entry.at("manager"), fmt.Sprintf("%s's copy of %s would take the name of the image in line %d", m, n.image.Ref(), first.Line),
					"give one of them another tag, or leave "+string(m)+" out here")
				continue
			}
			taken[key] = n.entry.at("name")
		}
	}
}
