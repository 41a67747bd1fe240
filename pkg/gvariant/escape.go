package gvariant

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// string reads a text in quotes.
func (p *textParser) string(n *node, tok string) error {
	n.kind = kindString
	s, err := p.unquote(tok, tok[0], p.unicode)
	if err != nil {
		return err
	}
	if !utf8.ValidString(s) {
		return p.wrong("string is not UTF-8")
	}
	n.text = s
	p.next()
	return nil
}

// bytes reads b'bytes', which get a NUL at their end; one that an escape makes is the
// end already, as for GLib.
func (p *textParser) bytes(n *node, tok string) error {
	n.kind = kindBytes
	s, err := p.unquote(tok[1:], tok[1], p.octal)
	if err != nil {
		return err
	}
	s, _, _ = strings.Cut(s, "\x00")
	n.text = s + "\x00"
	p.next()
	return nil
}

// special reads the escape that s, behind a backslash, begins with, if it is one of
// its kind, and returns what it stands for and its length.
type special func(s string) (string, int, error)

// unquote undoes quotes and escapes: those of C, those of more, and a backslash in
// front of any other character, which stands for itself. One at the end of a line
// joins it with the next.
func (p *textParser) unquote(tok string, q byte, more special) (string, error) {
	var out strings.Builder
	for i := 1; i < len(tok); {
		c := tok[i]
		switch {
		case c == q:
			return out.String(), nil
		case c != '\\' || i+1 == len(tok):
			out.WriteByte(c)
			i++
			continue
		}
		i++
		s, n, err := more(tok[i:])
		if err != nil {
			return "", err
		}
		if n == 0 {
			s, n = tok[i:i+1], 1
			if at := strings.IndexByte("abfnrtv\n", s[0]); at == 7 {
				s = ""
			} else if at >= 0 {
				s = "\a\b\f\n\r\t\v"[at : at+1]
			}
		}
		out.WriteString(s)
		i += n
	}
	return "", p.wrong("unterminated string constant")
}

// unicode reads u and four or U and eight hexadecimal digits.
func (p *textParser) unicode(s string) (string, int, error) {
	n := map[byte]int{'u': 5, 'U': 9}[s[0]]
	if n == 0 {
		return "", 0, nil
	}
	if len(s) >= n && strings.IndexByte("+-_", s[1]) < 0 {
		if r, err := strconv.ParseUint(s[1:n], 16, 32); err == nil && r > 0 && utf8.ValidRune(rune(r)) {
			return string(rune(r)), n, nil
		}
	}
	return "", 0, p.wrong("invalid %d-character unicode escape", n-1)
}

// octal reads one to three octal digits.
func (p *textParser) octal(s string) (string, int, error) {
	c, n := byte(0), 0
	for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
		c = c<<3 | (s[n] - '0')
		n++
	}
	return string([]byte{c}), n, nil
}
