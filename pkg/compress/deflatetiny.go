package compress

import "math/bits"

// MaxTiny is the most content, in bytes, that [DeflateTiny] is for: there is next to
// nothing to find in so little, and writers of DEFLATE store it with seven bytes more.
const MaxTiny = 64

// DeflateTiny returns content as a raw DEFLATE stream of one block with fixed codes, as
// zlib writes it when nothing in it comes twice (RFC 1951, 3.2.6).
func DeflateTiny(content []byte) []byte {
	w := bitWriter{out: make([]byte, 0, len(content)+len(content)/8+2)}
	w.put(0b011, 3) // the last block, with fixed codes
	for _, b := range content {
		if b < 144 {
			w.put(uint(bits.Reverse8(0x30+b)), 8)
		} else {
			w.put(uint(bits.Reverse16(uint16(0x190+int(b)-144)<<7)), 9)
		}
	}
	w.put(0, 7) // the end
	return w.flush()
}

// bitWriter packs bits into bytes, the lowest first.
type bitWriter struct {
	out  []byte
	bits uint
	n    int
}

func (w *bitWriter) put(v uint, n int) {
	w.bits |= v << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
	}
}

func (w *bitWriter) flush() []byte {
	if w.n > 0 {
		w.out = append(w.out, byte(w.bits))
	}
	return w.out
}
