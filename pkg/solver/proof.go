package solver

import "slices"

// proof is the smallest set of original rules that we find that cannot hold together.
func (s *search) proof(broken int) []int {
	seen := map[int]bool{}
	var rules []int
	var add func(i int)
	pkgs := map[int]bool{}
	add = func(i int) {
		if i < 0 || seen[i] {
			return
		}
		seen[i] = true
		r := s.rules.rules[i]
		if r.kind == kindLearnt {
			for _, o := range r.origin {
				add(o)
			}
		} else {
			rules = append(rules, i)
		}
		for _, l := range r.lits {
			if !pkgs[l.pkg()] && s.value[l.pkg()] != 0 {
				pkgs[l.pkg()] = true
				add(s.reason[l.pkg()])
			}
		}
	}
	add(broken)
	return s.shrink(rules)
}

// shrink leaves out each rule without which the others still cannot hold together.
// Rules of packages far from the jobs are tried first.
func (s *search) shrink(rules []int) []int {
	slices.Sort(rules)
	for n := len(rules) - 1; n >= 0; n-- {
		without := slices.Delete(slices.Clone(rules), n, n+1)
		if !s.satisfiable(without) {
			rules = without
		}
	}
	return rules
}

// satisfiable tries a few rules on their own.
func (s *search) satisfiable(rules []int) bool {
	sub := &ruleSet{pool: s.pool}
	for _, i := range rules {
		r := s.rules.rules[i]
		r.lits = slices.Clone(r.lits)
		sub.rules = append(sub.rules, r)
	}
	sub.nJobs = 0
	t := newSearch(s.pool, sub, false)
	if t.begin() >= 0 {
		return false
	}
	for {
		open := -1
		for i := range sub.rules {
			if sub.rules[i].kind != kindLearnt && !slices.ContainsFunc(sub.rules[i].lits, t.isTrue) {
				open = i
				break
			}
		}
		if open < 0 {
			return true
		}
		l := sub.rules[open].lits[slices.IndexFunc(sub.rules[open].lits, func(l lit) bool { return !t.isFalse(l) })]
		if broken := t.decideLit(l); broken >= 0 {
			return false
		}
	}
}

// decideLit is decide for any literal.
func (s *search) decideLit(l lit) int {
	s.starts = append(s.starts, len(s.trail))
	s.set(l, -1)
	for {
		broken := s.propagate()
		if broken < 0 || s.level() == 1 {
			return broken
		}
		s.learn(broken)
	}
}
