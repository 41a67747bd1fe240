package gvariant

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Decode returns the value that b holds as type t. Byte strings in the result are
// parts of b. Bytes that are not in normal form are refused.
//
// Every error wraps [ErrMalformed]: as [ErrNotNormal] when it is for the bytes, alone
// when t is no type or the value is larger than what is read.
func Decode(t string, b []byte) (any, error) {
	p, err := knownType(t)
	if err != nil {
		return nil, err
	}
	d := decoder{left: min(MaxValues, valuesPerByte*len(b)+1024)}
	return d.value(p, b, 0)
}

// valuesPerByte is more than what any type needs whose tuples are not there for their
// brackets alone.
const valuesPerByte = 10

// decoder counts the values that may still be made.
type decoder struct{ left int }

func bad(t *typ, why string) error { return fmt.Errorf("%q: %s: %w", t.text, why, ErrNotNormal) }

func tooLarge(t *typ, why string) error { return fmt.Errorf("%q: %s: %w", t.text, why, ErrMalformed) }

func (d *decoder) value(t *typ, b []byte, depth int) (any, error) {
	if depth > maxDepth {
		return nil, tooLarge(t, "nested too deep")
	}
	if d.left--; d.left < 0 {
		return nil, tooLarge(t, "too many values")
	}
	if t.size > 0 && len(b) != t.size {
		return nil, bad(t, fmt.Sprintf("%d bytes, want %d", len(b), t.size))
	}
	switch t.code {
	case 's', 'o', 'g':
		if len(b) == 0 || bytes.IndexByte(b, 0) != len(b)-1 {
			return nil, bad(t, "no string with one NUL at its end")
		}
		s := string(b[:len(b)-1])
		if !validString(t.code, s) {
			return nil, bad(t, fmt.Sprintf("%.100q is not allowed", s))
		}
		return s, nil
	case 'v':
		return d.variant(t, b, depth)
	case 'm':
		return d.maybe(t, b, depth)
	case 'a':
		return d.array(t, b, depth)
	case '(':
		return d.members(t, b, depth)
	case '{':
		m, err := d.members(t, b, depth)
		if err != nil {
			return nil, err
		}
		return Entry{m[0], m[1]}, nil
	}
	return decodeFixed(t, b)
}

// validString checks a string by the rule of its type: UTF-8, an object path, or
// complete types in a row.
func validString(code byte, s string) bool {
	switch code {
	case 'o':
		return validPath(s)
	case 'g':
		return validSignature(s)
	}
	return utf8.ValidString(s)
}

// validPath tells whether s is "/" or "/a/b_1" and the like.
func validPath(s string) bool {
	if s == "/" {
		return true
	}
	if s == "" || s[0] != '/' {
		return false
	}
	for part := range strings.SplitSeq(s[1:], "/") {
		word := func(r rune) bool {
			return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		}
		if part == "" || strings.TrimFunc(part, word) != "" {
			return false
		}
	}
	return true
}

func validSignature(s string) bool {
	if len(s) > MaxType || strings.ContainsRune(s, 'm') {
		return false // GLib knows no maybe in them, as D-Bus has none
	}
	for s != "" {
		_, rest, err := parsePrefix(s, 0)
		if err != nil {
			return false
		}
		s = rest
	}
	return true
}

func decodeFixed(t *typ, b []byte) (any, error) {
	le := binary.LittleEndian
	switch t.code {
	case 'y':
		return b[0], nil
	case 'b':
		if b[0] > 1 {
			return nil, bad(t, "boolean is neither 0 nor 1")
		}
		return b[0] == 1, nil
	case 'n':
		return int16(le.Uint16(b)), nil
	case 'q':
		return le.Uint16(b), nil
	case 'i', 'h':
		return int32(le.Uint32(b)), nil
	case 'u':
		return le.Uint32(b), nil
	case 'x':
		return int64(le.Uint64(b)), nil
	case 't':
		return le.Uint64(b), nil
	}
	return math.Float64frombits(le.Uint64(b)), nil
}

func (d *decoder) variant(t *typ, b []byte, depth int) (any, error) {
	i := bytes.LastIndexByte(b, 0)
	if i < 0 {
		return nil, bad(t, "no type")
	}
	inner, err := parseType(string(b[i+1:]))
	if err != nil {
		return nil, bad(t, fmt.Sprintf("%.100q is no type", b[i+1:]))
	}
	v, err := d.value(inner, b[:i], depth+1)
	if err != nil {
		return nil, err
	}
	return Variant{inner.text, v}, nil
}

func (d *decoder) maybe(t *typ, b []byte, depth int) (any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if t.children[0].size == 0 {
		if b[len(b)-1] != 0 {
			return nil, bad(t, "no zero byte at the end")
		}
		b = b[:len(b)-1]
	}
	v, err := d.value(t.children[0], b, depth+1)
	if err != nil {
		return nil, err
	}
	return Just{v}, nil
}

func (d *decoder) array(t *typ, b []byte, depth int) (any, error) {
	c := t.children[0]
	switch {
	case c.code == 'y':
		return b, nil
	case len(b) == 0:
		return []any{}, nil
	case c.size > 0:
		return d.fixedArray(t, b, depth)
	}
	w := offsetWidth(len(b))
	last := readOffset(b, len(b)-w, w)
	if last < 0 || last > len(b)-w || (len(b)-last)%w != 0 {
		return nil, bad(t, "framing offsets are out of range")
	}
	n := (len(b) - last) / w
	if widthFor(last, n) != w {
		return nil, bad(t, "framing offsets are wider than needed")
	}
	if n > d.left {
		return nil, tooLarge(t, "too many values")
	}
	out := make([]any, 0, n)
	at := 0
	for i := range n {
		end := readOffset(b, last+i*w, w)
		v, err := d.child(t, c, b[:last], at, end, depth)
		if err != nil {
			return nil, err
		}
		out, at = append(out, v), end
	}
	return out, nil
}

func (d *decoder) fixedArray(t *typ, b []byte, depth int) (any, error) {
	c := t.children[0]
	if len(b)%c.size != 0 {
		return nil, bad(t, "size is no multiple of the element's")
	}
	if len(b)/c.size > d.left {
		return nil, tooLarge(t, "too many values")
	}
	out := make([]any, 0, len(b)/c.size)
	for ; len(b) > 0; b = b[c.size:] {
		v, err := d.value(c, b[:c.size], depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// child decodes the value of type c that begins at the next aligned place behind at
// and ends at end.
func (d *decoder) child(t, c *typ, b []byte, at, end, depth int) (any, error) {
	start := alignUp(at, c.align)
	if start > end || end > len(b) {
		return nil, bad(t, "framing offset is out of range")
	}
	for _, p := range b[at:start] {
		if p != 0 {
			return nil, bad(t, "padding is not zero")
		}
	}
	return d.value(c, b[start:end], depth+1)
}

func (d *decoder) members(t *typ, b []byte, depth int) (Tuple, error) {
	if len(t.children) == 0 {
		if b[0] != 0 {
			return nil, bad(t, "empty tuple is not zero")
		}
		return Tuple{}, nil
	}
	framed := 0
	for _, c := range t.children[:len(t.children)-1] {
		if c.size == 0 {
			framed++
		}
	}
	w := offsetWidth(len(b))
	body := len(b)
	if t.size == 0 {
		if body -= framed * w; body < 0 || framed > 0 && widthFor(body, framed) != w {
			return nil, bad(t, "framing offsets do not fit")
		}
	}
	out := make(Tuple, 0, len(t.children))
	at, next := 0, len(b)-w
	for i, c := range t.children {
		end := body
		switch {
		case c.size > 0:
			end = alignUp(at, c.align) + c.size
		case i < len(t.children)-1:
			end = readOffset(b, next, w)
			next -= w
		}
		v, err := d.child(t, c, b[:body], at, end, depth)
		if err != nil {
			return nil, err
		}
		out, at = append(out, v), end
	}
	return out, trailing(t, b[at:body])
}

// trailing checks what is left behind the last member: the padding of a tuple of
// fixed size, nothing else.
func trailing(t *typ, rest []byte) error {
	if t.size == 0 && len(rest) > 0 {
		return bad(t, "bytes are left over")
	}
	for _, p := range rest {
		if p != 0 {
			return bad(t, "padding is not zero")
		}
	}
	return nil
}

// readOffset reads a framing offset; -1 when it does not fit an int.
func readOffset(b []byte, at, w int) int {
	var x [8]byte
	copy(x[:], b[at:at+w])
	n := binary.LittleEndian.Uint64(x[:])
	if n > math.MaxInt64/2 {
		return -1
	}
	return int(n)
}
