package gvariant

import "strings"

// scanner splits text into tokens. The token at hand is text[at:end].
type scanner struct {
	text    string
	at, end int
}

// token is the token at hand: "" at the end of the text.
func (s *scanner) token() string {
	if s.end > s.at {
		return s.text[s.at:s.end]
	}
	for s.at < len(s.text) && strings.IndexByte(" \t\n\v\f\r", s.text[s.at]) >= 0 {
		s.at++
	}
	s.end = s.at + tokenLength(s.text[s.at:])
	return s.text[s.at:s.end]
}

// next drops the token at hand.
func (s *scanner) next() { s.at = s.end }

// take drops the token at hand if it is want.
func (s *scanner) take(want string) bool {
	if s.token() != want {
		return false
	}
	s.next()
	return true
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// tokenLength is the length of the token that s begins with.
func tokenLength(s string) int {
	if s == "" {
		return 0
	}
	switch c := s[0]; {
	case strings.IndexByte("-+.0123456789", c) >= 0:
		return run(s, func(c byte) bool { return alnum(c) || strings.IndexByte("-+.", c) >= 0 })
	case c == 'b' && len(s) > 1 && (s[1] == '\'' || s[1] == '"'):
		return 1 + quoted(s[1:])
	case c >= 'a' && c <= 'z':
		return run(s, alnum)
	case c == '\'' || c == '"':
		return quoted(s)
	case c == '@':
		return declared(s)
	}
	return 1
}

func run(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

// quoted is the length of a string with its quotes; it may lack the one at the end.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case s[0]:
			return i + 1
		case '\\':
			i++
		}
	}
	return len(s)
}

// declared is the length of a type behind "@": up to a blank, a comma, or a bracket
// that does not begin there.
func declared(s string) int {
	open := 0
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '(', '{':
			open++
		case ')', '}':
			if open--; open < 0 {
				return i
			}
		case ' ', '\t', '\n', '\v', '\f', '\r', ',', ':', '>', ']':
			return i
		}
	}
	return len(s)
}
