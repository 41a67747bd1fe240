package solver

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
	"github.com/treewright/treewright/pkg/spelling"
)

// pool is the visible packages, numbered from 1 in the order of the repositories,
// and what they provide.
type pool struct {
	pkgs     []*repodata.Package // by number; 0 is unused
	class    []int               // architecture: 0 noarch, 1 the best, and so on
	color    []int               // 0 noarch, 1 32-bit, 2 64-bit
	byName   map[string][]int
	provides map[string][]provider
	files    map[string][]int
	cache    map[nevra.Relation][]int
	hidden   []hidden
}

type provider struct {
	id  int
	rel nevra.Relation
}

// hidden is a package that the request makes invisible, and why.
type hidden struct {
	pkg *repodata.Package
	why string
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

func archColor(arch string) int {
	switch arch {
	case "noarch":
		return 0
	case "i686", "i586", "i486", "i386", "armv7hl", "ppc", "s390":
		return 1
	}
	return 2
}

func newPool(repos []*repodata.Repo, req *Request) *pool {
	p := &pool{pkgs: []*repodata.Package{nil}, class: []int{0}, color: []int{0}, byName: map[string][]int{},
		provides: map[string][]provider{}, files: map[string][]int{}, cache: map[nevra.Relation][]int{}}
	list := arches(req.Arch)
	for _, r := range repos {
		for _, k := range r.Excluded {
			p.hidden = append(p.hidden, hidden{k, "filtered out by exclude filtering"})
		}
		for _, k := range r.Packages {
			class := slices.Index(list, k.NEVRA.Arch) + 1
			if class == 0 && k.NEVRA.Arch != "noarch" && req.Arch != "" {
				continue
			}
			if why := req.hides(k); why != "" {
				p.hidden = append(p.hidden, hidden{k, why})
				continue
			}
			p.add(k, class)
		}
	}
	return p
}

// hides tells why a package is invisible; "" when it is not.
func (req *Request) hides(k *repodata.Package) string {
	if slices.ContainsFunc(req.Exclude, func(x string) bool { return excluded(x, k.NEVRA) }) {
		return "filtered out by exclude filtering"
	}
	lock, ok := req.Lock[k.NEVRA.Name]
	switch {
	case ok && !lock.Matches(k.NEVRA):
		return "the lockfile has " + k.NEVRA.Name + "-" + lock.Text
	case !ok && req.Strict:
		return "it is not in the lockfile"
	}
	return ""
}

// excluded tells whether a word of Exclude names a package.
func excluded(word string, n nevra.NEVRA) bool {
	if word == n.Name {
		return true
	}
	for _, form := range []string{n.Name, n.Name + "." + n.Arch, n.String()} {
		if ok, err := path.Match(word, form); ok && err == nil {
			return true
		}
	}
	return false
}

func (p *pool) add(k *repodata.Package, class int) {
	id := len(p.pkgs)
	p.pkgs = append(p.pkgs, k)
	p.class = append(p.class, class)
	p.color = append(p.color, archColor(k.NEVRA.Arch))
	p.byName[k.NEVRA.Name] = append(p.byName[k.NEVRA.Name], id)
	own := false
	for _, r := range k.Provides {
		own = own || r.Name == k.NEVRA.Name && r.Flags == nevra.EQ && r.EVR == k.NEVRA.EVR
		p.provides[r.Name] = append(p.provides[r.Name], provider{id, r})
	}
	if !own {
		p.provides[k.NEVRA.Name] = append(p.provides[k.NEVRA.Name], provider{id, nevra.Relation{Name: k.NEVRA.Name, Flags: nevra.EQ, EVR: k.NEVRA.EVR}})
	}
	for _, f := range k.Files {
		p.files[f.Path] = append(p.files[f.Path], id)
	}
}

// bestClass is the best architecture of packages, noarch left aside; 0 when all are.
func (p *pool) bestClass(ids []int) int {
	best := 0
	for _, id := range ids {
		if c := p.class[id]; c != 0 && (best == 0 || c < best) {
			best = c
		}
	}
	return best
}

// inferior tells whether a package is of a worse architecture than best.
func (p *pool) inferior(id, best int) bool { return p.class[id] > best && best > 0 }

// providers lists the packages that satisfy a plain relation, by number.
func (p *pool) providers(r nevra.Relation) []int {
	if ids, ok := p.cache[r]; ok {
		return ids
	}
	var ids []int
	for _, v := range p.provides[r.Name] {
		if r.Matches(v.rel) {
			ids = append(ids, v.id)
		}
	}
	if strings.HasPrefix(r.Name, "/") {
		ids = append(ids, p.files[r.Name]...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	p.cache[r] = ids
	return ids
}

// sel lists the packages that a word means: the first kind that fits anything.
func (p *pool) sel(word string) []int {
	for _, kind := range []func(string) []int{p.byNEVRA, p.byGlob, p.byProvide} {
		if ids := kind(word); len(ids) > 0 {
			return slices.Clone(ids)
		}
	}
	return nil
}

// byNEVRA takes name, name.arch, name-version, name-version-release and
// name-[epoch:]version-release.arch.
func (p *pool) byNEVRA(word string) []int {
	if ids := p.byName[word]; len(ids) > 0 {
		return ids
	}
	var out []int
	for cut := len(word); cut > 0; cut = strings.LastIndexAny(word[:cut], "-.") {
		if cut == len(word) {
			continue
		}
		for _, id := range p.byName[word[:cut]] {
			if fits(p.pkgs[id].NEVRA, word[cut:]) {
				out = append(out, id)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// fits tells whether rest, which follows a package's name, is its version, its
// architecture or both.
func fits(n nevra.NEVRA, rest string) bool {
	for _, full := range []bool{true, false} {
		v := rest
		if full {
			r, ok := strings.CutSuffix(rest, "."+n.Arch)
			if !ok {
				continue
			}
			v = r
		}
		if v == "" {
			return true
		}
		if v, ok := strings.CutPrefix(v, "-"); ok {
			e, err := nevra.ParseEVR(v)
			if err == nil && e.Version == n.Version && (e.Release == "" || e.Release == n.Release) && (e.Epoch == "" || nevra.Compare(nevra.EVR{Epoch: e.Epoch, Version: "0"}, nevra.EVR{Epoch: n.Epoch, Version: "0"}) == 0) {
				return true
			}
		}
	}
	return false
}

func (p *pool) byGlob(word string) []int {
	if !strings.ContainsAny(word, "*?[") {
		return nil
	}
	var out []int
	for id := 1; id < len(p.pkgs); id++ {
		n := p.pkgs[id].NEVRA
		for _, s := range []string{n.Name, n.Name + "." + n.Arch, n.Name + "-" + n.EVR.String(), n.String()} {
			if ok, err := path.Match(word, s); ok && err == nil {
				out = append(out, id)
				break
			}
		}
	}
	return out
}

func (p *pool) byProvide(word string) []int {
	r, err := nevra.ParseRelation(word)
	if err != nil || r.IsRich() {
		return nil
	}
	return p.providers(r)
}

// near finds the package name that is most like a word.
func (p *pool) near(word string) string {
	return spelling.Nearest(word, maps.Keys(p.byName), len(word)/3+2)
}

// hiddenByName finds a hidden package called name.
func (p *pool) hiddenByName(name string) *hidden {
	for i := range p.hidden {
		if p.hidden[i].pkg.NEVRA.Name == name {
			return &p.hidden[i]
		}
	}
	return nil
}

// hiddenProviders finds hidden packages that would satisfy a relation.
func (p *pool) hiddenProviders(r nevra.Relation) (out []*hidden) {
	for i := range p.hidden {
		k := p.hidden[i].pkg
		ok := k.NEVRA.Name == r.Name && r.Matches(nevra.Relation{Name: r.Name, Flags: nevra.EQ, EVR: k.NEVRA.EVR})
		for _, v := range k.Provides {
			ok = ok || v.Name == r.Name && r.Matches(v)
		}
		if ok {
			out = append(out, &p.hidden[i])
		}
	}
	return out
}
