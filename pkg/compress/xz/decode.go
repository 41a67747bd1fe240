package xz

import (
	"encoding/binary"
	"fmt"
)

// endMarker is the distance that ends an LZMA stream.
const endMarker = 1<<32 - 1

// run decodes symbols from in, which holds maxSymbol bytes behind inEnd, until inEnd is
// passed or, in the window, outEnd is reached or passed. It returns how much of in was used.
//
// All that changes with each bit is in variables of this function, and the steps of the
// most frequent symbol, the literal, stand here and not in functions: this is where the
// time goes.
func (d *lzma) run(in []byte, inEnd, outEnd int) (used int, ended bool, err error) {
	c := coder{d.rng, d.code, 0}
	buf, out := d.buf, d.end
	p := &d.probs
	pbMask, lpMask := uint32(1)<<d.pb-1, uint32(1)<<d.lp-1
	lc := d.lc & 15
	state := d.state
	rep0 := d.reps[0]
	pos := uint32(d.total) // of the next byte, for contexts
	for out < outEnd && c.pos <= inEnd {
		posState := pos & pbMask
		model := &p.isMatch[(state<<maxPB+posState)%(states*posStates)]
		var bit uint32
		if c, bit = c.bit(in, model); bit == 0 {
			var last uint32
			if out > d.begin {
				last = uint32(buf[out-1])
			}
			context := (pos&lpMask)<<lc + last>>(8-lc)
			probs := (*[literalLen]uint16)(d.literal[context*literalLen:])
			var sym uint32
			if state < 7 {
				c, sym = c.literal(in, (*[256]uint16)(probs[:256]))
			} else {
				at := out - int(rep0) - 1
				if at < d.begin {
					return 0, false, fmt.Errorf("a match goes %d bytes back, there are %d: %w", rep0+1, out-d.begin, ErrMalformed)
				}
				c, sym = c.matched(in, probs, uint32(buf[at]))
			}
			buf[out] = byte(sym)
			out++
			pos++
			state = afterLiteral[state%states]
			continue
		}
		var length uint32
		if c, bit = c.bit(in, &p.isRep[state%states]); bit == 0 {
			d.reps[3], d.reps[2], d.reps[1] = d.reps[2], d.reps[1], rep0
			c, length = c.length(in, &p.matchLen, posState)
			c, rep0 = c.distance(in, p, length)
			if rep0 == endMarker {
				d.keep(c, out, state, rep0)
				return c.pos, true, nil
			}
			state = afterMatch(state, 7)
		} else {
			var single bool
			c, length, rep0, single = c.repeat(in, d, state, posState, rep0)
			if single {
				state = afterMatch(state, 9)
			} else {
				state = afterMatch(state, 8)
			}
		}
		if int64(rep0) >= int64(out-d.begin) || int(rep0) >= d.size {
			return 0, false, fmt.Errorf("a match goes %d bytes back, there are %d: %w", uint64(rep0)+1, out-d.begin, ErrMalformed)
		}
		repeatBytes(buf, out, int(rep0)+1, int(length))
		out += int(length)
		pos += length
	}
	d.keep(c, out, state, rep0)
	return c.pos, false, nil
}

// finish reads what the encoder may have put behind the last symbol.
func (d *lzma) finish(in []byte, used int) int {
	if d.rng < top {
		d.rng <<= 8
		d.code = d.code<<8 | uint32(in[used])
		used++
	}
	return used
}

// keep stores what the next run begins with.
func (d *lzma) keep(c coder, out int, state, rep0 uint32) {
	d.rng, d.code, d.state, d.reps[0] = c.rng, c.code, state, rep0
	d.total += int64(out - d.end)
	d.end = out
}

var afterLiteral = [states]uint32{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5}

// afterMatch is the state behind a match: early, when the one before began with a
// literal.
func afterMatch(state, early uint32) uint32 {
	switch {
	case state < 7:
		return early
	case early == 7:
		return 10
	}
	return 11
}

// literal decodes a byte behind a literal; the result has a 1 in front.
func (c coder) literal(in []byte, p *[256]uint16) (coder, uint32) {
	sym := uint32(1)
	for sym < 0x100 {
		if c.rng < top {
			c.rng <<= 8
			c.code = c.code<<8 | uint32(in[c.pos])
			c.pos++
		}
		v := uint32(p[uint8(sym)])
		bound := c.rng >> 11 * v
		if c.code < bound {
			c.rng = bound
			p[uint8(sym)] = uint16(v + (2048-v)>>5)
			sym <<= 1
		} else {
			c.rng -= bound
			c.code -= bound
			p[uint8(sym)] = uint16(v - v>>5)
			sym = sym<<1 | 1
		}
	}
	return c, sym
}

// matched decodes a byte behind a match, which is likely not the one that the match
// would have gone on with.
func (c coder) matched(in []byte, p *[literalLen]uint16, match uint32) (coder, uint32) {
	sym, offset := uint32(1), uint32(0x100)
	for sym < 0x100 {
		match <<= 1
		b := match & offset
		if c.rng < top {
			c.rng <<= 8
			c.code = c.code<<8 | uint32(in[c.pos])
			c.pos++
		}
		q := &p[offset+b+sym]
		v := uint32(*q)
		bound := c.rng >> 11 * v
		if c.code < bound {
			c.rng = bound
			*q = uint16(v + (2048-v)>>5)
			sym <<= 1
			offset &^= b
		} else {
			c.rng -= bound
			c.code -= bound
			*q = uint16(v - v>>5)
			sym = sym<<1 | 1
			offset &= b
		}
	}
	return c, sym
}

// repeat decodes a match with one of the last distances; single is one byte.
func (c coder) repeat(in []byte, d *lzma, state, posState, rep0 uint32) (_ coder, length, rep uint32, single bool) {
	p, s := &d.probs, state%states
	c, bit := c.bit(in, &p.isRepG0[s])
	if bit == 0 {
		if c, bit = c.bit(in, &p.isRep0Long[(state<<maxPB+posState)%(states*posStates)]); bit == 0 {
			return c, 1, rep0, true
		}
	} else {
		was := rep0
		if c, bit = c.bit(in, &p.isRepG1[s]); bit == 0 {
			rep0 = d.reps[1]
		} else {
			if c, bit = c.bit(in, &p.isRepG2[s]); bit == 0 {
				rep0 = d.reps[2]
			} else {
				rep0 = d.reps[3]
				d.reps[3] = d.reps[2]
			}
			d.reps[2] = d.reps[1]
		}
		d.reps[1] = was
	}
	c, length = c.length(in, &p.repLen, posState)
	return c, length, rep0, false
}

// repeatBytes copies length bytes from dist before at. The buffer has room behind.
func repeatBytes(buf []byte, at, dist, length int) {
	from := at - dist
	if dist >= 8 {
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(buf[at+i:], binary.LittleEndian.Uint64(buf[from+i:]))
		}
		return
	}
	if dist == 1 {
		b := buf[from]
		for i := range buf[at : at+length] {
			buf[at+i] = b
		}
		return
	}
	for i := range length {
		buf[at+i] = buf[from+i]
	}
}
