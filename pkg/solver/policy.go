package solver

import (
	"cmp"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
)

// filter keeps the candidates that policy wants: of the best repositories, the best
// architecture, the newest version of each name, none that another one obsoletes,
// and of those the recommended ones when there are any.
func (p *pool) filter(s *search, ids []int) []int {
	ids = p.best(slices.Clone(ids))
	if len(ids) > 1 {
		if r := p.recommended(s, ids); len(r) > 0 {
			ids = r
		}
	}
	return ids
}

// best applies the rules that do not depend on what is installed.
func (p *pool) best(ids []int) []int {
	if len(ids) > 1 {
		prio := slices.MinFunc(ids, func(a, b int) int { return cmp.Compare(p.pkgs[a].Repo.Priority, p.pkgs[b].Repo.Priority) })
		ids = slices.DeleteFunc(ids, func(id int) bool { return p.pkgs[id].Repo.Priority != p.pkgs[prio].Repo.Priority })
	}
	if len(ids) > 1 {
		arch := slices.MinFunc(ids, func(a, b int) int { return cmp.Compare(p.class[a], p.class[b]) })
		class := p.class[arch]
		ids = slices.DeleteFunc(ids, func(id int) bool { return p.class[id] != class })
	}
	if len(ids) > 1 {
		ids = p.newest(ids)
	}
	return ids
}

// newest sorts by name, keeps the highest version of each, and drops those that
// another one obsoletes.
func (p *pool) newest(ids []int) []int {
	slices.SortStableFunc(ids, func(a, b int) int {
		x, y := p.pkgs[a], p.pkgs[b]
		return cmp.Or(strings.Compare(x.NEVRA.Name, y.NEVRA.Name), nevra.Compare(y.NEVRA.EVR, x.NEVRA.EVR),
			cmp.Compare(p.class[a], p.class[b]), cmp.Compare(x.Repo.Cost, y.Repo.Cost), cmp.Compare(a, b))
	})
	ids = slices.CompactFunc(ids, func(a, b int) bool { return p.pkgs[a].NEVRA.Name == p.pkgs[b].NEVRA.Name })
	var out []int
	for _, a := range ids {
		gone := slices.ContainsFunc(ids, func(b int) bool { return a != b && p.obsoletes(b, a) && !p.obsoletes(a, b) })
		if !gone {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return ids
	}
	return out
}

func (p *pool) obsoletes(a, b int) bool {
	n := p.pkgs[b].NEVRA
	return slices.ContainsFunc(p.pkgs[a].Obsoletes, func(r nevra.Relation) bool {
		return r.Name == n.Name && r.Matches(nevra.Relation{Name: n.Name, Flags: nevra.EQ, EVR: n.EVR})
	})
}

// recommended keeps the candidates that a chosen package recommends, or that
// supplement the chosen ones.
func (p *pool) recommended(s *search, ids []int) (out []int) {
	for _, id := range ids {
		if s.anyInstalled(s.weakly().recommendedBy[id]) || s.supplementing(id) {
			out = append(out, id)
		}
	}
	return out
}

// reorder puts the candidates of a real choice in the order of preference: not those
// of which there is a newer version; those with the higher versions of what they
// provide in common; those that a chosen package suggests, or that enhance one.
func (p *pool) reorder(s *search, ids []int) []int {
	if len(ids) < 2 {
		return ids
	}
	ids = slices.Clone(ids)
	malus := p.commonMalus(ids)
	old := map[int]bool{}
	for _, id := range ids {
		old[id] = p.hasNewer(id)
	}
	slices.SortStableFunc(ids, func(a, b int) int { return boolCompare(old[a], old[b]) })
	slices.SortStableFunc(ids, func(a, b int) int { return cmp.Compare(malus[a], malus[b]) })
	suggested := map[int]bool{}
	for _, id := range ids {
		suggested[id] = s.anyInstalled(s.weakly().suggestedBy[id])
		if slices.ContainsFunc(p.pkgs[id].Enhances, func(r nevra.Relation) bool { return p.holds(r, s.isInstalled) }) {
			suggested[id] = true
		}
	}
	slices.SortStableFunc(ids, func(a, b int) int { return boolCompare(suggested[b], suggested[a]) })
	return ids
}

// boolCompare puts false before true.
func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// hasNewer tells whether the pool has a newer version of a package.
func (p *pool) hasNewer(id int) bool {
	return slices.ContainsFunc(p.byName[p.pkgs[id].NEVRA.Name], func(o int) bool {
		return o != id && p.class[o] <= p.class[id] && nevra.Compare(p.pkgs[o].NEVRA.EVR, p.pkgs[id].NEVRA.EVR) > 0
	})
}

// commonMalus counts, for each candidate, the names that it provides in a lower
// version than another candidate does.
func (p *pool) commonMalus(ids []int) map[int]int {
	type version struct {
		id  int
		evr nevra.EVR
	}
	byName := map[string][]version{}
	for _, id := range ids {
		for _, r := range p.pkgs[id].Provides {
			if r.Flags == nevra.EQ && !looksLikeHash(r.EVR.Version) {
				byName[r.Name] = append(byName[r.Name], version{id, r.EVR})
			}
		}
	}
	malus := map[int]int{}
	for _, list := range byName {
		for _, a := range list {
			if slices.ContainsFunc(list, func(b version) bool { return b.id != a.id && nevra.Compare(b.evr, a.evr) > 0 }) {
				malus[a.id]++
			}
		}
	}
	return malus
}

// looksLikeHash tells versions that have no order.
func looksLikeHash(v string) bool {
	return len(v) >= 32 && strings.Trim(v, "0123456789abcdef") == ""
}
