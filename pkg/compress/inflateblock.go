package compress

import (
	"encoding/binary"
	"fmt"
)

// stored copies a block that is not compressed.
func stored(b *bitReader, dst []byte, out int) (int, error) {
	b.take(b.n & 7)
	at := b.pos()
	if at+4 > len(b.src) {
		return out, fmt.Errorf("it ends early: %w", ErrDeflate)
	}
	n := int(binary.LittleEndian.Uint16(b.src[at:]))
	if n^0xffff != int(binary.LittleEndian.Uint16(b.src[at+2:])) {
		return out, fmt.Errorf("length of a stored block: %w", ErrDeflate)
	}
	at += 4
	if at+n > len(b.src) || out+n > len(dst) {
		return out, fmt.Errorf("stored block of %d bytes: %w", n, ErrDeflate)
	}
	copy(dst[out:], b.src[at:at+n])
	b.at, b.bits, b.n = at+n, 0, 0
	return out + n, nil
}

// fixed makes the tables of blocks that have none.
func (z *Inflater) fixed() error {
	if z.isFixed {
		return nil
	}
	z.isFixed = true
	for i := range 288 {
		switch {
		case i < 144:
			z.lens[i] = 8
		case i < 256:
			z.lens[i] = 9
		case i < 280:
			z.lens[i] = 7
		default:
			z.lens[i] = 8
		}
	}
	if err := z.lit.build(z.lens[:288], litBits, litEntry); err != nil {
		return err
	}
	for i := range 32 {
		z.lens[i] = 5
	}
	return z.dist.build(z.lens[:32], distBits, distEntry)
}

// dynamic reads the tables of a block.
func (z *Inflater) dynamic(b *bitReader) error {
	z.isFixed = false
	b.fill()
	lits, dists, codes := b.take(5)+257, b.take(5)+1, b.take(4)+4
	if lits > 286 || dists > 30 {
		return fmt.Errorf("%d lengths and %d distances: %w", lits, dists, ErrDeflate)
	}
	clear(z.lens[:19])
	for i := range codes {
		b.fill()
		z.lens[lensOrder[i]] = uint8(b.take(3))
	}
	if err := z.codes.build(z.lens[:19], lensBits, plainEntry); err != nil {
		return err
	}
	if err := z.lengths(b, lits+dists); err != nil {
		return err
	}
	if z.lens[256] == 0 {
		return fmt.Errorf("block without an end: %w", ErrDeflate)
	}
	if err := z.lit.build(z.lens[:lits], litBits, litEntry); err != nil {
		return err
	}
	return z.dist.build(z.lens[lits:lits+dists], distBits, distEntry)
}

// lengths reads n lengths of codes.
func (z *Inflater) lengths(b *bitReader, n int) error {
	for i := 0; i < n; {
		b.fill()
		e := z.codes.table[b.bits&(1<<lensBits-1)]
		if e&flagOther != 0 {
			return errBadCode
		}
		b.take(uint(e & 0xff))
		symbol := e >> valueShift
		if symbol < 16 {
			z.lens[i] = uint8(symbol)
			i++
			continue
		}
		var again int
		var l uint8
		switch {
		case symbol == 16 && i == 0:
			return fmt.Errorf("nothing to repeat: %w", ErrDeflate)
		case symbol == 16:
			again, l = 3+b.take(2), z.lens[i-1]
		case symbol == 17:
			again = 3 + b.take(3)
		default:
			again = 11 + b.take(7)
		}
		if i+again > n {
			return fmt.Errorf("too many lengths: %w", ErrDeflate)
		}
		for range again {
			z.lens[i] = l
			i++
		}
	}
	return nil
}

// block inflates one block behind its tables.
func (z *Inflater) block(b *bitReader, dst []byte, out int) (int, error) {
	lit, dist := z.lit.table[:1<<litBits], z.dist.table[:1<<distBits]
	for {
		if b.at > len(b.src)+8 { // more bits than there are
			return out, fmt.Errorf("it ends early: %w", ErrDeflate)
		}
		b.fill()
		e := lit[b.bits&(1<<litBits-1)]
		for range 3 { // literals of 15 bits at most each: 11 are left
			if e&flagLiteral == 0 {
				break
			}
			if out >= len(dst) {
				return out, errTooLong
			}
			b.bits >>= e & 63
			b.n -= uint(e & 63)
			dst[out] = byte(e >> valueShift)
			out++
			e = lit[b.bits&(1<<litBits-1)]
		}
		if e&flagLiteral != 0 {
			continue
		}
		b.fill()
		if e&flagOther != 0 {
			if e&flagEnd != 0 {
				b.take(uint(e & 63))
				return out, nil
			}
			if e>>valueShift == 0 {
				return out, errBadCode
			}
			b.take(litBits)
			e = z.lit.table[uint64(e>>valueShift)+b.bits&(1<<z.lit.sub-1)]
			switch {
			case e&flagEnd != 0:
				b.take(uint(e & 63))
				return out, nil
			case e&flagOther != 0:
				return out, errBadCode
			case e&flagLiteral != 0:
				if out >= len(dst) {
					return out, errTooLong
				}
				b.take(uint(e & 63))
				dst[out] = byte(e >> valueShift)
				out++
				continue
			}
		}
		b.take(uint(e & 63))
		length := int(e>>valueShift) + b.take(uint(e>>extraShift&extraMask))
		e = dist[b.bits&(1<<distBits-1)]
		if e&flagOther != 0 {
			if e>>valueShift == 0 {
				return out, errBadCode
			}
			b.take(distBits)
			e = z.dist.table[uint64(e>>valueShift)+b.bits&(1<<z.dist.sub-1)]
			if e&flagOther != 0 {
				return out, errBadCode
			}
		}
		b.take(uint(e & 63))
		from := out - int(e>>valueShift) - b.take(uint(e>>extraShift&extraMask))
		if from < 0 || length > len(dst)-out {
			return out, errTooLong
		}
		repeat(dst, out, from, length)
		out += length
	}
}

var errTooLong = fmt.Errorf("it goes on, or refers to what is before it: %w", ErrDeflate)

// repeat copies bytes that came before, which may overlap with where they go.
func repeat(dst []byte, out, from, length int) {
	if out-from >= 8 && out+length+8 <= len(dst) {
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(dst[out+i:], binary.LittleEndian.Uint64(dst[from+i:]))
		}
		return
	}
	if out-from >= length {
		copy(dst[out:out+length], dst[from:])
		return
	}
	for i := range length {
		dst[out+i] = dst[from+i]
	}
}
