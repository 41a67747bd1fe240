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
		prio := slices.MinFunc(ids, func(a, b int) int { return cmp.Compare(p.pkg(a).Repo.Priority, p.pkg(b).Repo.Priority) })
		ids = slices.DeleteFunc(ids, func(id int) bool { return p.pkg(id).Repo.Priority != p.pkg(prio).Repo.Priority })
	}
	if len(ids) > 1 {
		class := p.bestClass(ids)
		ids = slices.DeleteFunc(ids, func(id int) bool { return p.inferior(id, class) })
	}
	if len(ids) > 1 {
		ids = p.newest(ids)
	}
	return ids
}

// newest sorts by name, keeps the highest version of each, and drops those that
// another one obsoletes. Of two with the same version the better architecture wins,
// noarch left aside, then the cheaper repository, then the one that came first.
func (p *pool) newest(ids []int) []int {
	slices.SortStableFunc(ids, func(a, b int) int {
		x, y := p.pkg(a), p.pkg(b)
		arch := 0
		if p.class[a] != 0 && p.class[b] != 0 {
			arch = cmp.Compare(p.class[a], p.class[b])
		}
		return cmp.Or(strings.Compare(x.NEVRA.Name, y.NEVRA.Name), arch, cmp.Compare(x.Repo.Cost, y.Repo.Cost), cmp.Compare(a, b))
	})
	best := ids[:0]
	for _, id := range ids {
		last := len(best) - 1
		switch {
		case last < 0 || p.pkg(best[last]).NEVRA.Name != p.pkg(id).NEVRA.Name:
			best = append(best, id)
		case nevra.Compare(p.pkg(best[last]).NEVRA.EVR, p.pkg(id).NEVRA.EVR) < 0:
			best[last] = id
		}
	}
	var out []int
	for _, a := range best {
		gone := slices.ContainsFunc(best, func(b int) bool { return a != b && p.obsoletes(b, a) && !p.obsoletes(a, b) })
		if !gone {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return best
	}
	return out
}

func (p *pool) obsoletes(a, b int) bool {
	n := p.pkg(b).NEVRA
	return slices.ContainsFunc(p.pkg(a).Obsoletes, func(r nevra.Relation) bool {
		return r.Name == n.Name && r.Matches(nevra.Relation{Name: n.Name, Flags: nevra.EQ, EVR: n.EVR})
	})
}

// recommended keeps the candidates that a chosen package recommends, or that
// supplement the chosen ones.
func (p *pool) recommended(s *search, ids []int) (out []int) {
	for _, id := range ids {
		if s.isRecommended(id) {
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
		if slices.ContainsFunc(p.pkg(id).Enhances, func(r nevra.Relation) bool { return p.holds(r, s.isInstalled) }) {
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

// hasNewer tells whether the pool has the package in a newer version, or in a better
// repository.
func (p *pool) hasNewer(id int) bool {
	k := p.pkg(id)
	return slices.ContainsFunc(p.named(k.NEVRA.Name), func(o int) bool {
		q := p.pkg(o)
		if o == id || q.NEVRA.Arch != k.NEVRA.Arch {
			return false
		}
		if c := cmp.Compare(q.Repo.Priority, k.Repo.Priority); c != 0 {
			return c < 0
		}
		return nevra.Compare(q.NEVRA.EVR, k.NEVRA.EVR) > 0
	})
}

// commonMalus adds up, for each candidate, how many higher versions there are of each
// name that it provides and others do, too.
func (p *pool) commonMalus(ids []int) map[int]int {
	type version struct {
		id   int
		rel  nevra.Relation
		less bool
	}
	var list []version
	for _, id := range ids {
		for _, r := range p.pkg(id).Provides {
			exact := r.Flags == nevra.EQ && !looksLikeHash(r.EVR)
			if exact || r.Flags == nevra.LT || r.Flags == nevra.LT|nevra.EQ {
				list = append(list, version{id, r, r.Flags == nevra.LT})
			}
		}
	}
	order := func(a, b version) int {
		return cmp.Or(nevra.Compare(b.rel.EVR, a.rel.EVR), boolCompare(a.less, b.less))
	}
	slices.SortStableFunc(list, func(a, b version) int { return cmp.Or(strings.Compare(a.rel.Name, b.rel.Name), order(a, b)) })
	malus := map[int]int{}
	higher := 0
	for i, v := range list {
		switch {
		case i == 0 || list[i-1].rel.Name != v.rel.Name:
			higher = 0
		case list[i-1].id != v.id && order(list[i-1], v) < 0:
			higher++
		}
		malus[v.id] += higher
	}
	return malus
}

// looksLikeHash tells versions that have no order.
func looksLikeHash(e nevra.EVR) bool {
	return e.Epoch == "" && e.Release == "" && len(e.Version) >= 4 && strings.Trim(e.Version, "0123456789abcdef") == ""
}
