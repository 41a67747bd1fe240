package selinux

import (
	"fmt"
	"math/bits"
)

// program is a nondeterministic automaton over bytes. Its states are numbered; the
// walk goes on from several of them at once.
type program struct {
	states []state
	sets   []byteSet
	setNum map[byteSet]int32
	work   threads
}

type state struct {
	op   op
	byte byte
	set  int32 // of opSet: index of sets
	// out is where to go on; of opSplit there are two ways. Of opMatch, out is the
	// rank of the specification.
	out, other int32
}

type op uint8

const (
	opByte op = iota // take one byte
	opSet            // take one byte of the set
	opSplit
	opMatch
)

func (p *program) add(s state) int32 {
	p.states = append(p.states, s)
	return int32(len(p.states) - 1)
}

func (p *program) addByte(b byte, next int32) int32 {
	return p.add(state{op: opByte, byte: b, out: next})
}

func (p *program) addSet(s byteSet, next int32) int32 {
	if bits.OnesCount64(s[0])+bits.OnesCount64(s[1])+bits.OnesCount64(s[2])+bits.OnesCount64(s[3]) == 1 {
		for i, w := range s {
			if w != 0 {
				return p.addByte(byte(i*64+bits.TrailingZeros64(w)), next)
			}
		}
	}
	n, ok := p.setNum[s]
	if !ok {
		n = int32(len(p.sets))
		p.sets = append(p.sets, s)
		p.setNum[s] = n
	}
	return p.add(state{op: opSet, set: n, out: next})
}

// addSpec adds the states of a specification and returns the first. A stem is a
// second condition: the text starts with it and a slash.
func (p *program) addSpec(regex string, rank int32) (int32, error) {
	e, err := parseAnchored(regex)
	if err != nil {
		return 0, err
	}
	at, err := p.compile(e, p.add(state{op: opMatch, out: rank}), len(p.states)+maxStates)
	if err != nil {
		return 0, err
	}
	if stem := stemOf(regex); stem != "" {
		at = p.after(stem+"/", at)
	}
	return at, nil
}

// after adds states that take the text first, and then go on where it leads from at.
func (p *program) after(text string, at int32) int32 {
	p.work.start(p)
	p.work.add(p, at)
	var from []int32
	for i := 0; i < len(text); i++ {
		from = append(from[:0], p.work.list...)
		p.work.start(p)
		for _, n := range from {
			if s := &p.states[n]; s.takes(p, text[i]) {
				p.work.add(p, s.out)
			}
		}
	}
	if len(p.work.list) == 0 {
		return p.addSet(byteSet{}, 0) // a dead end
	}
	at = p.work.list[0]
	for _, n := range p.work.list[1:] {
		at = p.add(state{op: opSplit, out: n, other: at})
	}
	for i := len(text) - 1; i >= 0; i-- {
		at = p.addByte(text[i], at)
	}
	return at
}

// compile adds the states of e that lead to next, from the back to the front.
func (p *program) compile(e expr, next int32, limit int) (at int32, err error) {
	if len(p.states) > limit {
		return 0, fmt.Errorf("it needs more than %d states: %w", maxStates, ErrUnsupported)
	}
	switch e := e.(type) {
	case exprSet:
		return p.addSet(byteSet(e), next), nil
	case exprCat:
		at = next
		for i := len(e) - 1; i >= 0 && err == nil; i-- {
			at, err = p.compile(e[i], at, limit)
		}
		return at, err
	case exprAlt:
		at, err = p.compile(e[len(e)-1], next, limit)
		for i := len(e) - 2; i >= 0 && err == nil; i-- {
			var other int32
			if other, err = p.compile(e[i], next, limit); err == nil {
				at = p.add(state{op: opSplit, out: other, other: at})
			}
		}
		return at, err
	case exprRepeat:
		return p.repeat(e, next, limit)
	}
	panic("selinux: unknown expression")
}

func (p *program) repeat(e exprRepeat, next int32, limit int) (at int32, err error) {
	at = next
	if e.max < 0 {
		loop := p.add(state{op: opSplit, other: next})
		if p.states[loop].out, err = p.compile(e.of, loop, limit); err != nil {
			return 0, err
		}
		at = loop
	}
	for i := e.min; i < e.max; i++ {
		once, err := p.compile(e.of, at, limit)
		if err != nil {
			return 0, err
		}
		if once == at {
			break // nothing, however often
		}
		at = p.add(state{op: opSplit, out: once, other: next})
	}
	for range e.min {
		once, err := p.compile(e.of, at, limit)
		if err != nil {
			return 0, err
		}
		if once == at {
			break
		}
		at = once
	}
	return at, nil
}

func (s *state) takes(p *program, b byte) bool {
	if s.op == opSet {
		return p.sets[s.set].has(b)
	}
	return s.op == opByte && s.byte == b
}

// threads collects the states that a walk is in at the same time.
type threads struct {
	seen  []uint32 // the round in which a state was met last
	round uint32
	stack []int32
	list  []int32
}

// start begins a new, empty collection.
func (t *threads) start(p *program) {
	if more := len(p.states) - len(t.seen); more > 0 {
		t.seen = append(t.seen, make([]uint32, more)...)
	}
	t.round++
	t.list = t.list[:0]
}

// add collects the states that take a byte or match, from at without taking one.
func (t *threads) add(p *program, at int32) {
	t.stack = append(t.stack, at)
	for len(t.stack) > 0 {
		n := t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		if t.seen[n] == t.round {
			continue
		}
		t.seen[n] = t.round
		if s := &p.states[n]; s.op == opSplit {
			t.stack = append(t.stack, s.other, s.out)
			continue
		}
		t.list = append(t.list, n)
	}
}
