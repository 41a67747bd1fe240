package repodata

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// text is the character data in front of the tag, with references replaced. It is
// valid until next is called.
func (s *scanner) text() ([]byte, error) {
	if !utf8.Valid(s.chars) {
		return nil, fmt.Errorf("text that is not UTF-8: %w", ErrMalformed)
	}
	if s.plain {
		return s.chars, nil
	}
	b, err := unescape(s.chars)
	s.chars, s.plain = b, true
	return b, err
}

// tag takes a tag apart; b is what stands between "<" and ">".
func (s *scanner) tag(b []byte) error {
	s.attrs = s.attrs[:0]
	if s.closes = len(b) > 0 && b[0] == '/'; s.closes {
		b = bytes.TrimRight(b[1:], " \t\r\n")
	} else if s.empty = len(b) > 0 && b[len(b)-1] == '/'; s.empty {
		b = b[:len(b)-1]
	}
	n := 0
	for n < len(b) && !isSpace(b[n]) {
		n++
	}
	if s.name = local(b[:n]); len(s.name) == 0 || bytes.ContainsAny(s.name, "=\"'&<>") {
		return fmt.Errorf("a tag without a name: %w", ErrMalformed)
	}
	for b = trim(b[n:]); len(b) > 0; b = trim(b) {
		if s.closes {
			return fmt.Errorf("an end tag with attributes: %w", ErrMalformed)
		}
		i := bytes.IndexByte(b, '=')
		if i <= 0 {
			return fmt.Errorf("element %s: an attribute without a value: %w", s.name, ErrMalformed)
		}
		name := bytes.TrimRight(b[:i], " \t\r\n")
		if b = trim(b[i+1:]); len(b) < 2 || b[0] != '"' && b[0] != '\'' {
			return fmt.Errorf("element %s: attribute %q is not quoted: %w", s.name, name, ErrMalformed)
		}
		end := bytes.IndexByte(b[1:], b[0]) + 1
		if end == 0 {
			return fmt.Errorf("element %s: attribute %q does not end: %w", s.name, name, ErrMalformed)
		}
		value, err := unescape(b[1:end])
		if err != nil {
			return err
		}
		s.attrs = append(s.attrs, attribute{local(name), value})
		b = b[end+1:]
	}
	return nil
}

// attr is an attribute of the tag; nil when it has none of that name.
func (s *scanner) attr(name string) []byte {
	for _, a := range s.attrs {
		if string(a.name) == name {
			return a.value
		}
	}
	return nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}

// local cuts a prefix off.
func local(name []byte) []byte {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[i+1:]
	}
	return name
}

var errReference = errors.New("a reference to an entity that XML does not have")

// unescape replaces references, in the bytes that it is given.
func unescape(b []byte) ([]byte, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("text that is not UTF-8: %w", ErrMalformed)
	}
	at := bytes.IndexByte(b, '&')
	if at < 0 {
		return b, nil
	}
	out := b[:at]
	for rest := b[at:]; len(rest) > 0; {
		if rest[0] != '&' {
			n := bytes.IndexByte(rest, '&')
			if n < 0 {
				n = len(rest)
			}
			out = append(out, rest[:n]...)
			rest = rest[n:]
			continue
		}
		end := bytes.IndexByte(rest[:min(len(rest), 12)], ';')
		if end < 0 {
			return nil, fmt.Errorf("%w: %w", errReference, ErrMalformed)
		}
		r, ok := reference(string(rest[1:end]))
		if !ok {
			return nil, fmt.Errorf("%w: %s: %w", errReference, rest[:end+1], ErrMalformed)
		}
		out = utf8.AppendRune(out, r) // never longer than the reference
		rest = rest[end+1:]
	}
	return out, nil
}

// reference is the character that a reference means.
func reference(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return rune(n), err == nil && n > 0 && n <= utf8.MaxRune && utf8.ValidRune(rune(n))
}
