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
		k := s.pool.pkg(id)
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
	supplements := s.supplements()
	open := append(s.recommendedOpen(), supplements...)
	slices.Sort(open)
	open = slices.Compact(open)
	switch len(open) {
	case 0:
		return -1, false
	case 1:
		return s.decide(open[0]), true
	}
	best := map[int]bool{}
	for _, id := range s.pool.best(open) {
		best[id] = true
	}
	chosen := len(s.trail)
	supplements = slices.DeleteFunc(supplements, func(id int) bool { return !best[id] })
	for _, id := range s.pool.reorder(s, supplements) {
		if s.value[id] != 0 {
			continue
		}
		level := s.level()
		if broken := s.decide(id); broken >= 0 || s.level() <= level {
			return broken, true
		}
	}
	return s.installRecommended(slices.Clone(s.trail[:chosen]), best), true
}

// installRecommended goes through packages in the order in which they were chosen,
// and installs what they recommend and best has.
func (s *search) installRecommended(chosen []lit, best map[int]bool) (broken int) {
	for _, l := range chosen {
		if l < 0 {
			continue
		}
		for _, clause := range s.weakly().recommends[int(l)] {
			open := slices.DeleteFunc(s.openOf(clause), func(id int) bool { return !best[id] })
			if len(open) == 0 {
				continue
			}
			level := s.level()
			if broken := s.choose(s.pool.filter(s, open)); broken >= 0 || s.level() <= level {
				return broken
			}
		}
	}
	return -1
}

// supplements lists the open packages that supplement chosen ones, but for those of
// another architecture than the chosen one of the name.
func (s *search) supplements() (out []int) {
	for _, id := range s.weakly().supplementing {
		k := s.pool.pkg(id).NEVRA
		other := func(o int) bool { return s.isInstalled(o) && s.pool.pkg(o).NEVRA.Arch != k.Arch }
		if s.value[id] == 0 && s.supplementing(id) && !slices.ContainsFunc(s.pool.named(k.Name), other) {
			out = append(out, id)
		}
	}
	return out
}

func (s *search) supplementing(id int) bool {
	return slices.ContainsFunc(s.pool.pkg(id).Supplements, func(r nevra.Relation) bool { return s.pool.holds(r, s.isInstalled) })
}

// isRecommended tells whether a chosen package recommends id, or id supplements one.
func (s *search) isRecommended(id int) bool {
	return s.anyInstalled(s.weakly().recommendedBy[id]) || s.supplementing(id)
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

// anyInstalled tells whether one of the packages is chosen.
func (s *search) anyInstalled(ids []int) bool { return slices.ContainsFunc(ids, s.isInstalled) }
