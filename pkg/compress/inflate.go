package compress

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrDeflate is wrapped when bytes are no DEFLATE stream, or one of another length than
// was promised.
var ErrDeflate = errors.New("not a DEFLATE stream of that length")

// Inflater inflates streams that are in memory as a whole, about twice as fast as
// [NewDeflateReader]. It may be used again, by one goroutine at a time.
type Inflater struct {
	lit, dist, codes huffman
	lens             [320]uint8
	isFixed          bool // the tables are those of blocks that have none
}

// An entry of a Huffman table has the bits of the code in its low byte. Above these
// are the number of extra bits, flags, and a value: a literal, the least length or
// distance, or where the second table begins.
const (
	extraShift  = 8
	extraMask   = 31
	flagLiteral = 1 << 13
	flagOther   = 1 << 14 // a second table, the end of the block, or no code
	flagEnd     = 1 << 15
	valueShift  = 16
)

// Bits that the first tables are indexed with. Codes that are longer go on in second
// ones.
const (
	litBits  = 10
	distBits = 8
	lensBits = 7
	maxBits  = 15
)

type huffman struct {
	bits  uint // of the first table
	sub   uint // of second ones
	table []uint32
}

var errBadCode = fmt.Errorf("codes do not fit: %w", ErrDeflate)

// build makes the table for codes of these lengths. entry gives a symbol's entry
// without the length. A code that is not complete is allowed when it is a single one.
func (h *huffman) build(lens []uint8, bits uint, entry func(symbol int) uint32) error {
	var count, next [maxBits + 1]int
	longest, used := 0, 0
	for _, l := range lens {
		if l > 0 {
			count[l]++
			used++
			longest = max(longest, int(l))
		}
	}
	left, code := 1, 0
	for l := 1; l <= maxBits; l++ {
		code <<= 1
		next[l] = code
		code += count[l]
		if left = left<<1 - count[l]; left < 0 {
			return errBadCode
		}
	}
	if left > 0 && !(used == 0 || used == 1 && longest == 1) {
		return errBadCode
	}
	h.bits, h.sub = bits, uint(max(0, longest-int(bits)))
	size := 1 << bits
	if cap(h.table) < size {
		h.table = make([]uint32, size, 4*size)
	}
	h.table = h.table[:size]
	for i := range h.table {
		h.table[i] = flagOther // no code
	}
	for symbol, l := range lens {
		if l > 0 {
			h.put(reverse(next[l], uint(l)), uint(l), entry(symbol))
			next[l]++
		}
	}
	return nil
}

// put fills in a code of l bits.
func (h *huffman) put(code int, l uint, e uint32) {
	if l <= h.bits {
		e |= uint32(l)
		for i := code; i < 1<<h.bits; i += 1 << l {
			h.table[i] = e
		}
		return
	}
	first := &h.table[code&(1<<h.bits-1)]
	if *first == flagOther {
		at := len(h.table)
		*first = flagOther | uint32(at)<<valueShift | uint32(h.bits)
		for range 1 << h.sub {
			h.table = append(h.table, flagOther)
		}
		first = &h.table[code&(1<<h.bits-1)]
	}
	sub := h.table[*first>>valueShift:]
	for i := code >> h.bits; i < 1<<h.sub; i += 1 << (l - h.bits) {
		sub[i] = e | uint32(l-h.bits)
	}
}

// reverse turns n bits around: DEFLATE has codes with the first bit lowest.
func reverse(code int, n uint) (out int) {
	for range n {
		out = out<<1 | code&1
		code >>= 1
	}
	return out
}

// Bases and extra bits of lengths and distances.
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	lensOrder   = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

func litEntry(s int) uint32 {
	switch {
	case s < 256:
		return flagLiteral | uint32(s)<<valueShift
	case s == 256:
		return flagOther | flagEnd
	case s-257 < len(lengthBase):
		return uint32(lengthExtra[s-257])<<extraShift | uint32(lengthBase[s-257])<<valueShift
	}
	return flagOther
}

func distEntry(s int) uint32 {
	if s >= len(distBase) {
		return flagOther
	}
	return uint32(distExtra[s])<<extraShift | uint32(distBase[s])<<valueShift
}

func plainEntry(s int) uint32 { return uint32(s) << valueShift }

// bitReader takes bits from bytes. Behind their end it gives zeros, and notes that.
type bitReader struct {
	src  []byte
	at   int    // of the byte to take next; more than len(src) behind the end
	bits uint64 // taken from src
	n    uint   // of these that count
}

// fill takes bytes until there are 56 bits or more.
func (b *bitReader) fill() {
	if b.at+8 <= len(b.src) {
		b.bits |= binary.LittleEndian.Uint64(b.src[b.at:]) << (b.n & 63)
		b.at += int((63 - b.n) >> 3)
		b.n |= 56
		return
	}
	for b.n < 56 {
		if b.at < len(b.src) {
			b.bits |= uint64(b.src[b.at]) << b.n
		}
		b.at++
		b.n += 8
	}
}

// take returns n bits, at most 16. There are enough.
func (b *bitReader) take(n uint) int {
	v := int(b.bits & (1<<n - 1))
	b.bits >>= n
	b.n -= n
	return v
}

// pos is how many bytes were begun.
func (b *bitReader) pos() int { return b.at - int(b.n>>3) }

// Inflate writes the content of the stream that src begins with to dst, which must be
// as long as that. It returns how many bytes of src the stream has. The error wraps
// [ErrDeflate].
func (z *Inflater) Inflate(dst, src []byte) (int, error) {
	b := bitReader{src: src}
	out := 0
	for last := false; !last; {
		b.fill()
		last = b.take(1) == 1
		var err error
		switch kind := b.take(2); kind {
		case 0:
			out, err = stored(&b, dst, out)
		case 1:
			if err = z.fixed(); err == nil {
				out, err = z.block(&b, dst, out)
			}
		case 2:
			if err = z.dynamic(&b); err == nil {
				out, err = z.block(&b, dst, out)
			}
		default:
			err = fmt.Errorf("block of kind 3: %w", ErrDeflate)
		}
		if err == nil && b.pos() > len(src) {
			err = fmt.Errorf("it ends early: %w", ErrDeflate)
		}
		if err != nil {
			return 0, err
		}
	}
	if out != len(dst) {
		return 0, fmt.Errorf("%d bytes of content, want %d: %w", out, len(dst), ErrDeflate)
	}
	return b.pos(), nil
}
