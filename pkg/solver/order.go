package solver

import (
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
)

// order puts packages in install order: what a package requires comes before it; in
// a cycle, what it requires while installing comes first. Ties go by name.
func order(p *pool, ids []int) []*repodata.Package {
	slices.SortFunc(ids, func(a, b int) int {
		if c := strings.Compare(p.pkg(a).NEVRA.Name, p.pkg(b).NEVRA.Name); c != 0 {
			return c
		}
		return a - b
	})
	o := &orderer{p: p, in: map[int]bool{}, state: map[int]int{}}
	for _, id := range ids {
		o.in[id] = true
	}
	for _, id := range ids {
		o.visit(id)
	}
	return o.out
}

// orderer walks requirements depth first; an edge that closes a cycle is left out,
// plain ones before those that are needed while installing.
type orderer struct {
	p     *pool
	in    map[int]bool
	state map[int]int // 1 on the way, 2 done
	out   []*repodata.Package
}

func (o *orderer) visit(id int) {
	if o.state[id] != 0 {
		return
	}
	o.state[id] = 1
	k := o.p.pkg(id)
	for _, pre := range []bool{true, false} {
		for i, r := range k.Requires {
			if k.PreRequires[i] != pre {
				continue
			}
			for _, q := range o.needed(id, r) {
				o.visit(q)
			}
		}
	}
	o.state[id] = 2
	o.out = append(o.out, k)
}

// needed lists the chosen packages that satisfy a relation, by name.
func (o *orderer) needed(id int, r nevra.Relation) (out []int) {
	for _, clause := range o.p.cnf(r, false) {
		for _, l := range clause {
			if l > 0 && o.in[int(l)] && int(l) != id {
				out = append(out, int(l))
			}
		}
	}
	slices.SortFunc(out, func(a, b int) int { return strings.Compare(o.p.pkg(a).NEVRA.Name, o.p.pkg(b).NEVRA.Name) })
	return slices.Compact(out)
}
