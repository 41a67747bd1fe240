package solver

import (
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/nevra"
	"github.com/treewright/treewright/pkg/spelling"
)

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
	if ids := p.named(word); len(ids) > 0 {
		return ids
	}
	var out []int
	for cut := len(word); cut > 0; cut = strings.LastIndexAny(word[:cut], "-.") {
		if cut == len(word) {
			continue
		}
		for _, id := range p.named(word[:cut]) {
			if fits(p.nevra(id), word[cut:]) {
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
	if !isGlob(word) {
		return nil
	}
	var out []int
	p.each(word, func(id int) {
		if n := p.nevra(id); p.visible[id] && matches(word, n) {
			out = append(out, id)
		}
	})
	return out
}

// byNames groups packages by their names, in the order of those.
func (p *pool) byNames(ids []int) (groups [][]int) {
	name := func(id int) string { return p.nevra(id).Name }
	ids = slices.Clone(ids)
	slices.SortStableFunc(ids, func(a, b int) int { return strings.Compare(name(a), name(b)) })
	for begin, i := 0, 1; i <= len(ids); i++ {
		if i == len(ids) || name(ids[i]) != name(ids[begin]) {
			groups = append(groups, ids[begin:i])
			begin = i
		}
	}
	return groups
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
	names := func(yield func(string) bool) {
		for _, r := range p.repos {
			for n := range r.Names() {
				if !yield(n) {
					return
				}
			}
		}
	}
	return spelling.Nearest(word, names, len(word)/3+2)
}
