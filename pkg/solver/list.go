package solver

import (
	"iter"
	"maps"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
)

// list is a source of packages in memory.
type list struct {
	pkgs     []*repodata.Package
	named    map[string][]int
	provides map[string][]provider
	files    map[string][]int
	plus     []int
}

func newList(pkgs []*repodata.Package) *list {
	l := &list{pkgs, map[string][]int{}, map[string][]provider{}, map[string][]int{}, nil}
	for i, k := range pkgs {
		l.named[k.NEVRA.Name] = append(l.named[k.NEVRA.Name], i)
		for _, r := range k.Provides {
			l.provides[r.Name] = append(l.provides[r.Name], provider{i, r})
		}
		for _, f := range k.Files {
			l.files[f.Path] = append(l.files[f.Path], i)
		}
		if len(k.Supplements) > 0 {
			l.plus = append(l.plus, i)
		}
	}
	return l
}

func (l *list) Len() int                        { return len(l.pkgs) }
func (l *list) NEVRA(i int) nevra.NEVRA         { return l.pkgs[i].NEVRA }
func (l *list) Arch(i int) string               { return l.pkgs[i].NEVRA.Arch }
func (l *list) Package(i int) *repodata.Package { return l.pkgs[i] }
func (l *list) Named(name string) []int         { return l.named[name] }
func (l *list) Owning(path string) []int        { return l.files[path] }
func (l *list) Supplementing() []int            { return l.plus }
func (l *list) Names() iter.Seq[string]         { return maps.Keys(l.named) }
func (l *list) Providing(name string, visit func(int, nevra.Relation)) {
	for _, v := range l.provides[name] {
		visit(v.id, v.rel)
	}
}
