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

// installWeak installs what supplements chosen packages, then what they recommend, of
// each name the best there is when the round begins. again is set when anything was
// decided; broken is a rule broken at level 1, or -1.
func (s *search) installWeak() (broken int, again bool) {
	for _, id := range s.pool.bestOfEach(s.supplements()) {
		if s.value[id] != 0 || !s.supplementing(id) {
			continue
		}
		level := s.level()
		if broken := s.decide(id); broken >= 0 || s.level() <= level {
			return broken, true
		}
		again = true
	}
	return s.installRecommended(again)
}

// installRecommended goes through the chosen packages in the order in which they were
// chosen. Of one package the recommendations that one package can satisfy come before
// those that leave a choice, which one of the others may settle.
func (s *search) installRecommended(again bool) (int, bool) {
	best := map[int]bool{}
	for _, id := range s.pool.bestOfEach(s.recommendedOpen()) {
		best[id] = true
	}
	if len(best) == 0 {
		return -1, again
	}
	for _, l := range slices.Clone(s.trail) {
		if l < 0 {
			continue
		}
		for _, several := range []bool{false, true} {
			for _, clause := range s.weakly().recommends[int(l)] {
				open := slices.DeleteFunc(s.openOf(clause), func(id int) bool { return !best[id] })
				if len(open) > 1 {
					open = s.pool.bestOfEach(open)
				}
				if len(open) == 0 || (len(open) > 1) != several {
					continue
				}
				level := s.level()
				if broken := s.choose(open); broken >= 0 || s.level() <= level {
					return broken, true
				}
				again = true
			}
		}
	}
	return -1, again
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

// recommendedOpen lists the open packages of recommendations that are not satisfied.
func (s *search) recommendedOpen() (out []int) {
	for _, l := range s.trail {
		if l > 0 {
			for _, clause := range s.weakly().recommends[int(l)] {
				out = append(out, s.openOf(clause)...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
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
