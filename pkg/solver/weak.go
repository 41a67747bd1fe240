package solver

import (
	"slices"

	"github.com/treewright/treewright/pkg/nevra"
)

// weakIndex is what the packages that can be reached recommend and suggest.
type weakIndex struct {
	recommends    map[int][][]lit // clauses, by the package that recommends
	recommendedBy map[int][]int
	suggestedBy   map[int][]int
	supplementing []int // packages that supplement something
}

// weakly returns the index, made when it is first asked for.
func (s *search) weakly() *weakIndex {
	if s.weakIndex != nil {
		return s.weakIndex
	}
	w := &weakIndex{recommends: map[int][][]lit{}, recommendedBy: map[int][]int{}, suggestedBy: map[int][]int{}}
	for id := 1; id < len(s.value); id++ {
		if !s.rules.seen[id] {
			continue
		}
		k := s.pool.pkgs[id]
		for _, r := range k.Recommends {
			w.recommends[id] = append(w.recommends[id], s.pool.cnf(r, false)...)
		}
		index(w.recommendedBy, id, w.recommends[id])
		for _, r := range k.Suggests {
			index(w.suggestedBy, id, s.pool.cnf(r, false))
		}
		if len(k.Supplements) > 0 {
			w.supplementing = append(w.supplementing, id)
		}
	}
	s.weakIndex = w
	return w
}

// index notes by for each package that the clauses name.
func index(m map[int][]int, by int, clauses [][]lit) {
	for _, clause := range clauses {
		for _, l := range clause {
			if l > 0 && !slices.Contains(m[int(l)], by) {
				m[int(l)] = append(m[int(l)], by)
			}
		}
	}
}

// installWeak installs what supplements chosen packages, then what they recommend.
// Recommendations that one package can satisfy come before those that leave a choice;
// of these one is decided at a time, as it may settle others. again is set when
// anything was decided; broken is a rule broken at level 1, or -1.
func (s *search) installWeak() (broken int, again bool) {
	single, several := s.recommendations()
	for _, list := range [][]int{s.supplements(), single} {
		for _, id := range s.pool.bestOfEach(list) {
			if s.value[id] != 0 || !s.wanted(id) {
				continue
			}
			level := s.level()
			if broken := s.decide(id); broken >= 0 || s.level() <= level {
				return broken, true
			}
			again = true
		}
	}
	if again || len(several) == 0 {
		return -1, again
	}
	var all []int
	for _, c := range several {
		all = append(all, c...)
	}
	slices.Sort(all)
	first := s.pool.bestOfEach(slices.Compact(all))[0]
	i := slices.IndexFunc(several, func(c []int) bool { return slices.Contains(c, first) })
	rest := slices.DeleteFunc(slices.Clone(several[i]), func(id int) bool { return id == first })
	s.branches = append(s.branches, branch{s.level(), rest})
	return s.decide(first), true
}

// supplements lists the open packages that supplement chosen ones.
func (s *search) supplements() (out []int) {
	for _, id := range s.weakly().supplementing {
		if s.value[id] == 0 && s.supplementing(id) {
			out = append(out, id)
		}
	}
	return out
}

func (s *search) supplementing(id int) bool {
	return slices.ContainsFunc(s.pool.pkgs[id].Supplements, func(r nevra.Relation) bool { return s.pool.holds(r, s.isInstalled) })
}

// recommendations lists the packages that alone can satisfy an open recommendation of
// a chosen one, and the candidates of those that several can satisfy.
func (s *search) recommendations() (single []int, several [][]int) {
	for _, l := range s.trail {
		if l < 0 {
			continue
		}
		for _, clause := range s.weakly().recommends[int(l)] {
			open := s.openOf(clause)
			if len(open) > 1 {
				open = s.pool.bestOfEach(open)
			}
			switch len(open) {
			case 0:
			case 1:
				single = append(single, open[0])
			default:
				several = append(several, open)
			}
		}
	}
	slices.Sort(single)
	return slices.Compact(single), several
}

// wanted tells whether a chosen package still lacks what it recommends and id is, or
// whether id supplements one.
func (s *search) wanted(id int) bool {
	for _, k := range s.weakly().recommendedBy[id] {
		if !s.isInstalled(k) {
			continue
		}
		for _, clause := range s.weakly().recommends[k] {
			if slices.Contains(s.openOf(clause), id) {
				return true
			}
		}
	}
	return s.supplementing(id)
}

// openOf returns the open packages of a clause that is not satisfied and whose
// conditions hold.
func (s *search) openOf(clause []lit) (out []int) {
	for _, l := range clause {
		switch {
		case s.isTrue(l), l < 0 && !s.isFalse(l):
			return nil
		case l > 0 && s.value[l] == 0:
			out = append(out, int(l))
		}
	}
	return out
}

// bestOfEach keeps, of packages that have nothing to do with each other, those of the
// best repository for each name, of the best architecture, and the newest.
func (p *pool) bestOfEach(ids []int) []int {
	priority := map[string]int{}
	class := 1 << 30
	for _, id := range ids {
		k := p.pkgs[id]
		if best, ok := priority[k.NEVRA.Name]; !ok || k.Repo.Priority < best {
			priority[k.NEVRA.Name] = k.Repo.Priority
		}
		class = min(class, p.class[id])
	}
	ids = slices.DeleteFunc(ids, func(id int) bool {
		return p.pkgs[id].Repo.Priority != priority[p.pkgs[id].NEVRA.Name] || p.class[id] != class
	})
	if len(ids) < 2 {
		return ids
	}
	return p.newest(ids)
}

// anyInstalled tells whether one of the packages is chosen.
func (s *search) anyInstalled(ids []int) bool { return slices.ContainsFunc(ids, s.isInstalled) }
