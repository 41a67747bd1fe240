package solver

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
)

// Bounds of what is told.
const (
	maxProblems = 5
	maxReasons  = 10 // of one problem
	maxNamed    = 3  // packages in one sentence
)

// Problem is one reason why there is no solution.
type Problem struct {
	Reasons []string         // sentences, each following from those before it
	Help    []string         // what would make it go away: one of these
	Missing []nevra.Relation // what no package provides
	Words   []string         // of the request that take part
}

// Unsolvable is the error for a request that cannot be satisfied. Its problems are
// independent of each other.
type Unsolvable struct{ Problems []Problem }

func (e *Unsolvable) Error() string {
	if len(e.Problems) == 1 && len(e.Problems[0].Reasons) <= 3 {
		return strings.Join(e.Problems[0].Reasons, "; ")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d problem", len(e.Problems))
	if len(e.Problems) > 1 {
		b.WriteByte('s')
	}
	for i, p := range e.Problems {
		b.WriteString("\n")
		for n, r := range p.Reasons {
			if n == 0 {
				fmt.Fprintf(&b, "  %d. %s", i+1, r)
			} else {
				b.WriteString(";\n     " + r)
			}
		}
	}
	return b.String()
}

// unsolvable explains a conflict at level 1, then leaves one of its jobs out and looks
// for further problems. The shortest comes first, then as they were asked for.
func (s *search) unsolvable(broken int) error {
	out := &Unsolvable{}
	jobs := slices.Clone(s.rules.jobs)
	for cur := s; len(out.Problems) < maxProblems; {
		p := cur.problem(cur.proof(broken))
		out.Problems = append(out.Problems, p)
		if len(p.Words) == 0 {
			break
		}
		jobs = slices.DeleteFunc(jobs, func(j job) bool { return j.word == p.Words[len(p.Words)-1] })
		cur = newSearch(s.pool, newRules(s.pool, jobs, false), false)
		if broken = cur.probe(); broken < 0 {
			break
		}
	}
	place := func(p Problem) int {
		return slices.IndexFunc(s.rules.jobs, func(j job) bool { return slices.Contains(p.Words, j.word) })
	}
	slices.SortStableFunc(out.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(len(a.Reasons), len(b.Reasons)), cmp.Compare(place(a), place(b)))
	})
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

// problem tells a proof: the jobs first, and each rule behind those that lead to its
// package.
func (s *search) problem(proof []int) (p Problem) {
	left := slices.Clone(proof)
	reached := map[int]bool{}
	for len(left) > 0 {
		n := slices.IndexFunc(left, func(i int) bool { return s.follows(s.rules.rules[i], reached) })
		n = max(n, 0)
		r := s.rules.rules[left[n]]
		left = slices.Delete(left, n, n+1)
		for _, l := range r.lits {
			if l > 0 {
				reached[l.pkg()] = true
			}
		}
		if r.kind == kindJob && !slices.Contains(p.Words, r.job) {
			p.Words = append(p.Words, r.job)
		}
		if t := s.sentence(r); !slices.Contains(p.Reasons, t) {
			p.Reasons = append(p.Reasons, t)
		}
		s.help(&p, r)
	}
	if more := len(p.Reasons) - maxReasons; more > 1 {
		// The end is what does not fit; the way to it may be cut.
		tail := p.Reasons[len(p.Reasons)-2:]
		p.Reasons = append(append(p.Reasons[:maxReasons-2:maxReasons-2], fmt.Sprintf("and %d more steps", more)), tail...)
	}
	if len(p.Words) > 1 && len(p.Missing) == 0 {
		p.Help = append(p.Help, "leave out "+oneOf(p.Words))
	}
	return p
}

// oneOf lists words: "a, b or c".
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// follows tells whether all packages that a rule is about have been named.
func (s *search) follows(r rule, reached map[int]bool) bool {
	return !slices.ContainsFunc(r.lits, func(l lit) bool { return l < 0 && !reached[l.pkg()] })
}

// help adds what would make a requirement hold that nothing meets.
func (s *search) help(p *Problem, r rule) {
	if r.kind != kindRequires || slices.ContainsFunc(r.lits, func(l lit) bool { return l > 0 }) {
		return
	}
	p.Missing = append(p.Missing, r.rel)
	for i, h := range s.pool.hiddenProviders(r.rel) {
		if i == maxNamed {
			break
		}
		if t := h.help(); t != "" && !slices.Contains(p.Help, t) {
			p.Help = append(p.Help, t)
		}
	}
}

// help says how a package is made visible.
func (h *hidden) help() string {
	name := h.pkg.NEVRA.Name
	switch {
	case strings.HasPrefix(h.why, byModules):
		if _, stream, ok := strings.Cut(h.why, "of module "); ok {
			stream, _, _ = strings.Cut(stream, ",")
			return fmt.Sprintf("turn module %s on: modules: {enable: [%q]} in the treefile", stream, stream)
		}
	case h.why == byExclude:
		return "do not exclude " + name
	case h.why == notLocked, strings.HasPrefix(h.why, lockedName):
		return "update the lock of " + name + ": treewright lock --update TREEFILE " + name
	}
	return ""
}

func (s *search) name(l lit) string { return s.pool.pkg(l.pkg()).NEVRA.String() }

// sentence tells one rule in words that users of dnf know.
func (s *search) sentence(r rule) string {
	switch r.kind {
	case kindJob:
		return s.asked(r)
	case kindRequires:
		return s.requires(r)
	case kindConflicts:
		if other := r.other(); other != 0 {
			return fmt.Sprintf("%s conflicts with %s provided by %s", s.name(lit(r.owner)), r.rel, s.name(other))
		}
		return fmt.Sprintf("%s conflicts with %s", s.name(lit(r.owner)), r.rel)
	case kindObsoletes:
		return fmt.Sprintf("%s obsoletes %s provided by %s", s.name(lit(r.owner)), r.rel, s.name(r.other()))
	case kindSameName:
		return fmt.Sprintf("cannot install both %s and %s", s.name(max(r.lits[0], r.lits[1])), s.name(min(r.lits[0], r.lits[1])))
	case kindInferiorArch:
		return s.name(slices.Min(r.lits)) + " has inferior architecture"
	}
	return "conflicting requests"
}

// other is the package that a rule excludes beside its owner; 0 when there is none.
func (r rule) other() lit {
	for _, l := range r.lits {
		if l < 0 && l.pkg() != r.owner {
			return l
		}
	}
	return 0
}

// asked tells a job; a word that is no package's name, also what it means.
func (s *search) asked(r rule) string {
	var means []string
	for _, l := range r.lits {
		if l > 0 && s.pool.nevra(l.pkg()).Name != r.job {
			means = append(means, s.name(l))
		}
	}
	if means = unique(means); len(means) == 0 || len(means) > maxNamed {
		return r.job + " is asked for"
	}
	return r.job + " is asked for, which is " + oneOf(means)
}

// unique sorts words and leaves each once.
func unique(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// requires tells a requirement, and what would satisfy it.
func (s *search) requires(r rule) string {
	var candidates []string
	for _, l := range r.lits {
		if l > 0 {
			candidates = append(candidates, s.name(l))
		}
	}
	owner := s.name(lit(r.owner))
	if candidates = unique(candidates); len(candidates) > 0 {
		if more := len(candidates) - maxNamed; more > 0 {
			candidates = append(candidates[:maxNamed], fmt.Sprintf("%d more", more))
		}
		return fmt.Sprintf("%s requires %s, but none of the providers can be installed (%s)", owner, r.rel, strings.Join(candidates, ", "))
	}
	text := fmt.Sprintf("nothing provides %s needed by %s", r.rel, owner)
	if h := s.pool.hiddenProviders(r.rel); len(h) > 0 {
		return text + ": " + h[0].pkg.NEVRA.String() + " is hidden: " + h[0].why
	}
	if best := s.pool.bestOther(r.rel.Name); best != "" {
		return text + "; the best there is: " + best
	}
	return text
}

// bestOf is bestOther of a word that is a relation.
func (p *pool) bestOf(word string) string {
	r, err := nevra.ParseRelation(word)
	if err != nil || r.Flags == 0 {
		return ""
	}
	return p.bestOther(r.Name)
}

// bestOther names the highest version of a capability that is there, when another one
// is wanted.
func (p *pool) bestOther(name string) string {
	best := 0
	var evr nevra.EVR
	for _, v := range p.providing(name) {
		if best == 0 || nevra.Compare(v.rel.EVR, evr) > 0 {
			best, evr = v.id, v.rel.EVR
		}
	}
	if best == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s)", p.pkg(best).NEVRA, p.pkg(best).Repo.ID)
}

// allHidden is the problem of a word for which only hidden packages would do.
func (p *pool) allHidden(word string) (Problem, bool) {
	r, err := nevra.ParseRelation(word)
	if err != nil || r.IsRich() {
		return Problem{}, false
	}
	found := p.hiddenProviders(r)
	if h := p.hiddenByName(word); h != nil {
		found = []hidden{*h}
	}
	if len(found) == 0 {
		return Problem{}, false
	}
	h := &found[0]
	out := Problem{Words: []string{word}, Missing: []nevra.Relation{r}}
	text := "every package of that name is hidden: " + h.why
	if h.why == otherArch {
		text = "it is there for " + h.pkg.NEVRA.Arch + " only"
	}
	out.Reasons = []string{word + " is asked for, but " + text}
	if t := h.help(); t != "" {
		out.Help = []string{t}
	}
	return out, true
}
