package gvariant

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Encode returns the bytes of v as type t, in normal form. Every error wraps
// [ErrType], or [ErrMalformed] when t is no type.
func Encode(t string, v any) ([]byte, error) {
	p, err := knownType(t)
	if err != nil {
		return nil, err
	}
	e := encoder{}
	if err := e.value(p, v); err != nil {
		return nil, err
	}
	return e.out, nil
}

// encoder appends to out. Alignment counts from the start of the buffer, which is
// aligned for everything.
type encoder struct {
	out   []byte
	depth int
}

func (e *encoder) pad(align int) {
	for len(e.out)&(align-1) != 0 {
		e.out = append(e.out, 0)
	}
}

func misfit(t *typ, v any) error { return fmt.Errorf("%T as %q: %w", v, t.text, ErrType) }

func (e *encoder) value(t *typ, v any) error {
	if e.depth > maxDepth {
		return fmt.Errorf("%q is nested too deep: %w", t.text, ErrType)
	}
	e.depth++
	defer func() { e.depth-- }()
	e.pad(t.align)
	switch t.code {
	case 's', 'o', 'g':
		s, ok := v.(string)
		if !ok || strings.IndexByte(s, 0) >= 0 || !validString(t.code, s) {
			return misfit(t, v)
		}
		e.out = append(append(e.out, s...), 0)
		return nil
	case 'v':
		return e.variant(t, v)
	case 'm':
		return e.maybe(t, v)
	case 'a':
		return e.array(t, v)
	case '(':
		m, ok := v.(Tuple)
		if !ok || len(m) != len(t.children) {
			return misfit(t, v)
		}
		return e.members(t, m)
	case '{':
		m, ok := v.(Entry)
		if !ok {
			return misfit(t, v)
		}
		return e.members(t, Tuple{m.Key, m.Value})
	}
	return e.fixed(t, v)
}

// fixed appends a number or a boolean.
func (e *encoder) fixed(t *typ, v any) error {
	le := binary.LittleEndian
	switch x := v.(type) {
	case byte:
		if t.code == 'y' {
			e.out = append(e.out, x)
			return nil
		}
	case bool:
		if t.code == 'b' {
			b := byte(0)
			if x {
				b = 1
			}
			e.out = append(e.out, b)
			return nil
		}
	case int16:
		if t.code == 'n' {
			e.out = le.AppendUint16(e.out, uint16(x))
			return nil
		}
	case uint16:
		if t.code == 'q' {
			e.out = le.AppendUint16(e.out, x)
			return nil
		}
	case int32:
		if t.code == 'i' || t.code == 'h' {
			e.out = le.AppendUint32(e.out, uint32(x))
			return nil
		}
	case uint32:
		if t.code == 'u' {
			e.out = le.AppendUint32(e.out, x)
			return nil
		}
	case int64:
		if t.code == 'x' {
			e.out = le.AppendUint64(e.out, uint64(x))
			return nil
		}
	case uint64:
		if t.code == 't' {
			e.out = le.AppendUint64(e.out, x)
			return nil
		}
	case float64:
		if t.code == 'd' {
			e.out = le.AppendUint64(e.out, math.Float64bits(x))
			return nil
		}
	}
	return misfit(t, v)
}

func (e *encoder) variant(t *typ, v any) error {
	x, ok := v.(Variant)
	if !ok {
		return misfit(t, v)
	}
	inner, err := parseType(x.Type)
	if err != nil {
		return err
	}
	if err := e.value(inner, x.Value); err != nil {
		return err
	}
	e.out = append(append(e.out, 0), x.Type...)
	return nil
}

func (e *encoder) maybe(t *typ, v any) error {
	if v == nil {
		return nil
	}
	j, ok := v.(Just)
	if !ok {
		return misfit(t, v)
	}
	if err := e.value(t.children[0], j.Value); err != nil {
		return err
	}
	if t.children[0].size == 0 {
		e.out = append(e.out, 0)
	}
	return nil
}

func (e *encoder) array(t *typ, v any) error {
	c := t.children[0]
	if c.code == 'y' {
		b, ok := v.([]byte)
		if !ok {
			return misfit(t, v)
		}
		e.out = append(e.out, b...)
		return nil
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		return misfit(t, v)
	}
	start := len(e.out)
	var ends []int
	for _, x := range list {
		if err := e.value(c, x); err != nil {
			return err
		}
		ends = append(ends, len(e.out)-start)
	}
	if c.size == 0 {
		e.offsets(ends, len(e.out)-start)
	}
	return nil
}

func (e *encoder) members(t *typ, m Tuple) error {
	start := len(e.out)
	if len(m) == 0 {
		e.out = append(e.out, 0)
		return nil
	}
	var ends []int
	for i, c := range t.children {
		if err := e.value(c, m[i]); err != nil {
			return err
		}
		if c.size == 0 && i < len(m)-1 {
			ends = append(ends, len(e.out)-start)
		}
	}
	if t.size > 0 {
		for len(e.out)-start < t.size {
			e.out = append(e.out, 0)
		}
		return nil
	}
	slices.Reverse(ends)
	e.offsets(ends, len(e.out)-start)
	return nil
}

// offsets appends framing offsets of a container with body bytes.
func (e *encoder) offsets(ends []int, body int) {
	if len(ends) == 0 {
		return
	}
	w := widthFor(body, len(ends))
	for _, n := range ends {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		e.out = append(e.out, b[:w]...)
	}
}
