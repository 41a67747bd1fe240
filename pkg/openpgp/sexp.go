package openpgp

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// sexp is an S-expression: an atom, or a list, whose head is an atom as a rule.
type sexp struct {
	atom string
	list []sexp // nil: an atom
}

// Limits of S-expressions.
const (
	maxSexp      = 64 << 10 // bytes
	maxSexpDepth = 16
)

// get is the list below s that has this head.
func (s sexp) get(head string) (sexp, bool) {
	for _, x := range s.list {
		if x.head() == head {
			return x, true
		}
	}
	return sexp{}, false
}

// value is the atom behind the head of the list below s that has this head.
func (s sexp) value(head string) string {
	x, _ := s.get(head)
	if len(x.list) < 2 {
		return ""
	}
	return x.list[1].atom
}

func (s sexp) head() string {
	if len(s.list) == 0 {
		return ""
	}
	return s.list[0].atom
}

// parseSexp reads an S-expression in the canonical form, as in (3:abc), or in that for
// people: words, "strings" without escapes, and #hexadecimal digits#.
func parseSexp(text string) (sexp, error) {
	if len(text) > maxSexp {
		return sexp{}, fmt.Errorf("S-expression of %d bytes, at most %d are allowed: %w", len(text), maxSexp, ErrMalformed)
	}
	p := &sexpParser{rest: text}
	s, err := p.value(0)
	if err != nil {
		return sexp{}, fmt.Errorf("S-expression at %d: %w", len(text)-len(p.rest), err)
	}
	return s, nil
}

type sexpParser struct{ rest string }

const sexpSpace = " \t\r\n"

func (p *sexpParser) value(depth int) (sexp, error) {
	p.rest = strings.TrimLeft(p.rest, sexpSpace)
	if !strings.HasPrefix(p.rest, "(") {
		atom, err := p.atom()
		return sexp{atom: atom}, err
	}
	if depth == maxSexpDepth {
		return sexp{}, fmt.Errorf("more than %d lists in one another: %w", maxSexpDepth, ErrMalformed)
	}
	p.rest = p.rest[1:]
	s := sexp{list: []sexp{}}
	for {
		p.rest = strings.TrimLeft(p.rest, sexpSpace)
		if strings.HasPrefix(p.rest, ")") {
			p.rest = p.rest[1:]
			return s, nil
		}
		x, err := p.value(depth + 1)
		if err != nil {
			return sexp{}, err
		}
		s.list = append(s.list, x)
	}
}

func (p *sexpParser) atom() (string, error) {
	if p.rest == "" {
		return "", fmt.Errorf("ends early: %w", ErrMalformed)
	}
	switch c := p.rest[0]; {
	case c == '"' || c == '#':
		atom, rest, ok := strings.Cut(p.rest[1:], string(c))
		if !ok {
			return "", fmt.Errorf("no closing %c: %w", c, ErrMalformed)
		}
		p.rest = rest
		if c == '"' {
			return atom, nil
		}
		b, err := hex.DecodeString(strings.Join(strings.Fields(atom), ""))
		if err != nil {
			return "", fmt.Errorf("%v: %w", err, ErrMalformed)
		}
		return string(b), nil
	case c >= '0' && c <= '9':
		return p.counted()
	}
	n := strings.IndexAny(p.rest, sexpSpace+"()#\"")
	if n < 0 {
		n = len(p.rest)
	}
	if n == 0 {
		return "", fmt.Errorf("unexpected %q: %w", p.rest[0], ErrMalformed)
	}
	atom := p.rest[:n]
	p.rest = p.rest[n:]
	return atom, nil
}

// counted reads LENGTH:BYTES.
func (p *sexpParser) counted() (string, error) {
	n := 0
	for i, c := range []byte(p.rest) {
		if c == ':' {
			if rest := p.rest[i+1:]; n <= len(rest) {
				p.rest = rest[n:]
				return rest[:n], nil
			}
			break
		}
		if c < '0' || c > '9' || n > maxSexp {
			break
		}
		n = n*10 + int(c-'0')
	}
	return "", fmt.Errorf("wrong length: %w", ErrMalformed)
}
