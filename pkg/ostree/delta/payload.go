package delta

import "github.com/treewright/treewright/pkg/ostree"

// PartStats is how much there is in a part.
type PartStats struct {
	Modes, Xattrs int // different ones
	Blob, Ops     int // bytes
	// Count is how often each operation stands there, by its code.
	Count map[byte]int
}

// StatPart counts what is in a part. file is the part's file; objects are those of its
// header: how an operation is written depends on the type of the object that is next.
// Nothing is executed. The error wraps [ErrMalformed] or [ostree.ErrUnsupported].
func StatPart(file []byte, objects []ObjectName) (*PartStats, error) {
	p, err := decodePart(file)
	if err != nil {
		return nil, err
	}
	s := &PartStats{Modes: len(p.modes), Xattrs: len(p.xattrs), Blob: len(p.blob), Ops: len(p.ops), Count: map[byte]int{}}
	p.objects = objects
	for ; len(p.ops) > 0; p.done++ {
		code := p.ops[0]
		p.ops = p.ops[1:]
		s.Count[code]++
		n, err := p.operands(code)
		if err != nil {
			return nil, err
		}
		for range n {
			if _, err := p.varint(); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// operands is how many numbers follow an operation. Objects that it ends are done.
func (p *payload) operands(code byte) (int, error) {
	op, ok := operations[code]
	if !ok {
		return 0, p.bad("it is not known")
	}
	if code != 'S' && code != 'c' {
		return op.operands, nil
	}
	o, err := p.next()
	if err != nil {
		return 0, err
	}
	p.objects = p.objects[1:]
	switch {
	case code == 'c':
		return 0, nil
	case o.Type == ostree.TypeFile:
		return 4, nil
	}
	return 2, nil
}
