package solver

import (
	"cmp"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
)

// lit is a literal: a package's number when it is installed, negative when it is not.
type lit int

func (l lit) pkg() int {
	if l < 0 {
		return int(-l)
	}
	return int(l)
}

// kind says where a rule comes from.
type kind uint8

const (
	kindJob kind = iota
	kindRequires
	kindConflicts
	kindObsoletes
	kindSameName
	kindInferiorArch
	kindLearnt
)

// rule is a clause: one of its literals is true.
type rule struct {
	lits   []lit
	kind   kind
	rel    nevra.Relation // of requires, conflicts, obsoletes
	owner  int            // the package that has it
	job    string         // the word, of a job
	origin []int          // rules that a learnt one follows from
}

// ruleSet is the clauses for all packages that the jobs can lead to.
type ruleSet struct {
	pool    *pool
	jobs    []job
	rules   []rule // jobs first, then by the first literal: highest package first
	nJobs   int
	nDeps   int             // where the rules of packages end, behind the jobs'
	missing map[string]bool // required files that nobody provides
	seen    []bool
	queue   []int
	weak    bool
}

func newRules(p *pool, jobs []job, weak bool) *ruleSet {
	rs := &ruleSet{pool: p, jobs: jobs, missing: map[string]bool{}, seen: make([]bool, len(p.made)), weak: weak}
	var deps []rule
	for _, j := range jobs {
		r := rule{kind: kindJob, job: j.word}
		for _, id := range j.candidates {
			r.lits = append(r.lits, lit(id))
			if id > 0 {
				rs.reach(id)
			}
		}
		rs.rules = append(rs.rules, r)
	}
	rs.nJobs = len(rs.rules)
	for {
		for len(rs.queue) > 0 {
			id := rs.queue[0]
			rs.queue = rs.queue[1:]
			deps = append(deps, rs.of(id)...)
		}
		if !weak || !rs.reachSupplements() {
			break
		}
	}
	deps = append(deps, rs.sameNames()...)
	rs.rules = append(rs.rules, tidy(deps)...)
	rs.nDeps = len(rs.rules)
	return rs
}

func (rs *ruleSet) reach(id int) {
	if !rs.seen[id] {
		rs.seen[id] = true
		rs.queue = append(rs.queue, id)
	}
}

// reachSupplements adds packages that supplement one that is reached.
func (rs *ruleSet) reachSupplements() bool {
	before := len(rs.queue)
	for _, id := range rs.pool.supplementing() {
		if rs.seen[id] {
			continue
		}
		for _, r := range rs.pool.pkg(id).Supplements {
			if rs.pool.holds(r, func(q int) bool { return rs.seen[q] }) {
				rs.reach(id)
				break
			}
		}
	}
	return len(rs.queue) > before
}

// tidy sorts rules, so that the order does not depend on how they were found, and
// drops those that come twice.
func tidy(rules []rule) []rule {
	slices.SortStableFunc(rules, func(a, b rule) int {
		return slices.CompareFunc(a.lits, b.lits, func(x, y lit) int { return cmp.Compare(x, y) })
	})
	return slices.CompactFunc(rules, func(a, b rule) bool { return slices.Equal(a.lits, b.lits) })
}

// of makes the rules of one package and reaches what they name, and the same version
// of a better architecture.
func (rs *ruleSet) of(id int) []rule {
	p := rs.pool
	k := p.pkg(id)
	var out []rule
	for _, o := range p.named(k.NEVRA.Name) {
		if p.class[o] > 0 && p.class[o] < p.class[id] && nevra.Compare(p.pkg(o).NEVRA.EVR, k.NEVRA.EVR) == 0 {
			rs.reach(o)
		}
	}
	for _, r := range k.Requires {
		if strings.HasPrefix(r.Name, "rpmlib(") {
			continue
		}
		rs.noteFiles(r)
		for _, clause := range p.cnf(r, false) {
			out = rs.require(out, id, r, clause)
		}
	}
	for _, r := range k.Conflicts {
		for _, clause := range p.cnf(r, true) {
			if !slices.Contains(clause, lit(-id)) {
				out = append(out, rule{lits: append([]lit{lit(-id)}, clause...), kind: kindConflicts, rel: r, owner: id})
			}
		}
	}
	for _, r := range k.Obsoletes {
		for _, q := range p.named(r.Name) {
			if q != id && r.Matches(nevra.Relation{Name: r.Name, Flags: nevra.EQ, EVR: p.pkg(q).NEVRA.EVR}) {
				out = append(out, rule{lits: []lit{lit(-id), lit(-q)}, kind: kindObsoletes, rel: r, owner: id})
			}
		}
	}
	if rs.weak {
		for _, r := range k.Recommends {
			for _, clause := range p.cnf(r, false) {
				for _, l := range clause {
					if l > 0 {
						rs.reach(int(l))
					}
				}
			}
		}
	}
	return out
}

// noteFiles notes the paths in a requirement that nobody is known to have.
func (rs *ruleSet) noteFiles(r nevra.Relation) {
	if !strings.Contains(r.Name, "/") {
		return
	}
	if !r.IsRich() {
		if strings.HasPrefix(r.Name, "/") && len(rs.pool.providers(r)) == 0 {
			rs.missing[r.Name] = true
		}
		return
	}
	if rich, err := nevra.ParseRich(r.Name); err == nil {
		rs.noteRichFiles(rich)
	}
}

func (rs *ruleSet) noteRichFiles(r *nevra.Rich) {
	if r.Op == "" {
		rs.noteFiles(r.Leaf)
	}
	for _, o := range r.Operands {
		rs.noteRichFiles(o)
	}
}

// require adds the rule that a package needs one of a clause's literals.
func (rs *ruleSet) require(out []rule, id int, r nevra.Relation, clause []lit) []rule {
	for _, l := range clause {
		if l > 0 {
			rs.reach(int(l))
		}
	}
	if slices.Contains(clause, lit(id)) {
		return out // it provides that itself
	}
	return append(out, rule{lits: append([]lit{lit(-id)}, clause...), kind: kindRequires, rel: r, owner: id})
}

// sameNames makes the rules between packages of one name, of those reached: one
// version of a color, both colors only in the same version, and a worse architecture
// only beside the same version of the best one, when there is a better one.
func (rs *ruleSet) sameNames() []rule {
	p := rs.pool
	explicit := rs.explicitArch()
	var out []rule
	for _, ids := range rs.byName() {
		best := p.bestClass(ids)
		for i, a := range ids {
			if p.inferior(a, best) && !explicit[a] {
				out = append(out, rule{lits: append([]lit{lit(-a)}, p.twins(a, best)...), kind: kindInferiorArch})
			}
			for _, b := range ids[i+1:] {
				differ := p.color[a] != p.color[b] && p.color[a] != 0 && p.color[b] != 0
				if differ && nevra.Compare(p.pkg(a).NEVRA.EVR, p.pkg(b).NEVRA.EVR) == 0 {
					continue
				}
				out = append(out, rule{lits: []lit{lit(-b), lit(-a)}, kind: kindSameName})
			}
		}
	}
	return out
}

// twins are the packages of the same name and version as one of a worse architecture,
// that are noarch or of the best.
func (p *pool) twins(id int, best int8) (out []lit) {
	k := p.pkg(id).NEVRA
	for _, o := range p.named(k.Name) {
		q := p.pkg(o).NEVRA
		if q.Arch != k.Arch && (p.class[o] == 0 || p.class[o] == best) && nevra.Compare(q.EVR, k.EVR) == 0 {
			out = append(out, lit(o))
		}
	}
	return out
}

// explicitArch is the packages of jobs that leave no better architecture: those were
// asked for.
func (rs *ruleSet) explicitArch() map[int]bool {
	out := map[int]bool{}
	for _, j := range rs.jobs {
		best := int8(127)
		for _, id := range j.candidates {
			if id > 0 {
				best = min(best, rs.pool.class[id])
			}
		}
		if best > 1 {
			for _, id := range j.candidates {
				out[max(id, 0)] = true
			}
		}
	}
	return out
}

// byName groups the packages reached by their names, in the order of those.
func (rs *ruleSet) byName() (groups [][]int) {
	var ids []int
	for id, seen := range rs.seen {
		if seen {
			ids = append(ids, id)
		}
	}
	return rs.pool.byNames(ids)
}

// missingFiles lists required paths that no package is known to have.
func (rs *ruleSet) missingFiles() []string {
	out := make([]string, 0, len(rs.missing))
	for f := range rs.missing {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}
