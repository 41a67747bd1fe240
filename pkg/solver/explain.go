package solver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
)

// maxProblems bounds how many independent problems are told.
const maxProblems = 5

// unsolvable explains a conflict at level 1, then leaves one of its jobs out and looks
// for further problems.
func (s *search) unsolvable(broken int) error {
	out := &Unsolvable{}
	jobs := slices.Clone(s.rules.jobs)
	for cur := s; len(out.Problems) < maxProblems; {
		proof := cur.proof(broken)
		out.Problems = append(out.Problems, cur.sentences(proof))
		var words []string
		for _, i := range proof {
			if r := cur.rules.rules[i]; r.kind == kindJob {
				words = append(words, r.job)
			}
		}
		if len(words) == 0 {
			break
		}
		jobs = slices.DeleteFunc(jobs, func(j job) bool { return j.word == words[len(words)-1] })
		cur = newSearch(s.pool, newRules(s.pool, jobs, false), false)
		if broken = cur.probe(); broken < 0 {
			break
		}
	}
	return out
}

// probe searches without weak dependencies and returns a rule broken at level 1, or
// -1 when there is a solution.
func (s *search) probe() int {
	broken := s.begin()
	for again := true; broken < 0 && again; {
		if broken, again = s.installJobs(); broken < 0 && !again {
			broken, again = s.installDependencies()
		}
	}
	return broken
}

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

// sentences tells a proof: the jobs first, then the rules in the order in which they
// follow from them.
func (s *search) sentences(proof []int) []string {
	var out []string
	told := map[string]bool{}
	say := func(t string) {
		if !told[t] {
			told[t] = true
			out = append(out, t)
		}
	}
	reached := map[int]bool{}
	left := slices.Clone(proof)
	for len(left) > 0 {
		// Next is a rule whose package has been named already, or the first one.
		n := slices.IndexFunc(left, func(i int) bool {
			r := s.rules.rules[i]
			return r.kind == kindJob || len(r.lits) > 0 && reached[r.lits[0].pkg()]
		})
		n = max(n, 0)
		r := s.rules.rules[left[n]]
		left = slices.Delete(left, n, n+1)
		for _, l := range r.lits {
			reached[l.pkg()] = true
		}
		say(s.sentence(r))
	}
	return out
}

func (s *search) name(l lit) string { return s.pool.pkg(l.pkg()).NEVRA.String() }

// sentence tells one rule in words that users of dnf know.
func (s *search) sentence(r rule) string {
	negative := slices.DeleteFunc(slices.Clone(r.lits), func(l lit) bool { return l > 0 })
	slices.Sort(negative)
	switch r.kind {
	case kindJob:
		return r.job + " is asked for"
	case kindRequires:
		return s.requires(r)
	case kindConflicts:
		other := negative[len(negative)-1]
		if len(negative) > 1 {
			owner := s.owner(r, negative)
			for _, l := range negative {
				if l != owner {
					other = l
				}
			}
			return fmt.Sprintf("%s conflicts with %s provided by %s", s.name(owner), r.rel, s.name(other))
		}
		return fmt.Sprintf("%s conflicts with %s", s.name(other), r.rel)
	case kindObsoletes:
		owner := s.owner(r, negative)
		for _, l := range negative {
			if l != owner {
				return fmt.Sprintf("%s obsoletes %s provided by %s", s.name(owner), r.rel, s.name(l))
			}
		}
	case kindSameName:
		return fmt.Sprintf("cannot install both %s and %s", s.name(negative[0]), s.name(negative[len(negative)-1]))
	case kindInferiorArch:
		return s.name(r.lits[0]) + " has inferior architecture"
	}
	return "conflicting requests"
}

// owner finds the package whose relation a rule is.
func (s *search) owner(r rule, lits []lit) lit {
	for _, l := range lits {
		k := s.pool.pkg(l.pkg())
		list := k.Conflicts
		if r.kind == kindObsoletes {
			list = k.Obsoletes
		}
		if r.kind == kindRequires {
			list = k.Requires
		}
		if slices.Contains(list, r.rel) {
			return l
		}
	}
	return lits[0]
}

// requires tells a requirement, and what would satisfy it.
func (s *search) requires(r rule) string {
	var owner lit
	var candidates []string
	for _, l := range r.lits {
		if l > 0 {
			candidates = append(candidates, s.name(l))
		}
	}
	negative := slices.DeleteFunc(slices.Clone(r.lits), func(l lit) bool { return l > 0 })
	owner = s.owner(r, negative)
	if len(candidates) > 0 {
		return fmt.Sprintf("%s requires %s, but none of the providers can be installed (%s)", s.name(owner), r.rel, strings.Join(candidates[:min(3, len(candidates))], ", "))
	}
	text := fmt.Sprintf("nothing provides %s needed by %s", r.rel, s.name(owner))
	if h := s.pool.hiddenProviders(r.rel); len(h) > 0 {
		return text + ": " + h[0].pkg.NEVRA.String() + " is hidden: " + h[0].why
	}
	if best := s.bestOther(r.rel); best != "" {
		return text + "; the best there is: " + best
	}
	return text
}

// bestOther names the highest version of a capability that is there, when a relation
// asks for another one.
func (s *search) bestOther(r nevra.Relation) string {
	best := 0
	var evr nevra.EVR
	for _, v := range s.pool.providing(r.Name) {
		if best == 0 || nevra.Compare(v.rel.EVR, evr) > 0 {
			best, evr = v.id, v.rel.EVR
		}
	}
	if best == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s)", s.pool.pkg(best).NEVRA, s.pool.pkg(best).Repo.ID)
}
