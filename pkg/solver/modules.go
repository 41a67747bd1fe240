package solver

import (
	"github.com/treewright/treewright/pkg/nevra"
)

// Modules says which packages belong to modules. Those of streams that are not on are
// invisible, and so are those of no module that have the name of one of a stream that
// is on, or provide that name; but for those of repositories with hotfixes.
type Modules struct {
	On, Off  []nevra.NEVRA
	StreamOf func(nevra.NEVRA) string // NAME:STREAM, for messages
}

// hideModular makes invisible what modules hide.
func (p *pool) hideModular(m *Modules) {
	on := map[nevra.NEVRA]bool{}
	names := map[string]bool{}
	for _, n := range m.On {
		on[plainEpoch(n)], names[n.Name] = true, true
	}
	for _, n := range m.Off {
		if n = plainEpoch(n); on[n] {
			continue
		}
		for _, id := range p.everyNamed(n.Name) {
			if plainEpoch(p.nevra(id)) == n && !p.part(id).repo.Hotfixes {
				p.visible[id] = false
			}
		}
	}
	for name := range names {
		for _, v := range p.everyProviding(name) {
			if !p.part(v.id).repo.Hotfixes && !on[plainEpoch(p.nevra(v.id))] {
				p.visible[v.id] = false
			}
		}
	}
}

// plainEpoch spells an epoch of 0 one way.
func plainEpoch(n nevra.NEVRA) nevra.NEVRA {
	if n.Epoch == "" {
		n.Epoch = "0"
	}
	return n
}
