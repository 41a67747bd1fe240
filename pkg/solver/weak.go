package solver

import "slices"

// nextWeak installs one package that a chosen one recommends, or that supplements the
// chosen ones; nil when none is left.
func (s *search) nextWeak() func() int {
	candidates := s.recommendedOpen()
	for id := 1; id < len(s.value); id++ {
		if s.value[id] != 0 || !s.rules.seen[id] {
			continue
		}
		for _, r := range s.pool.pkgs[id].Supplements {
			if s.pool.holds(r, s.isInstalled) {
				candidates = append(candidates, id)
				break
			}
		}
	}
	slices.Sort(candidates)
	candidates = slices.Compact(candidates)
	if len(candidates) == 0 {
		return nil
	}
	id := s.pool.best(candidates)[0]
	return func() int { return s.decide(id) }
}

// recommendedOpen lists the open packages of recommendations that are not satisfied.
func (s *search) recommendedOpen() (out []int) {
	for _, l := range s.trail {
		if l < 0 {
			continue
		}
		for _, r := range s.pool.pkgs[l].Recommends {
			for _, clause := range s.pool.cnf(r, false) {
				out = append(out, s.openOf(clause)...)
			}
		}
	}
	return out
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
