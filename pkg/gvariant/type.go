package gvariant

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// typ is a parsed type string.
type typ struct {
	code     byte // '(' for tuples, '{' for entries
	text     string
	children []*typ
	align    int
	size     int // bytes of a fixed-size type; 0: not fixed
}

// parseType reads a complete type string.
func parseType(s string) (*typ, error) {
	if len(s) > MaxType {
		return nil, fmt.Errorf("type of %d bytes, at most %d are allowed: %w", len(s), MaxType, ErrMalformed)
	}
	t, rest, err := parsePrefix(s, 0)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, fmt.Errorf("type %q: %q is left over: %w", s, rest, ErrMalformed)
	}
	return t, nil
}

// known keeps parsed types: programs use the same few again and again. knownLeft is
// how many more it takes.
var (
	known     sync.Map // by text
	knownLeft atomic.Int64
)

func init() { knownLeft.Store(256) }

// knownType is parseType, which is remembered for types that are not long.
func knownType(s string) (*typ, error) {
	if t, ok := known.Load(s); ok {
		return t.(*typ), nil
	}
	t, err := parseType(s)
	if err == nil && len(s) <= 64 && knownLeft.Add(-1) >= 0 {
		known.Store(strings.Clone(s), t)
	}
	return t, err
}

// basic are the types of one letter.
var basic = func() (out [256]*typ) {
	for code, n := range map[byte]struct{ align, size int }{
		'y': {1, 1}, 'b': {1, 1}, 'n': {2, 2}, 'q': {2, 2}, 'i': {4, 4}, 'u': {4, 4}, 'h': {4, 4},
		'x': {8, 8}, 't': {8, 8}, 'd': {8, 8}, 's': {1, 0}, 'o': {1, 0}, 'g': {1, 0}, 'v': {8, 0},
	} {
		out[code] = &typ{code: code, text: string(code), align: n.align, size: n.size}
	}
	return out
}()

// isBasic tells whether a type can be the key of a dictionary entry.
func (t *typ) isBasic() bool { return basic[t.code] != nil && t.code != 'v' }

func parsePrefix(s string, depth int) (*typ, string, error) {
	if s == "" || depth > maxDepth {
		return nil, "", fmt.Errorf("type %q: %w", s, ErrMalformed)
	}
	if t := basic[s[0]]; t != nil {
		return t, s[1:], nil
	}
	switch s[0] {
	case 'a', 'm':
		c, rest, err := parsePrefix(s[1:], depth+1)
		if err != nil {
			return nil, "", err
		}
		return &typ{code: s[0], text: s[:len(s)-len(rest)], children: []*typ{c}, align: c.align}, rest, nil
	case '(', '{':
		return parseMembers(s, depth)
	}
	return nil, "", fmt.Errorf("type %q: %w", s, ErrMalformed)
}

func parseMembers(s string, depth int) (*typ, string, error) {
	t := &typ{code: s[0], align: 1}
	end := byte(')')
	if s[0] == '{' {
		end = '}'
	}
	rest := s[1:]
	for rest != "" && rest[0] != end {
		c, r, err := parsePrefix(rest, depth+1)
		if err != nil {
			return nil, "", err
		}
		t.children, rest = append(t.children, c), r
		t.align = max(t.align, c.align)
	}
	if rest == "" {
		return nil, "", fmt.Errorf("type %q does not end: %w", s, ErrMalformed)
	}
	if end == '}' && (len(t.children) != 2 || !t.children[0].isBasic()) {
		return nil, "", fmt.Errorf("type %q: a dictionary entry has a basic key and a value: %w", s, ErrMalformed)
	}
	t.text = s[:len(s)-len(rest)+1]
	t.size = fixedSize(t)
	return t, rest[1:], nil
}

// fixedSize is the size of a tuple all of whose members are fixed, else 0.
func fixedSize(t *typ) int {
	if len(t.children) == 0 {
		return 1
	}
	n := 0
	for _, c := range t.children {
		if c.size == 0 {
			return 0
		}
		n = alignUp(n, c.align) + c.size
	}
	return alignUp(n, t.align)
}

func alignUp(n, align int) int { return (n + align - 1) &^ (align - 1) }

// offsetWidth is the width of framing offsets of a container of size bytes, the
// offsets included.
func offsetWidth(size int) int {
	switch {
	case size == 0:
		return 0
	case size <= 0xff:
		return 1
	case size <= 0xffff:
		return 2
	case uint64(size) <= 0xffffffff:
		return 4
	}
	return 8
}

// widthFor is the width that a container of body bytes and n offsets gets.
func widthFor(body, n int) int {
	for _, w := range []int{1, 2, 4} {
		if offsetWidth(body+n*w) <= w {
			return w
		}
	}
	return 8
}
