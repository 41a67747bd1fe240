package selinux

import (
	"encoding/binary"
	"slices"
)

// automaton walks a program deterministically. What it learns on the way it keeps, up
// to maxMemory, and then begins anew. It is for one goroutine at a time.
type automaton struct {
	p       *program
	starts  []int32   // first states of the specifications
	types   []uint32  // of the specifications, by rank: S_IFMT bits, 0 for all
	classes [256]byte // bytes that no expression tells apart have the same number
	width   int       // how many classes there are
	one     []byte    // a byte of each class
	work    *threads  // p's

	start  int32            // where walks begin
	known  map[string]int32 // numbers of the nodes, by their states
	nodes  []node
	memory int
	limit  int // maxMemory, less in tests
}

// maxMemory is about how many bytes the nodes may take.
const maxMemory = 32 << 20

// node is a set of states of the program that a walk is in.
type node struct {
	states string  // their numbers, sorted, four bytes each
	next   []int32 // by class; 0: not known yet, else the number of the node
	accept []int32 // ranks of matching specifications that can win, best first
}

// nodeDead is the node without states, from which nothing matches. 0 is no node.
const nodeDead = 1

func newAutomaton(p *program, starts []int32, types []uint32) *automaton {
	a := &automaton{p: p, starts: starts, types: types, work: &p.work, limit: maxMemory}
	a.classify()
	a.reset()
	return a
}

// classify numbers the classes of bytes.
func (a *automaton) classify() {
	var single byteSet
	for _, s := range a.p.states {
		if s.op == opByte {
			single.add(s.byte)
		}
	}
	seen := map[string]byte{}
	for b := range 256 {
		sig := make([]byte, 0, 2+len(a.p.sets))
		if single.has(byte(b)) {
			sig = append(sig, byte(b))
		}
		for _, s := range a.p.sets {
			bit := byte('0')
			if s.has(byte(b)) {
				bit = '1'
			}
			sig = append(sig, bit)
		}
		n, ok := seen[string(sig)]
		if !ok {
			n = byte(a.width)
			seen[string(sig)] = n
			a.width++
			a.one = append(a.one, byte(b))
		}
		a.classes[b] = n
	}
}

// reset forgets all nodes.
func (a *automaton) reset() {
	a.known, a.nodes, a.memory = map[string]int32{}, make([]node, 1), 0
	a.work.start(a.p)
	a.intern() // the dead one
	for _, s := range a.starts {
		a.work.add(a.p, s)
	}
	a.start = a.intern()
}

// intern returns the number of the node that is in the collected states.
func (a *automaton) intern() int32 {
	list := a.work.list
	slices.Sort(list)
	key := make([]byte, 0, 4*len(list))
	for _, n := range list {
		key = binary.NativeEndian.AppendUint32(key, uint32(n))
	}
	if n, ok := a.known[string(key)]; ok {
		return n
	}
	nd := node{states: string(key), next: make([]int32, a.width), accept: a.accept(list)}
	n := int32(len(a.nodes))
	a.nodes = append(a.nodes, nd)
	a.known[nd.states] = n
	a.memory += len(key) + 4*(len(nd.next)+len(nd.accept)) + 150
	return n
}

// accept lists the ranks of the matching specifications, best first, without those
// that another one hides for every file type.
func (a *automaton) accept(list []int32) []int32 {
	var ranks []int32
	for _, n := range list {
		if s := &a.p.states[n]; s.op == opMatch {
			ranks = append(ranks, s.out)
		}
	}
	slices.SortFunc(ranks, func(x, y int32) int { return int(y - x) })
	out := ranks[:0]
	seen := map[uint32]bool{}
	for _, r := range ranks {
		if typ := a.types[r]; !seen[typ] {
			seen[typ] = true
			out = append(out, r)
			if typ == 0 {
				break
			}
		}
	}
	return slices.Clip(out)
}

// step goes on from node at with byte b.
func (a *automaton) step(at int32, b byte) int32 {
	class := a.classes[b]
	if next := a.nodes[at].next[class]; next != 0 {
		return next
	}
	from := a.nodes[at].states
	full := a.memory > a.limit
	if full {
		a.reset()
	}
	a.work.start(a.p)
	rep := a.one[class]
	for i := 0; i < len(from); i += 4 {
		s := &a.p.states[binary.NativeEndian.Uint32([]byte(from[i:i+4]))]
		if s.op != opMatch && s.takes(a.p, rep) {
			a.work.add(a.p, s.out)
		}
	}
	next := a.intern()
	if !full {
		a.nodes[at].next[class] = next
	}
	return next
}

// match returns the rank of the specification that wins for path and the file type,
// or -1. A newline at the end need not be taken, as with PCRE's $.
func (a *automaton) match(path string, typ uint32) int32 {
	at, best := a.start, int32(-1)
	for i := 0; i < len(path) && at != nodeDead; i++ {
		if i == len(path)-1 && path[i] == '\n' {
			best = a.best(at, typ)
		}
		at = a.step(at, path[i])
	}
	return max(best, a.best(at, typ))
}

// best is the best specification of a node for a file type; 0 means that the type is
// not known, and is matched by all.
func (a *automaton) best(at int32, typ uint32) int32 {
	for _, r := range a.nodes[at].accept {
		if t := a.types[r]; typ == 0 || t == 0 || t == typ {
			return r
		}
	}
	return -1
}
