package selinux

import (
	"errors"
	"fmt"
	"strconv"
)

// Errors that a caller can tell apart.
var (
	// ErrMalformed is wrapped by errors about text that is no policy.
	ErrMalformed = errors.New("malformed")
	// ErrUnsupported is wrapped by errors about expressions that PCRE has and this
	// package has not.
	ErrUnsupported = errors.New("not supported")
	// ErrNoPolicy is wrapped when a root has no policy, or has it disabled.
	ErrNoPolicy = errors.New("no SELinux policy")
)

// Bounds of one expression.
const (
	maxRepeat = 65535 // PCRE's
	maxDepth  = 250   // of brackets; PCRE's
	maxStates = 10000
)

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(b byte)      { s[b>>6] |= 1 << (b & 63) }
func (s *byteSet) has(b byte) bool { return s[b>>6]&(1<<(b&63)) != 0 }
func (s *byteSet) union(o byteSet) {
	s[0], s[1], s[2], s[3] = s[0]|o[0], s[1]|o[1], s[2]|o[2], s[3]|o[3]
}
func (s byteSet) inverse() byteSet { return byteSet{^s[0], ^s[1], ^s[2], ^s[3]} }
func (s *byteSet) addRange(lo, hi byte) {
	for b := int(lo); b <= int(hi); b++ {
		s.add(byte(b))
	}
}

func rangesOf(pairs string) (s byteSet) {
	for i := 0; i < len(pairs); i += 2 {
		s.addRange(pairs[i], pairs[i+1])
	}
	return s
}

var anyByte = byteSet{}.inverse()

// The classes of PCRE in the C locale: pairs of first and last.
var (
	escapeClasses = map[byte]byteSet{
		'd': rangesOf("09"), 's': rangesOf("\t\r  "), 'w': rangesOf("09AZ__az"),
		'h': rangesOf("\t\t  \xa0\xa0"), 'v': rangesOf("\n\r\x85\x85"),
	}
	posixClasses = map[string]byteSet{
		"alpha": rangesOf("AZaz"), "lower": rangesOf("az"), "upper": rangesOf("AZ"), "alnum": rangesOf("09AZaz"),
		"ascii": rangesOf("\x00\x7f"), "blank": rangesOf("\t\t  "), "cntrl": rangesOf("\x00\x1f\x7f\x7f"),
		"digit": rangesOf("09"), "graph": rangesOf("!~"), "print": rangesOf(" ~"), "punct": rangesOf("!/:@[`{~"),
		"space": rangesOf("\t\r  "), "word": rangesOf("09AZ__az"), "xdigit": rangesOf("09AFaf"),
	}
	escapeBytes = map[byte]byte{'a': 7, 'e': 27, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
)

// expr is a node of an expression: exactly one of the forms below.
type expr interface{}

type (
	exprSet    byteSet // one byte of the set
	exprCat    []expr  // all of them; the empty text when there are none
	exprAlt    []expr  // one of them
	exprRepeat struct {
		of       expr
		min, max int // max -1: without end
	}
)

// parseAnchored parses what PCRE would be given as "^" + s + "$".
func parseAnchored(s string) (expr, error) {
	p := &parser{s: s}
	branches, err := p.branches(0)
	if err != nil {
		return nil, err
	}
	if p.at < len(s) {
		return nil, fmt.Errorf("%q at %d closes nothing: %w", s[p.at], p.at, ErrMalformed)
	}
	anything := exprRepeat{exprSet(anyByte), 0, -1}
	out := make(exprAlt, len(branches))
	for i, b := range branches {
		cat := exprCat{b.expr}
		if i > 0 && !b.start {
			cat = append(exprCat{anything}, cat...)
		}
		if i < len(branches)-1 && !b.end {
			cat = append(cat, anything)
		}
		out[i] = cat
	}
	return out, nil
}

type parser struct {
	s  string
	at int
}

// branch is one side of an alternation; start and end tell of its ^ and $.
type branch struct {
	expr       exprCat
	start, end bool
}

func (p *parser) more() bool { return p.at < len(p.s) }

func (p *parser) accept(text string) bool {
	if len(p.s)-p.at < len(text) || p.s[p.at:p.at+len(text)] != text {
		return false
	}
	p.at += len(text)
	return true
}

func (p *parser) unsupported(what string) error {
	return fmt.Errorf("%s at %d: %w", what, p.at, ErrUnsupported)
}

func (p *parser) malformed(what string) error {
	return fmt.Errorf("%s at %d: %w", what, p.at, ErrMalformed)
}

func (p *parser) branches(depth int) ([]branch, error) {
	if depth > maxDepth {
		return nil, p.malformed("brackets too deep")
	}
	var out []branch
	for {
		b, err := p.branch(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
		if !p.accept("|") {
			return out, nil
		}
	}
}

func (p *parser) branch(depth int) (b branch, err error) {
	for p.more() && p.s[p.at] != '|' && p.s[p.at] != ')' {
		switch {
		case p.s[p.at] == '^' && depth == 0 && len(b.expr) == 0 && !b.end:
			p.at++
			b.start = true
			continue
		case p.s[p.at] == '$' && depth == 0:
			p.at++
			b.end = true
			continue
		case b.end:
			return b, p.unsupported("$ before more")
		}
		e, err := p.item(depth)
		if err != nil {
			return b, err
		}
		b.expr = append(b.expr, e)
	}
	return b, nil
}

// item parses an atom and its quantifier.
func (p *parser) item(depth int) (expr, error) {
	e, err := p.atom(depth)
	if err != nil || !p.more() {
		return e, err
	}
	lo, hi, ok, err := p.quantifier()
	if err != nil || !ok {
		return e, err
	}
	if p.more() {
		if _, _, again, err := p.quantifier(); err != nil || again {
			return nil, p.malformed("quantifier behind a quantifier")
		}
	}
	return exprRepeat{e, lo, hi}, nil
}

// quantifier parses one quantifier. Being lazy does not change what it matches.
func (p *parser) quantifier() (lo, hi int, ok bool, err error) {
	switch p.s[p.at] {
	case '*':
		lo, hi, ok = 0, -1, true
		p.at++
	case '+':
		lo, hi, ok = 1, -1, true
		p.at++
	case '?':
		lo, hi, ok = 0, 1, true
		p.at++
	case '{':
		lo, hi, ok, err = p.counted()
	}
	if !ok || err != nil {
		return lo, hi, ok, err
	}
	if p.accept("+") {
		return 0, 0, false, p.unsupported("possessive quantifier")
	}
	p.accept("?")
	return lo, hi, true, nil
}

// counted parses {N}, {N,} or {N,M}; other braces are ordinary text.
func (p *parser) counted() (lo, hi int, ok bool, err error) {
	start := p.at
	p.at++
	if p.accept(",") {
		if _, digits := p.number(); digits && p.accept("}") {
			return 0, 0, false, p.unsupported("{,N}, which not all versions of PCRE take for a quantifier,")
		}
		p.at = start
		return 0, 0, false, nil
	}
	lo, digits := p.number()
	hi = lo
	if digits && p.accept(",") {
		if hi, ok = p.number(); !ok {
			hi = -1
		}
	}
	if !digits || !p.accept("}") {
		p.at = start
		return 0, 0, false, nil
	}
	if lo > maxRepeat || hi > maxRepeat || hi >= 0 && hi < lo {
		return 0, 0, false, p.malformed("numbers of {}")
	}
	return lo, hi, true, nil
}

// number parses digits; more than an int can hold are a large number.
func (p *parser) number() (n int, ok bool) {
	start := p.at
	for p.more() && p.s[p.at] >= '0' && p.s[p.at] <= '9' {
		p.at++
	}
	if start == p.at {
		return 0, false
	}
	n, err := strconv.Atoi(p.s[start:p.at])
	if err != nil {
		n = maxRepeat + 1
	}
	return n, true
}

func (p *parser) atom(depth int) (expr, error) {
	c := p.s[p.at]
	switch c {
	case '.':
		p.at++
		return exprSet(anyByte), nil
	case '[':
		return p.class()
	case '(':
		return p.group(depth)
	case '\\':
		p.at++
		s, err := p.escape()
		return exprSet(s), err
	case '*', '+', '?':
		return nil, p.malformed("quantifier without anything to repeat")
	case '{':
		_, _, counted, err := p.counted()
		if err != nil {
			return nil, err
		}
		if counted {
			return nil, p.malformed("quantifier without anything to repeat")
		}
	case '^', '$':
		return nil, p.unsupported(fmt.Sprintf("%q within an expression", c))
	}
	p.at++
	return exprSet(single(c)), nil
}

func single(b byte) (s byteSet) {
	s.add(b)
	return s
}

func (p *parser) group(depth int) (expr, error) {
	open := p.at
	p.at++
	switch {
	case p.accept("?:"):
	case p.accept("?"), p.accept("*"):
		p.at = open
		return nil, p.unsupported("group of a special kind")
	}
	branches, err := p.branches(depth + 1)
	if err != nil {
		return nil, err
	}
	if !p.accept(")") {
		p.at = open
		return nil, p.malformed("bracket without an end")
	}
	out := make(exprAlt, len(branches))
	for i, b := range branches {
		out[i] = b.expr
	}
	return out, nil
}

// escape parses what follows a backslash.
func (p *parser) escape() (byteSet, error) {
	if !p.more() {
		return byteSet{}, p.malformed("backslash without anything behind it")
	}
	c := p.s[p.at]
	p.at++
	switch lower := c | 0x20; {
	case c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z':
		return single(c), nil
	case escapeBytes[c] != 0:
		return single(escapeBytes[c]), nil
	case c == 'x':
		return p.hex()
	case c < 'A':
	case escapeClasses[lower] != byteSet{}:
		if c == lower {
			return escapeClasses[lower], nil
		}
		return escapeClasses[lower].inverse(), nil
	}
	p.at -= 2
	return byteSet{}, p.unsupported(fmt.Sprintf("%q", p.s[p.at:p.at+2]))
}

// hex parses the digits of \xHH.
func (p *parser) hex() (byteSet, error) {
	if len(p.s)-p.at >= 2 {
		if n, err := strconv.ParseUint(p.s[p.at:p.at+2], 16, 8); err == nil {
			p.at += 2
			return single(byte(n)), nil
		}
	}
	return byteSet{}, p.unsupported(`\x without two digits`)
}
