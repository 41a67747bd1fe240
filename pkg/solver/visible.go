package solver

import (
	"path"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/repodata"
)

// Why packages are hidden.
const (
	byExclude  = "filtered out by exclude filtering"
	byModules  = "filtered out by modular filtering"
	notLocked  = "it is not in the lockfile"
	otherArch  = "of another architecture"
	lockedName = "the lockfile has "
)

// hide makes invisible what the request, the repositories and locks leave out.
func (p *pool) hide() {
	for _, r := range p.repos {
		if len(r.repo.Include) > 0 {
			kept := map[int]bool{}
			for _, w := range r.repo.Include {
				r.matching(w, func(id int) { kept[id] = true })
			}
			for id := r.first; id < r.first+r.Len(); id++ {
				p.visible[id] = p.visible[id] && kept[id]
			}
		}
		for _, w := range slices.Concat(r.repo.Exclude, p.req.Exclude) {
			r.matching(w, func(id int) { p.visible[id] = false })
		}
	}
	if p.req.Modules != nil {
		p.hideModular(p.req.Modules)
	}
	for _, r := range p.repos {
		if !p.req.Strict && !r.repo.Locked {
			continue
		}
		for i := range r.Len() {
			if _, ok := p.req.Lock[r.NEVRA(i).Name]; !ok {
				p.visible[r.first+i] = false
			}
		}
	}
	for name, lock := range p.req.Lock {
		for _, id := range p.everyNamed(name) {
			p.visible[id] = p.visible[id] && lock.Matches(p.pkg(id))
		}
	}
}

// why tells why a package is invisible; "" when it is not.
func (p *pool) why(id int) string {
	r, n := p.part(id), p.nevra(id)
	fits := func(words []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return matches(w, n) })
	}
	lock, locked := p.req.Lock[n.Name]
	switch {
	case p.visible[id]:
		return ""
	case p.class[id] == 0 && p.color[id] != 0 && p.req.Arch != "":
		return otherArch
	case fits(r.repo.Exclude), fits(p.req.Exclude), len(r.repo.Include) > 0 && !fits(r.repo.Include):
		return byExclude
	case locked && !lock.Matches(p.pkg(id)):
		return lockedName + n.Name + "-" + lock.Text
	case !locked && (p.req.Strict || r.repo.Locked):
		return notLocked
	}
	why := byModules
	if p.req.Modules.StreamOf != nil {
		if stream := p.req.Modules.StreamOf(n); stream != "" {
			why += ": it is of module " + stream + ", which is not on"
		}
	}
	return why
}

// hidden is a package that the request makes invisible, and why.
type hidden struct {
	pkg *repodata.Package
	why string
}

// hiddenByName finds a hidden package called name.
func (p *pool) hiddenByName(name string) *hidden {
	for _, id := range p.everyNamed(name) {
		if why := p.why(id); why != "" {
			return &hidden{p.pkg(id), why}
		}
	}
	return nil
}

// hiddenProviders finds hidden packages that would satisfy a relation.
func (p *pool) hiddenProviders(r nevra.Relation) (out []hidden) {
	for _, v := range p.everyProviding(r.Name) {
		if !p.visible[v.id] && r.Matches(v.rel) {
			out = append(out, hidden{p.pkg(v.id), p.why(v.id)})
		}
	}
	return out
}

// isGlob tells whether a word stands for several.
func isGlob(word string) bool { return strings.ContainsAny(word, "*?[") }

// matches tells whether a word is a package's name, with or without its version and
// its architecture, or a glob of one.
func matches(word string, n nevra.NEVRA) bool {
	if word == n.Name {
		return true
	}
	for _, form := range []string{n.Name, n.Name + "." + n.Arch, n.Name + "-" + n.EVR.String(), n.Name + "-" + n.Version, n.String()} {
		if ok, err := path.Match(word, form); ok && err == nil {
			return true
		}
	}
	return false
}

// each visits all packages that a glob can mean: those whose name begins as it does.
func (p *pool) each(glob string, visit func(id int)) {
	for _, r := range p.repos {
		r.each(glob, visit)
	}
}

func (r *part) each(glob string, visit func(id int)) {
	head := glob[:strings.IndexAny(glob+"*", "*?[\\")]
	for i := range r.Len() {
		if name := r.NEVRA(i).Name; strings.HasPrefix(name, head) || strings.HasPrefix(head, name) {
			visit(r.first + i)
		}
	}
}

// matching visits the packages that a word of Exclude means.
func (r *part) matching(word string, visit func(id int)) {
	test := func(id int) {
		if matches(word, r.NEVRA(id-r.first)) {
			visit(id)
		}
	}
	if isGlob(word) {
		r.each(word, test)
		return
	}
	for cut := len(word); cut > 0; cut = strings.LastIndexAny(word[:cut], "-.") {
		for _, i := range r.Named(word[:cut]) {
			test(r.first + i)
		}
	}
}
