package solver

import (
	"iter"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
)

// source is the packages of a repository, with an index of them.
type source interface {
	Len() int
	NEVRA(i int) nevra.NEVRA
	Arch(i int) string
	Package(i int) *repodata.Package
	Named(name string) []int
	Owning(path string) []int
	Providing(name string, visit func(i int, r nevra.Relation))
	Supplementing() []int
	Names() iter.Seq[string]
}

// pool is the packages of all repositories, numbered from 1 in their order.
type pool struct {
	repos   []part
	made    []*repodata.Package // by number, once they were asked for; 0 is unused
	class   []int8              // architecture: 0 noarch, 1 the best, and so on
	color   []int8              // 0 noarch, 1 32-bit, 2 64-bit
	visible []bool
	req     *Request
	names   map[string][]int
	provide map[string][]provider
	files   map[string][]int // what Request.Files has found
	cache   map[nevra.Relation][]int
}

// part is one repository, whose package i has the number first+i.
type part struct {
	source
	repo  *repodata.Repo
	first int
}

type provider struct {
	id  int
	rel nevra.Relation
}

// arches are the installable architectures for a basearch, best first.
func arches(base string) []string {
	switch base {
	case "x86_64":
		return []string{"x86_64", "i686", "i586", "i486", "i386"}
	case "i386":
		return []string{"i686", "i586", "i486", "i386"}
	}
	return []string{base}
}

func archColor(arch string) int8 {
	switch arch {
	case "noarch":
		return 0
	case "i686", "i586", "i486", "i386", "armv7hl", "ppc", "s390":
		return 1
	}
	return 2
}

func newPool(repos []*repodata.Repo, req *Request) *pool {
	p := &pool{req: req, names: map[string][]int{}, provide: map[string][]provider{}, files: map[string][]int{}, cache: map[nevra.Relation][]int{}}
	n := 1
	for _, r := range repos {
		var src source = newList(r.Packages)
		if r.Packed != nil {
			src = r.Packed
		}
		p.repos = append(p.repos, part{src, r, n})
		n += src.Len()
	}
	p.made = make([]*repodata.Package, n)
	p.class, p.color, p.visible = make([]int8, n), make([]int8, n), make([]bool, n)
	p.classify(arches(req.Arch))
	p.hide()
	return p
}

// classify looks at the architectures; packages of those that cannot be installed are
// not visible.
func (p *pool) classify(list []string) {
	last, class, color := "", 0, int8(0)
	for _, r := range p.repos {
		for i := range r.Len() {
			if arch := r.Arch(i); arch != last || class == 0 {
				last, class, color = arch, slices.Index(list, arch)+1, archColor(arch)
			}
			id := r.first + i
			p.class[id], p.color[id] = int8(class), color
			p.visible[id] = class != 0 || color == 0 || p.req.Arch == ""
		}
	}
}

// part is the repository of a package.
func (p *pool) part(id int) *part {
	n := len(p.repos) - 1
	for p.repos[n].first > id {
		n--
	}
	return &p.repos[n]
}

// pkg is package number id.
func (p *pool) pkg(id int) *repodata.Package {
	if p.made[id] == nil {
		r := p.part(id)
		k := r.Package(id - r.first)
		if k.Repo == nil {
			k.Repo = r.repo
		}
		p.made[id] = k
	}
	return p.made[id]
}

func (p *pool) nevra(id int) nevra.NEVRA {
	r := p.part(id)
	return r.NEVRA(id - r.first)
}

// named lists the visible packages of a name.
func (p *pool) named(name string) []int {
	ids, ok := p.names[name]
	if !ok {
		ids = slices.DeleteFunc(p.everyNamed(name), func(id int) bool { return !p.visible[id] })
		p.names[name] = ids
	}
	return ids
}

// everyNamed lists all packages of a name.
func (p *pool) everyNamed(name string) (ids []int) {
	for _, r := range p.repos {
		for _, i := range r.Named(name) {
			ids = append(ids, r.first+i)
		}
	}
	return ids
}

// providing lists the visible packages that provide a name; each package provides its
// own in its version.
func (p *pool) providing(name string) []provider {
	list, ok := p.provide[name]
	if ok {
		return list
	}
	list = slices.DeleteFunc(p.everyProviding(name), func(v provider) bool { return !p.visible[v.id] })
	p.provide[name] = list
	return list
}

func (p *pool) everyProviding(name string) (list []provider) {
	for _, r := range p.repos {
		begin := len(list)
		r.Providing(name, func(i int, rel nevra.Relation) { list = append(list, provider{r.first + i, rel}) })
		for _, i := range r.Named(name) {
			own := provider{r.first + i, nevra.Relation{Name: name, Flags: nevra.EQ, EVR: r.NEVRA(i).EVR}}
			if !slices.Contains(list[begin:], own) {
				list = append(list, own)
			}
		}
	}
	return list
}

// owning lists the visible packages that have a file.
func (p *pool) owning(path string) []int {
	ids := slices.Clone(p.files[path])
	for _, r := range p.repos {
		for _, i := range r.Owning(path) {
			ids = append(ids, r.first+i)
		}
	}
	return slices.DeleteFunc(ids, func(id int) bool { return !p.visible[id] })
}

// supplementing lists the visible packages that supplement something.
func (p *pool) supplementing() (ids []int) {
	for _, r := range p.repos {
		for _, i := range r.Supplementing() {
			if id := r.first + i; p.visible[id] {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// bestClass is the best architecture of packages, noarch left aside; 0 when all are.
func (p *pool) bestClass(ids []int) int8 {
	best := int8(0)
	for _, id := range ids {
		if c := p.class[id]; c != 0 && (best == 0 || c < best) {
			best = c
		}
	}
	return best
}

// inferior tells whether a package is of a worse architecture than best.
func (p *pool) inferior(id int, best int8) bool { return p.class[id] > best && best > 0 }

// providers lists the packages that satisfy a plain relation, by number.
func (p *pool) providers(r nevra.Relation) []int {
	if ids, ok := p.cache[r]; ok {
		return ids
	}
	var ids []int
	for _, v := range p.providing(r.Name) {
		if r.Matches(v.rel) {
			ids = append(ids, v.id)
		}
	}
	if strings.HasPrefix(r.Name, "/") {
		ids = append(ids, p.owning(r.Name)...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	p.cache[r] = ids
	return ids
}
