package xz

import (
	"encoding/binary"
	"fmt"
)

// Sizes of the tables of probabilities.
const (
	states     = 12
	maxPB      = 4
	posStates  = 1 << maxPB
	literalLen = 0x300
	maxMatch   = 273
)

// maxSymbol is the most bytes of input that one literal or match takes; a decoder that
// has them need not look whether there are any.
const maxSymbol = 32

const half = 1 << 10 // a probability of one half

// lengths are the probabilities of a match's length.
type lengths struct {
	choice, choice2 uint16
	low, mid        [posStates][8]uint16
	high            [256]uint16
}

// probabilities are the model, but for literals.
type probabilities struct {
	isMatch, isRep0Long              [states * posStates]uint16
	isRep, isRepG0, isRepG1, isRepG2 [states]uint16
	slot                             [4][64]uint16
	special                          [128]uint16
	align                            [16]uint16
	matchLen, repLen                 lengths
}

func reset(p []uint16) {
	for i := range p {
		p[i] = half
	}
}

func (p *probabilities) reset() {
	for _, t := range [][]uint16{p.isMatch[:], p.isRep0Long[:], p.isRep[:], p.isRepG0[:], p.isRepG1[:], p.isRepG2[:], p.special[:], p.align[:]} {
		reset(t)
	}
	for i := range p.slot {
		reset(p.slot[i][:])
	}
	for _, l := range []*lengths{&p.matchLen, &p.repLen} {
		l.choice, l.choice2 = half, half
		for i := range l.low {
			reset(l.low[i][:])
			reset(l.mid[i][:])
		}
		reset(l.high[:])
	}
}

// lzma decodes LZMA symbols into a window.
type lzma struct {
	window
	probs   probabilities
	literal []uint16 // literalLen for each context
	lc, lp  uint
	pb      uint
	state   uint32
	reps    [4]uint32 // distances used last, less one
	code    uint32
	rng     uint32
}

// properties sets lc, lp and pb from their byte.
func (d *lzma) properties(b byte) error {
	if b >= 9*5*5 {
		return fmt.Errorf("LZMA properties %#x: %w", b, ErrMalformed)
	}
	d.lc, d.lp, d.pb = uint(b%9), uint(b/9%5), uint(b/9/5)
	if n := literalLen << (d.lc + d.lp); n <= cap(d.literal) {
		d.literal = d.literal[:n]
	} else {
		d.literal = make([]uint16, n)
	}
	return nil
}

// resetState forgets what was learned.
func (d *lzma) resetState() {
	d.probs.reset()
	reset(d.literal)
	d.state, d.reps = 0, [4]uint32{}
}

// start begins with the five bytes in front of range coded data.
func (d *lzma) start(in []byte) error {
	if in[0] != 0 {
		return fmt.Errorf("range coder begins with %#x: %w", in[0], ErrMalformed)
	}
	d.rng, d.code = 1<<32-1, binary.BigEndian.Uint32(in[1:])
	return nil
}

// coder is a range decoder at work, in registers.
type coder struct {
	rng, code uint32
	pos       int
}

const top = 1 << 24

// bit decodes one bit.
func (c coder) bit(in []byte, p *uint16) (coder, uint32) {
	if c.rng < top {
		c.rng <<= 8
		c.code = c.code<<8 | uint32(in[c.pos])
		c.pos++
	}
	v := uint32(*p)
	bound := c.rng >> 11 * v
	if c.code < bound {
		c.rng = bound
		*p = uint16(v + (2048-v)>>5)
		return c, 0
	}
	c.rng -= bound
	c.code -= bound
	*p = uint16(v - v>>5)
	return c, 1
}

// tree decodes bits from the highest down; the result has a 1 in front.
func (c coder) tree(in []byte, p []uint16, bits int) (coder, uint32) {
	sym := uint32(1)
	for ; bits > 0; bits-- {
		if c.rng < top {
			c.rng <<= 8
			c.code = c.code<<8 | uint32(in[c.pos])
			c.pos++
		}
		v := uint32(p[sym])
		bound := c.rng >> 11 * v
		if c.code < bound {
			c.rng = bound
			p[sym] = uint16(v + (2048-v)>>5)
			sym <<= 1
		} else {
			c.rng -= bound
			c.code -= bound
			p[sym] = uint16(v - v>>5)
			sym = sym<<1 | 1
		}
	}
	return c, sym
}

// reverse decodes bits from the lowest up.
func (c coder) reverse(in []byte, p []uint16, bits int) (coder, uint32) {
	sym, out := uint32(1), uint32(0)
	for i := range bits {
		var b uint32
		c, b = c.bit(in, &p[sym])
		sym = sym<<1 | b
		out |= b << i
	}
	return c, out
}

// direct decodes bits without a probability.
func (c coder) direct(in []byte, bits int) (coder, uint32) {
	var out uint32
	for ; bits > 0; bits-- {
		if c.rng < top {
			c.rng <<= 8
			c.code = c.code<<8 | uint32(in[c.pos])
			c.pos++
		}
		c.rng >>= 1
		c.code -= c.rng
		mask := -(c.code >> 31) // all ones: the bit is 0
		c.code += c.rng & mask
		out = out<<1 + mask + 1
	}
	return c, out
}

// length decodes a match's length.
func (c coder) length(in []byte, l *lengths, posState uint32) (coder, uint32) {
	c, b := c.bit(in, &l.choice)
	if b == 0 {
		c, n := c.tree(in, l.low[posState&(posStates-1)][:], 3)
		return c, n - 8 + 2
	}
	c, b = c.bit(in, &l.choice2)
	if b == 0 {
		c, n := c.tree(in, l.mid[posState&(posStates-1)][:], 3)
		return c, n - 8 + 10
	}
	c, n := c.tree(in, l.high[:], 8)
	return c, n - 256 + 18
}

// distance decodes how far back a match is, less one.
func (c coder) distance(in []byte, p *probabilities, length uint32) (coder, uint32) {
	const lengthStates, firstModel, endModel = 4, 4, 14
	c, slot := c.tree(in, p.slot[min(length-2, lengthStates-1)][:], 6)
	slot -= 64
	if slot < firstModel {
		return c, slot
	}
	bits := int(slot>>1) - 1
	dist := (2 | slot&1) << bits
	if slot < endModel {
		c, low := c.reverse(in, p.special[dist-slot:], bits)
		return c, dist + low
	}
	c, high := c.direct(in, bits-4)
	dist += high << 4
	c, low := c.reverse(in, p.align[:], 4)
	return c, dist + low
}
