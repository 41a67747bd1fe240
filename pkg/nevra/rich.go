package nevra

import (
	"fmt"
	"strings"
)

// Op is the operator of a rich dependency.
type Op string

// The operators.
const (
	And     Op = "and"
	Or      Op = "or"
	If      Op = "if"
	Unless  Op = "unless"
	With    Op = "with"
	Without Op = "without"
)

// Rich is a rich dependency as a tree: a leaf has a Relation; any other node has an
// operator and operands. "if" and "unless" have a condition as second operand and
// what "else" says, when it is there, as third.
type Rich struct {
	Op       Op // empty: a leaf
	Leaf     Relation
	Operands []*Rich
}

// maxRich bounds the nesting.
const maxRich = 32

// ParseRich reads a rich dependency: "(a and (b >= 2 or c))".
func ParseRich(s string) (*Rich, error) {
	p := &richParser{s: s, all: s}
	r, err := p.group(0)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(p.s) != "" {
		return nil, p.fail("text behind the last parenthesis")
	}
	return r, nil
}

type richParser struct{ s, all string }

func (p *richParser) fail(why string) error {
	return fmt.Errorf("rich dependency %q: %s: %w", p.all, why, ErrMalformed)
}

func (p *richParser) blank() { p.s = strings.TrimLeft(p.s, " \t") }

// word cuts the next word; parentheses inside a name are part of it.
func (p *richParser) word() string {
	p.blank()
	depth, i := 0, 0
loop:
	for ; i < len(p.s); i++ {
		switch p.s[i] {
		case '(':
			depth++
		case ')':
			if depth == 0 {
				break loop
			}
			depth--
		case ' ', '\t':
			break loop
		}
	}
	w := p.s[:i]
	p.s = p.s[i:]
	return w
}

// group reads "( … )".
func (p *richParser) group(depth int) (*Rich, error) {
	if p.blank(); depth > maxRich || !strings.HasPrefix(p.s, "(") {
		return nil, p.fail("want a parenthesis")
	}
	p.s = p.s[1:]
	first, err := p.operand(depth)
	if err != nil {
		return nil, err
	}
	out := &Rich{Operands: []*Rich{first}}
	for {
		p.blank()
		if rest, ok := strings.CutPrefix(p.s, ")"); ok {
			p.s = rest
			break
		}
		op := Op(p.word())
		if err := p.step(out, op); err != nil {
			return nil, err
		}
		next, err := p.operand(depth)
		if err != nil {
			return nil, err
		}
		out.Operands = append(out.Operands, next)
	}
	if out.Op == "" {
		return first, nil
	}
	return out, nil
}

// step checks that op may come next in r.
func (p *richParser) step(r *Rich, op Op) error {
	conditional := r.Op == If || r.Op == Unless
	switch op {
	case And, Or, With:
		if r.Op == "" || r.Op == op {
			r.Op = op
			return nil
		}
		return p.fail("operators " + string(r.Op) + " and " + string(op) + " need parentheses between them")
	case If, Unless, Without:
		if r.Op == "" {
			r.Op = op
			return nil
		}
		return p.fail("operators " + string(r.Op) + " and " + string(op) + " need parentheses between them")
	case "else":
		if conditional && len(r.Operands) == 2 {
			return nil
		}
	}
	return p.fail(fmt.Sprintf("%q is no operator here", string(op)))
}

func (p *richParser) operand(depth int) (*Rich, error) {
	if p.blank(); strings.HasPrefix(p.s, "(") {
		return p.group(depth + 1)
	}
	name := p.word()
	if name == "" {
		return nil, p.fail("a name is missing")
	}
	save := p.s
	if flags, ok := operators[p.word()]; ok {
		v, err := ParseEVR(p.word())
		if err != nil {
			return nil, p.fail(err.Error())
		}
		return &Rich{Leaf: Relation{name, flags, v}}, nil
	}
	p.s = save
	return &Rich{Leaf: Relation{Name: name}}, nil
}

// String writes the form that [ParseRich] reads.
func (r *Rich) String() string {
	if r.Op == "" {
		return r.Leaf.String()
	}
	parts := make([]string, len(r.Operands))
	for i, o := range r.Operands {
		parts[i] = o.String()
	}
	if len(parts) == 3 && (r.Op == If || r.Op == Unless) {
		return "(" + parts[0] + " " + string(r.Op) + " " + parts[1] + " else " + parts[2] + ")"
	}
	return "(" + strings.Join(parts, " "+string(r.Op)+" ") + ")"
}
