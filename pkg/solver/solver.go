// Package solver chooses the packages that satisfy a request, as dnf would: the
// answer is the one of libsolv's policy, found by a SAT search of our own. It does
// no I/O, and the same input gives the same answer.
//
// The way in is [Solve]. Behind it: pool.go numbers the packages and asks the
// repositories' indexes what they provide; visible.go and modules.go hide some;
// words.go says what is asked for; rules.go turns relations into clauses; search.go
// is the search (two watched literals, learning from conflicts); policy.go says which
// candidate is best; weak.go adds recommended packages; order.go puts the answer in
// install order. When there is none, proof.go finds the rules that cannot hold
// together, and explain.go tells them in sentences.
//
// Source: libsolv 0.7.23's answers; see docs/FORMATS.md.
package solver

import (
	"context"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
)

// Request is what is asked for. A word of Install is a package name, also with
// architecture or version, a glob of names, a capability, a relation such as "foo
// >= 1.2", or a file's path.
type Request struct {
	Install  []string
	FromRepo []FromRepo      // words that one repository must satisfy
	Exclude  []string        // what is invisible: NAME, NAME.ARCH, NEVRA, or a glob of one
	Lock     map[string]Lock // by package name: other versions are invisible
	Strict   bool            // packages without a lock are invisible
	Weak     bool            // install what chosen packages recommend
	Modules  *Modules        // nil: there are none
	Arch     string          // basearch; empty: all are as good as each other

	// Files is called with paths that are asked for or required and that no package is
	// known to have; it tells which package of a repository has one. nil: nothing is
	// known.
	Files func(ctx context.Context, paths []string, found func(r *repodata.Repo, i int, path string)) error
}

// FromRepo is words that one repository must satisfy.
type FromRepo struct {
	Repo  string
	Words []string
}

// Lock is the version that a name is locked to.
type Lock struct {
	Text    string // for messages
	Matches func(*repodata.Package) bool
}

// Transaction is the answer.
type Transaction struct {
	Install []*repodata.Package // in install order
}

// NotFound is the error for words that no package fits.
type NotFound struct {
	Words []string
	Near  map[string]string // a name that is spelt alike, for some words
	Best  map[string]string // the newest version there is, for some relations
}

func (e *NotFound) Error() string {
	out := make([]string, len(e.Words))
	for i, w := range e.Words {
		if out[i] = w; e.Near[w] != "" {
			out[i] += " (did you mean " + e.Near[w] + "?)"
		}
		if e.Best[w] != "" {
			out[i] += " (the best there is: " + e.Best[w] + ")"
		}
	}
	return "packages not found: " + strings.Join(out, ", ")
}

// Solve chooses the packages. The error is a [*NotFound] or an [*Unsolvable] when
// there is no answer, or that of Request.Files.
func Solve(ctx context.Context, repos []*repodata.Repo, req Request) (*Transaction, error) {
	s, err := newPool(repos, &req).prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return &Transaction{Install: order(s.pool, s.installed())}, nil
}

// prepare builds jobs and rules, and again as long as they need files that have not
// been asked for.
func (p *pool) prepare(ctx context.Context) (*search, error) {
	asked := map[string]bool{}
	for {
		var rs *ruleSet
		jobs, err := p.jobs(p.req)
		missing := p.unknownPaths()
		if err == nil {
			rs = newRules(p, jobs, p.req.Weak)
			missing = append(missing, rs.missingFiles()...)
		}
		missing = slices.DeleteFunc(missing, func(path string) bool { return asked[path] })
		if len(missing) == 0 || p.req.Files == nil {
			if err != nil {
				return nil, err
			}
			return newSearch(p, rs, p.req.Weak), nil
		}
		for _, path := range missing {
			asked[path] = true
		}
		if err := p.askFiles(ctx, missing); err != nil {
			return nil, err
		}
	}
}

// unknownPaths lists the words that are paths nobody is known to have.
func (p *pool) unknownPaths() (out []string) {
	for _, w := range p.req.Install {
		if strings.HasPrefix(w, "/") && len(p.sel(w)) == 0 {
			out = append(out, w)
		}
	}
	return out
}

// askFiles takes in who has files.
func (p *pool) askFiles(ctx context.Context, paths []string) error {
	err := p.req.Files(ctx, paths, func(r *repodata.Repo, i int, path string) {
		for _, part := range p.repos {
			if part.repo == r {
				p.files[path] = append(p.files[path], part.first+i)
			}
		}
	})
	clear(p.cache)
	return err
}

// job is one word and the packages that satisfy it; of a rich one also such as must
// be absent for that, which are negative.
type job struct {
	word       string
	candidates []int
}

// richJob makes jobs of a rich dependency, one for each of its clauses.
func (p *pool) richJob(word string, add func(string, []int)) {
	for _, clause := range p.cnf(nevra.Relation{Name: word}, false) {
		ids := make([]int, len(clause))
		for i, l := range clause {
			ids[i] = int(l)
		}
		add(word, ids)
	}
}

// jobs turns the words into jobs. The error names all that fit nothing; those for
// which there are only hidden packages come last.
func (p *pool) jobs(req *Request) ([]job, error) {
	var out []job
	nf := &NotFound{Near: map[string]string{}, Best: map[string]string{}}
	un := &Unsolvable{}
	add := func(word string, candidates []int) {
		if len(candidates) > 0 {
			out = append(out, job{word, candidates})
		} else if problem, ok := p.allHidden(word); ok {
			un.Problems = append(un.Problems, problem)
		} else {
			nf.Words = append(nf.Words, word)
			if best := p.bestOf(word); best != "" {
				nf.Best[word] = best
			} else if near := p.near(word); near != "" {
				nf.Near[word] = near
			}
		}
	}
	for _, f := range req.FromRepo {
		for _, w := range f.Words {
			c := slices.DeleteFunc(p.sel(w), func(id int) bool { return p.part(id).repo.ID != f.Repo })
			if len(c) == 0 {
				nf.Words = append(nf.Words, w+" in "+f.Repo)
				continue
			}
			add(w, c)
		}
	}
	for _, w := range req.Install {
		switch groups := p.byNames(p.byGlob(w)); {
		case strings.HasPrefix(w, "("):
			p.richJob(w, add)
		case len(groups) > 0:
			for _, ids := range groups { // each name that it stands for is asked for
				add(w, ids)
			}
		default:
			add(w, p.sel(w))
		}
	}
	switch {
	case len(nf.Words) > 0:
		return nil, nf
	case len(un.Problems) > 0:
		return nil, un
	}
	return out, nil
}
