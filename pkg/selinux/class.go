package selinux

import "strings"

// class parses a class in square brackets.
func (p *parser) class() (expr, error) {
	open := p.at
	p.at++
	negated := p.accept("^")
	var set byteSet
	for first := true; ; first = false {
		if !p.more() {
			p.at = open
			return nil, p.malformed("class without an end")
		}
		if !first && p.accept("]") {
			break
		}
		s, lo, isByte, err := p.member()
		if err != nil {
			return nil, err
		}
		if p.at+1 < len(p.s) && p.s[p.at] == '-' && p.s[p.at+1] != ']' {
			p.at++
			_, hi, isByte2, err := p.member()
			if err != nil {
				return nil, err
			}
			if !isByte || !isByte2 || hi < lo {
				return nil, p.malformed("range in a class")
			}
			s = byteSet{}
			s.addRange(lo, hi)
		}
		set.union(s)
	}
	if negated {
		set = set.inverse()
	}
	return exprSet(set), nil
}

// member parses one member of a class; b is it when it is one byte.
func (p *parser) member() (s byteSet, b byte, isByte bool, err error) {
	if p.accept("[") {
		if p.more() && strings.IndexByte(":.=", p.s[p.at]) >= 0 {
			s, err = p.posix()
			return s, 0, false, err
		}
		return single('['), '[', true, nil
	}
	b = p.s[p.at]
	p.at++
	if b != '\\' {
		return single(b), b, true, nil
	}
	if p.more() && strings.IndexByte("bBEGNQRXz", p.s[p.at]) >= 0 {
		return s, 0, false, p.unsupported("this escape in a class")
	}
	if s, err = p.escape(); err != nil {
		return s, 0, false, err
	}
	for i := range 256 {
		if s == single(byte(i)) {
			return s, byte(i), true, nil
		}
	}
	return s, 0, false, nil
}

// posix parses the rest of [:NAME:], which is a class of its own only when the end is
// there; without it PCRE takes the bracket as it is, and so close to an error that
// it is refused here.
func (p *parser) posix() (byteSet, error) {
	if p.s[p.at] != ':' {
		return byteSet{}, p.unsupported("collating class")
	}
	end := strings.Index(p.s[p.at+1:], ":]")
	if end < 0 {
		return byteSet{}, p.unsupported("[: without :]")
	}
	name := p.s[p.at+1 : p.at+1+end]
	bare, negated := strings.CutPrefix(name, "^")
	set, ok := posixClasses[bare]
	if !ok {
		return byteSet{}, p.malformed("unknown class [:" + name + ":]")
	}
	p.at += end + 3
	if negated {
		set = set.inverse()
	}
	return set, nil
}
