package solver

import (
	"context"
	"slices"
)

// search finds which packages are installed. Level 1 is what follows from the rules
// alone; each decision opens a level.
type search struct {
	pool     *pool
	rules    *ruleSet
	weak     bool
	value    []int // by package: level when installed, -level when not, 0 open
	reason   []int // by package: the rule that forced it, or -1
	trail    []lit // in the order of deciding
	starts   []int // trail length where level i+1 begins
	head     int   // trail position up to which was propagated
	watches  map[lit][]int
	branches []branch

	weakIndex *weakIndex
}

// branch is a choice among several candidates, which may be made again.
type branch struct {
	level int   // before the choice
	taken []int // candidates that it was made for, one behind the other
	rest  []int // those that it was not made for
}

func newSearch(p *pool, rs *ruleSet, weak bool) *search {
	s := &search{pool: p, rules: rs, weak: weak, value: make([]int, len(p.made)), reason: make([]int, len(p.made)), watches: map[lit][]int{}}
	for i := range rs.rules {
		s.watch(i)
	}
	return s
}

// watch registers a rule under the negation of its first two literals.
func (s *search) watch(i int) {
	l := s.rules.rules[i].lits
	if len(l) > 1 {
		s.watches[-l[0]] = append(s.watches[-l[0]], i)
		s.watches[-l[1]] = append(s.watches[-l[1]], i)
	}
}

func (s *search) level() int { return len(s.starts) }

func (s *search) isTrue(l lit) bool {
	v := s.value[l.pkg()]
	return v != 0 && (v > 0) == (l > 0)
}
func (s *search) isFalse(l lit) bool { return s.isTrue(-l) }

// set makes a literal true at the current level.
func (s *search) set(l lit, reason int) {
	v := s.level()
	if l < 0 {
		v = -v
	}
	s.value[l.pkg()] = v
	s.reason[l.pkg()] = reason
	s.trail = append(s.trail, l)
}

// propagate makes what follows true; it returns a rule that is broken, or -1.
func (s *search) propagate() int {
	for s.head < len(s.trail) {
		l := s.trail[s.head]
		s.head++
		watched := s.watches[l]
		keep := watched[:0]
		for n, i := range watched {
			r := s.rules.rules[i].lits
			if r[0] == -l {
				r[0], r[1] = r[1], r[0]
			}
			if s.isTrue(r[0]) {
				keep = append(keep, i)
				continue
			}
			if k := slices.IndexFunc(r[2:], func(x lit) bool { return !s.isFalse(x) }); k >= 0 {
				r[1], r[2+k] = r[2+k], r[1]
				s.watches[-r[1]] = append(s.watches[-r[1]], i)
				continue
			}
			keep = append(keep, i)
			if s.isFalse(r[0]) {
				s.watches[l] = append(keep, watched[n+1:]...)
				return i
			}
			s.set(r[0], i)
		}
		s.watches[l] = keep
	}
	return -1
}

// backTo undoes all levels above level.
func (s *search) backTo(level int) {
	if s.level() <= level {
		return
	}
	at := s.starts[level]
	for _, l := range s.trail[at:] {
		s.value[l.pkg()] = 0
	}
	s.trail, s.starts, s.head = s.trail[:at], s.starts[:level], at
	for len(s.branches) > 0 && s.branches[len(s.branches)-1].level >= level {
		s.branches = s.branches[:len(s.branches)-1]
	}
}

// begin sets what follows from single-literal rules, at level 1. It returns a broken
// rule, or -1.
func (s *search) begin() int {
	s.starts = append(s.starts, 0)
	for i, r := range s.rules.rules {
		if len(r.lits) == 0 {
			return i
		}
		if len(r.lits) > 1 || s.isTrue(r.lits[0]) {
			continue
		}
		if s.isFalse(r.lits[0]) {
			return i
		}
		s.set(r.lits[0], i)
	}
	return s.propagate()
}

// decide installs a package at a new level and learns from conflicts. It returns a
// rule that is broken at level 1, or -1.
func (s *search) decide(id int) int {
	s.starts = append(s.starts, len(s.trail))
	s.set(lit(id), -1)
	for {
		broken := s.propagate()
		if broken < 0 {
			return -1
		}
		if s.level() == 1 {
			return broken
		}
		s.learn(broken)
	}
}

// learn makes a rule of a conflict, goes back to where it forces something, and sets
// that.
func (s *search) learn(broken int) {
	seen := make(map[int]bool)
	learnt := rule{kind: kindLearnt, origin: []int{broken}}
	var below []lit
	open, back := 0, 1
	look := func(i int, except lit) {
		for _, l := range s.rules.rules[i].lits {
			if l == except || seen[l.pkg()] {
				continue
			}
			seen[l.pkg()] = true
			switch lv := abs(s.value[l.pkg()]); {
			case lv == s.level():
				open++
			case lv == 1: // follows from the rules alone
				learnt.origin = append(learnt.origin, s.whyLevel1(l.pkg(), seen)...)
			default:
				below = append(below, l)
				back = max(back, lv)
			}
		}
	}
	look(broken, 0)
	var uip lit
	for at := len(s.trail) - 1; ; at-- {
		l := s.trail[at]
		if !seen[l.pkg()] {
			continue
		}
		if open--; open == 0 {
			uip = l
			break
		}
		learnt.origin = append(learnt.origin, s.reason[l.pkg()])
		look(s.reason[l.pkg()], l)
	}
	// The two watched literals: the forced one, and one of the level gone back to.
	slices.SortStableFunc(below, func(a, b lit) int { return abs(s.value[b.pkg()]) - abs(s.value[a.pkg()]) })
	learnt.lits = append([]lit{-uip}, below...)
	s.rules.rules = append(s.rules.rules, learnt)
	i := len(s.rules.rules) - 1
	s.watch(i)
	s.backTo(back)
	s.set(-uip, i)
}

// whyLevel1 lists the rules behind something that holds at level 1.
func (s *search) whyLevel1(id int, seen map[int]bool) []int {
	r := s.reason[id]
	if r < 0 {
		return nil
	}
	out := []int{r}
	for _, l := range s.rules.rules[r].lits {
		if l.pkg() != id && !seen[l.pkg()] {
			seen[l.pkg()] = true
			out = append(out, s.whyLevel1(l.pkg(), seen)...)
		}
	}
	return out
}

func abs(n int) int { return max(n, -n) }

// run searches until nothing is open that must be decided. Each stage tells whether it
// decided anything; behind one that did, the first begins again.
func (s *search) run(ctx context.Context) error {
	stages := []func() (broken int, again bool){s.installJobs, s.installDependencies}
	if s.weak {
		stages = append(stages, s.installWeak)
	}
	stages = append(stages, s.minimise)
	broken := s.begin()
	for broken < 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		again := false
		for _, stage := range stages {
			if broken, again = stage(); again || broken >= 0 {
				break
			}
		}
		if !again && broken < 0 {
			return nil
		}
	}
	return s.unsolvable(broken)
}

// choose decides for the best of candidates and remembers the others.
func (s *search) choose(candidates []int) int {
	best := s.pool.reorder(s, candidates)
	if len(best) > 1 {
		s.branches = append(s.branches, branch{s.level(), best[:1:1], slices.Clone(best[1:])})
	}
	return s.decide(best[0])
}

// candidates returns the open packages of a rule that is not satisfied yet and whose
// negative literals are all false; nil for others.
func (s *search) candidates(i int) []int {
	var out []int
	for _, l := range s.rules.rules[i].lits {
		switch {
		case s.isTrue(l):
			return nil
		case l < 0 && !s.isFalse(l):
			return nil
		case l > 0 && !s.isFalse(l):
			out = append(out, int(l))
		}
	}
	slices.Sort(out)
	return out
}

// installJobs decides the jobs that are open, in their order.
func (s *search) installJobs() (broken int, again bool) {
	for i := range s.rules.nJobs {
		if c := s.candidates(i); len(c) > 0 {
			return s.choose(s.pool.filter(s, c)), true
		}
	}
	return -1, false
}

// installDependencies goes round the dependencies until none is open. Those for which
// policy leaves one candidate are decided when they are met; a choice among several
// is put off until a whole round has found no such one, and then those that are met
// are decided, too. again is set when a conflict led back behind where it began.
func (s *search) installDependencies() (broken int, again bool) {
	first, start := s.rules.nJobs, s.level()
	postponed, eager := -1, false
	for i, idle := first, 0; ; i, idle = i+1, idle+1 {
		end := len(s.rules.rules)
		if idle >= end-first {
			if eager || postponed < 0 {
				return -1, false
			}
			i, idle, eager = postponed, 0, true
		}
		if i >= end {
			i = first
		}
		c := s.candidates(i)
		if len(c) == 0 {
			continue
		}
		c = s.pool.filter(s, c)
		if len(c) > 1 && !eager {
			if postponed < 0 {
				postponed = i
			}
			continue
		}
		if broken := s.choose(c); broken >= 0 || s.level() < start {
			return broken, true
		}
		idle = -1
	}
}

// minimise looks for the earliest choice that is better made another way: with a
// candidate that got installed all the same later on, or, when the one taken is not
// recommended, with one that is. It makes that choice again.
func (s *search) minimise() (broken int, again bool) {
	for _, br := range s.branches {
		n := slices.IndexFunc(br.rest, func(id int) bool { return s.value[id] > br.level })
		if n < 0 {
			n = s.recommendedInstead(br)
		}
		if n < 0 {
			continue
		}
		id := br.rest[n]
		next := branch{br.level, append(slices.Clone(br.taken), id), slices.Delete(slices.Clone(br.rest), n, n+1)}
		s.backTo(br.level)
		s.branches = append(s.branches, next)
		return s.decide(id), true
	}
	return -1, false
}

// recommendedInstead is the place of a candidate that is recommended and was not
// taken, when the one taken is not; -1 if there is none.
func (s *search) recommendedInstead(br branch) int {
	n := slices.IndexFunc(br.rest, s.isRecommended)
	plain := func(id int) bool { return s.value[id] == br.level+1 && !s.isRecommended(id) }
	if n < 0 || !slices.ContainsFunc(br.taken, plain) {
		return -1
	}
	return n
}

// installed lists the chosen packages by number.
func (s *search) installed() (out []int) {
	for id, v := range s.value {
		if v > 0 {
			out = append(out, id)
		}
	}
	return out
}

func (s *search) isInstalled(id int) bool { return s.value[id] > 0 }
