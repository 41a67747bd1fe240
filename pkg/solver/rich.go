package solver

import (
	"slices"

	"github.com/treewright/treewright/pkg/nevra"
)

// maxClauses bounds what one rich dependency may grow to.
const maxClauses = 4096

// cnf turns a relation into clauses that must all hold; negated for conflicts. A
// rich dependency that cannot be read holds for nothing.
func (p *pool) cnf(r nevra.Relation, negated bool) [][]lit {
	if !r.IsRich() {
		return p.leaf(p.providers(r), negated)
	}
	rich, err := nevra.ParseRich(r.Name)
	if err != nil {
		return p.leaf(nil, negated)
	}
	return p.clauses(rich, negated)
}

func (p *pool) leaf(ids []int, negated bool) [][]lit {
	if negated {
		out := make([][]lit, len(ids))
		for i, id := range ids {
			out[i] = []lit{lit(-id)}
		}
		return out
	}
	clause := make([]lit, len(ids))
	for i, id := range ids {
		clause[i] = lit(id)
	}
	return [][]lit{clause}
}

func (p *pool) clauses(r *nevra.Rich, negated bool) [][]lit {
	sub := func(i int, neg bool) [][]lit { return p.clauses(r.Operands[i], neg) }
	switch r.Op {
	case "":
		return p.leaf(p.providers(r.Leaf), negated)
	case nevra.With, nevra.Without:
		return p.leaf(p.matching(r), negated)
	case nevra.And, nevra.Or:
		parts := make([][][]lit, len(r.Operands))
		for i := range r.Operands {
			parts[i] = sub(i, negated)
		}
		if (r.Op == nevra.And) != negated {
			return all(parts...)
		}
		return anyOf(parts...)
	case nevra.If: // a or not b; with else: and b or c
		out := anyOf(sub(0, false), sub(1, true))
		if negated {
			out = all(sub(0, true), sub(1, false))
		}
		if len(r.Operands) == 3 {
			if negated { // (b and not a) or (not b and not c)
				return anyOf(out, all(sub(1, true), sub(2, true)))
			}
			return all(out, anyOf(sub(1, false), sub(2, false)))
		}
		return out
	}
	// unless: a and not b; with else: or b and c
	out := all(sub(0, false), sub(1, true))
	if negated {
		out = anyOf(sub(0, true), sub(1, false))
	}
	if len(r.Operands) == 3 {
		if negated {
			return all(out, anyOf(sub(1, true), sub(2, true)))
		}
		return anyOf(out, all(sub(1, false), sub(2, false)))
	}
	return out
}

// matching lists the packages that match all of a "with", or the first and not the
// second of a "without".
func (p *pool) matching(r *nevra.Rich) []int {
	if r.Op == "" {
		return p.providers(r.Leaf)
	}
	ids := slices.Clone(p.matching(r.Operands[0]))
	for _, o := range r.Operands[1:] {
		other := p.matching(o)
		ids = slices.DeleteFunc(ids, func(id int) bool { return slices.Contains(other, id) != (r.Op == nevra.With) })
	}
	return ids
}

// all is the clauses of all parts.
func all(parts ...[][]lit) [][]lit { return slices.Concat(parts...) }

// anyOf is the clauses that say that one part holds: each combination.
func anyOf(parts ...[][]lit) [][]lit {
	out := [][]lit{{}}
	for _, part := range parts {
		var next [][]lit
		for _, a := range out {
			for _, b := range part {
				if c, ok := join(a, b); ok {
					next = append(next, c)
				}
				if len(next) > maxClauses {
					return next
				}
			}
		}
		out = next
	}
	return out
}

// join unites two clauses; ok is false when the result is always true.
func join(a, b []lit) (c []lit, ok bool) {
	c = slices.Clone(a)
	for _, l := range b {
		if slices.Contains(c, -l) {
			return nil, false
		}
		if !slices.Contains(c, l) {
			c = append(c, l)
		}
	}
	return c, true
}

// holds evaluates a relation for a set of installed packages.
func (p *pool) holds(r nevra.Relation, installed func(int) bool) bool {
	for _, clause := range p.cnf(r, false) {
		if !slices.ContainsFunc(clause, func(l lit) bool { return installed(l.pkg()) == (l > 0) }) {
			return false
		}
	}
	return true
}
