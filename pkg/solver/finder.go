package solver

import (
	"slices"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
)

// Finder looks packages up as the solver does.
type Finder struct{ pool *pool }

// NewFinder returns a Finder of what can be installed on a basearch; on all when arch
// is empty.
func NewFinder(repos []*repodata.Repo, arch string) *Finder {
	return &Finder{newPool(repos, &Request{Arch: arch})}
}

// Packages lists the packages that a word of [Request] means.
func (f *Finder) Packages(word string) []*repodata.Package { return f.list(f.pool.sel(word)) }

// Providers lists the packages that satisfy a relation; of a rich one, those that may
// take part.
func (f *Finder) Providers(r nevra.Relation) []*repodata.Package {
	var ids []int
	for _, clause := range f.pool.cnf(r, false) {
		for _, l := range clause {
			if l > 0 {
				ids = append(ids, l.pkg())
			}
		}
	}
	slices.Sort(ids)
	return f.list(slices.Compact(ids))
}

// Near is a package name that is spelt like word; empty when there is none.
func (f *Finder) Near(word string) string { return f.pool.near(word) }

// AddFile tells that package i of a repository has a file.
func (f *Finder) AddFile(r *repodata.Repo, i int, path string) {
	for _, part := range f.pool.repos {
		if part.repo == r {
			f.pool.files[path] = append(f.pool.files[path], part.first+i)
		}
	}
	clear(f.pool.cache)
}

func (f *Finder) list(ids []int) (out []*repodata.Package) {
	for _, id := range ids {
		out = append(out, f.pool.pkg(id))
	}
	return out
}
