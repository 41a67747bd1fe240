package gvariant

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// as makes the value, whose type is t.
func (n *node) as(t *typ) (any, error) {
	switch n.kind {
	case kindTyped:
		return n.kids[0].as(t) // what is said nearer to the value does not count
	case kindMaybe:
		if t.code != 'm' {
			return nil, n.misfit(t)
		}
		if len(n.kids) == 0 {
			return nil, nil
		}
		v, err := n.kids[0].as(t.children[0])
		return Just{v}, err
	}
	if t.code == 'm' { // what it holds can stand for it
		v, err := n.as(t.children[0])
		return Just{v}, err
	}
	switch n.kind {
	case kindArray, kindDict:
		return n.asArray(t)
	case kindTuple, kindEntry:
		return n.asTuple(t)
	}
	return n.asBasic(t)
}

func (n *node) misfit(t *typ) error { return n.wrong("can not parse as value of type '%s'", t.text) }

func (n *node) asBasic(t *typ) (any, error) {
	switch {
	case n.kind == kindVariant && t.code == 'v':
		return n.kids[0].resolve()
	case n.kind == kindBool && t.code == 'b':
		return n.text == "true", nil
	case n.kind == kindBytes && t.text == "ay":
		return []byte(n.text), nil
	case n.kind == kindString && strings.IndexByte("sog", t.code) >= 0:
		if !validString(t.code, n.text) {
			return nil, n.wrong("not a valid %s", map[byte]string{'o': "object path", 'g': "signature"}[t.code])
		}
		return n.text, nil
	case n.kind == kindNumber && t.code == 'd':
		return n.asDouble()
	case n.kind == kindNumber:
		return n.asInteger(t)
	}
	return nil, n.misfit(t)
}

func (n *node) asArray(t *typ) (any, error) {
	if t.code != 'a' || n.kind == kindDict && t.children[0].code != '{' {
		return nil, n.misfit(t)
	}
	c := t.children[0]
	if n.kind == kindDict {
		return n.asDict(c)
	}
	list := make([]any, len(n.kids))
	raw := make([]byte, 0, len(n.kids))
	for i, k := range n.kids {
		v, err := k.as(c)
		if err != nil {
			return nil, err
		}
		list[i] = v
		if y, ok := v.(byte); ok {
			raw = append(raw, y)
		}
	}
	if c.code == 'y' {
		return raw, nil
	}
	return list, nil
}

func (n *node) asDict(entry *typ) (any, error) {
	list := make([]any, 0, len(n.kids)/2)
	for i := 0; i < len(n.kids); i += 2 {
		k, err := n.kids[i].as(entry.children[0])
		if err != nil {
			return nil, err
		}
		v, err := n.kids[i+1].as(entry.children[1])
		if err != nil {
			return nil, err
		}
		list = append(list, Entry{k, v})
	}
	return list, nil
}

func (n *node) asTuple(t *typ) (any, error) {
	if t.code != map[byte]byte{kindTuple: '(', kindEntry: '{'}[n.kind] || len(t.children) != len(n.kids) {
		return nil, n.misfit(t)
	}
	m := make(Tuple, len(n.kids))
	for i, k := range n.kids {
		v, err := k.as(t.children[i])
		if err != nil {
			return nil, err
		}
		m[i] = v
	}
	if n.kind == kindEntry {
		return Entry{m[0], m[1]}, nil
	}
	return m, nil
}

// isHex tells whether a number is hexadecimal.
func isHex(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X")
}

// numberPattern is d for what has a point or an exponent.
func (n *node) numberPattern() byte {
	s := n.text
	if strings.Contains(s, ".") || strings.Contains(s, "e") && !strings.HasPrefix(s, "0x") ||
		strings.Contains(s, "inf") || strings.Contains(s, "nan") {
		return 'd'
	}
	return anyNumber
}

func (n *node) asDouble() (any, error) {
	s := n.text
	switch {
	case isHex(s) && !strings.ContainsAny(s, "pP"):
		s += "p0"
	case strings.EqualFold(strings.TrimLeft(s, "+-"), "nan") && len(s) <= len("-nan"):
		nan := uint64(0x7ff8) << 48
		if s[0] == '-' {
			nan |= 1 << 63
		}
		return math.Float64frombits(nan), nil
	}
	x, err := strconv.ParseFloat(s, 64)
	switch {
	case err == nil && !strings.Contains(s, "_"):
		return x, nil
	case errors.Is(err, strconv.ErrRange):
		return nil, n.wrong("number out of range for type 'd'")
	}
	return nil, n.wrong("invalid character in number")
}

// integers has, for each type, the largest number and what makes one of it.
var integers = map[byte]struct {
	max  uint64
	cast func(uint64) any
}{
	'y': {math.MaxUint8, func(x uint64) any { return byte(x) }},
	'n': {math.MaxInt16, func(x uint64) any { return int16(x) }},
	'q': {math.MaxUint16, func(x uint64) any { return uint16(x) }},
	'i': {math.MaxInt32, func(x uint64) any { return int32(x) }},
	'h': {math.MaxInt32, func(x uint64) any { return int32(x) }},
	'u': {math.MaxUint32, func(x uint64) any { return uint32(x) }},
	'x': {math.MaxInt64, func(x uint64) any { return int64(x) }},
	't': {math.MaxUint64, func(x uint64) any { return x }},
}

// asInteger reads digits as C does: octal ones begin with 0, hexadecimal ones with 0x.
func (n *node) asInteger(t *typ) (any, error) {
	kind, ok := integers[t.code]
	if !ok {
		return nil, n.misfit(t)
	}
	digits, negative := strings.CutPrefix(n.text, "-")
	digits = strings.TrimPrefix(digits, "+")
	base := 10
	switch {
	case negative && digits == "":
		digits = "0" // GLib takes a lone minus for a number
	case isHex(digits):
		base, digits = 16, digits[2:]
	case strings.HasPrefix(digits, "0"):
		base = 8
	}
	x, err := strconv.ParseUint(digits, base, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, n.wrong("invalid character in number")
	}
	limit := kind.max
	if negative && x > 0 {
		if strings.IndexByte("yqut", t.code) >= 0 {
			limit = 0
		} else {
			limit++
		}
		if err == nil && x <= limit {
			return kind.cast(-x), nil
		}
	}
	if err != nil || x > limit {
		return nil, n.wrong("number out of range for type '%s'", t.text)
	}
	return kind.cast(x), nil
}
