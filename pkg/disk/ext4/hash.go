package ext4

import (
	"encoding/binary"
	"math/bits"
)

// halfMD4 is the hash that orders the names of a folder: a shortened MD4, begun from
// the file system's seed, over pieces of 32 bytes with signed characters.
func halfMD4(seed [16]byte, name string) uint32 {
	var state [4]uint32
	for i := range state {
		state[i] = binary.LittleEndian.Uint32(seed[i*4:])
	}
	if state == [4]uint32{} {
		state = [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	}
	for first := true; first || name != ""; first = false {
		n := min(32, len(name))
		transform(&state, words(name, n))
		name = name[n:]
	}
	h := state[1] &^ 1
	if h == 0xfffffffe {
		h = 0xfffffffc
	}
	return h
}

// words packs up to 32 bytes; what is left is filled with the length of all that was
// left, in each byte.
func words(s string, n int) (out [8]uint32) {
	pad := uint32(len(s)) | uint32(len(s))<<8
	pad |= pad << 16
	value := pad
	at := 0
	for i := range n {
		value = uint32(int32(int8(s[i]))) + value<<8
		if i%4 == 3 {
			out[at], value = value, pad
			at++
		}
	}
	for ; at < len(out); at++ {
		out[at], value = value, pad
	}
	return out
}

// transform is three rounds of MD4 over eight words.
func transform(state *[4]uint32, in [8]uint32) {
	a, b, c, d := state[0], state[1], state[2], state[3]
	f := func(x, y, z uint32) uint32 { return z ^ x&(y^z) }
	g := func(x, y, z uint32) uint32 { return x&y + (x^y)&z }
	h := func(x, y, z uint32) uint32 { return x ^ y ^ z }
	round := func(fn func(x, y, z uint32) uint32, k uint32, order [8]int, s [4]int) {
		for i := 0; i < 8; i += 4 {
			a = bits.RotateLeft32(a+fn(b, c, d)+in[order[i]]+k, s[0])
			d = bits.RotateLeft32(d+fn(a, b, c)+in[order[i+1]]+k, s[1])
			c = bits.RotateLeft32(c+fn(d, a, b)+in[order[i+2]]+k, s[2])
			b = bits.RotateLeft32(b+fn(c, d, a)+in[order[i+3]]+k, s[3])
		}
	}
	round(f, 0, [8]int{0, 1, 2, 3, 4, 5, 6, 7}, [4]int{3, 7, 11, 19})
	round(g, 0x5a827999, [8]int{1, 3, 5, 7, 0, 2, 4, 6}, [4]int{3, 5, 9, 13})
	round(h, 0x6ed9eba1, [8]int{3, 7, 2, 6, 1, 5, 0, 4}, [4]int{3, 9, 11, 15})
	state[0] += a
	state[1] += b
	state[2] += c
	state[3] += d
}
