// Package nevra holds package names and versions as RPM has them: name, epoch,
// version, release, architecture; their order; and relations between them such as
// "foo >= 1:2-3".
//
// Source: rpm 4.18's behaviour; see docs/FORMATS.md.
package nevra

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMalformed is wrapped when a text is no name, version or relation.
var ErrMalformed = errors.New("malformed")

// EVR is epoch, version and release. An empty epoch counts as 0; an empty release
// is one that is not told.
type EVR struct{ Epoch, Version, Release string }

// ParseEVR reads "[epoch:]version[-release]".
func ParseEVR(s string) (EVR, error) {
	var v EVR
	rest := s
	if e, r, ok := strings.Cut(s, ":"); ok {
		if e == "" || strings.Trim(e, "0123456789") != "" {
			return v, fmt.Errorf("version %q: epoch is no number: %w", s, ErrMalformed)
		}
		v.Epoch, rest = e, r
	}
	v.Version, v.Release, _ = strings.Cut(rest, "-")
	if v.Version == "" || strings.Contains(v.Release, "-") || strings.HasSuffix(rest, "-") {
		return v, fmt.Errorf("version %q: want [epoch:]version[-release]: %w", s, ErrMalformed)
	}
	return v, nil
}

// String writes the form that [ParseEVR] reads, without an epoch of 0.
func (v EVR) String() string {
	s := v.Version
	if v.Release != "" {
		s += "-" + v.Release
	}
	if !zeroEpoch(v.Epoch) {
		s = v.Epoch + ":" + s
	}
	return s
}

func zeroEpoch(e string) bool { return strings.Trim(e, "0") == "" }

// Compare tells the order of two EVRs: negative when a is older than b, 0 when they
// are equal. A release is compared when both have one.
func Compare(a, b EVR) int {
	if c := compareEpoch(a.Epoch, b.Epoch); c != 0 {
		return c
	}
	if c := CompareVersion(a.Version, b.Version); c != 0 || a.Release == "" || b.Release == "" {
		return c
	}
	return CompareVersion(a.Release, b.Release)
}

func compareEpoch(a, b string) int {
	return compareDigits(strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0"))
}

// compareDigits compares numbers without leading zeros.
func compareDigits(a, b string) int {
	if len(a) != len(b) {
		return sign(len(a) - len(b))
	}
	return strings.Compare(a, b)
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// skipSeparators cuts what is neither letter, digit, tilde nor caret.
func skipSeparators(s string) string {
	i := 0
	for i < len(s) && !isDigit(s[i]) && !isAlpha(s[i]) && s[i] != '~' && s[i] != '^' {
		i++
	}
	return s[i:]
}

// run cuts the leading run of characters of one kind.
func run(s string, kind func(byte) bool) (head, rest string) {
	i := 0
	for i < len(s) && kind(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// CompareVersion tells the order of two versions, or two releases, as rpmvercmp
// does: runs of digits by value, runs of letters by bytes, digits above letters; a
// "~" is below everything, a "^" above the end and below all else.
func CompareVersion(a, b string) int {
	for {
		a, b = skipSeparators(a), skipSeparators(b)
		if c, again := compareMarks(&a, &b); c != 0 {
			return c
		} else if again {
			continue
		}
		if a == "" || b == "" {
			return sign(len(a) - len(b))
		}
		kind := isAlpha
		if isDigit(a[0]) {
			kind = isDigit
		}
		var x, y string
		x, a = run(a, kind)
		y, b = run(b, kind)
		switch {
		case y == "" && isDigit(x[0]):
			return 1
		case y == "":
			return -1
		case isDigit(x[0]):
			if c := compareDigits(strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")); c != 0 {
				return c
			}
		default:
			if c := strings.Compare(x, y); c != 0 {
				return c
			}
		}
	}
}

// compareMarks looks for a tilde or caret in front; again tells that both had the
// same one, which is cut.
func compareMarks(a, b *string) (c int, again bool) {
	x, y := *a, *b
	at, bt := strings.HasPrefix(x, "~"), strings.HasPrefix(y, "~")
	ac, bc := strings.HasPrefix(x, "^"), strings.HasPrefix(y, "^")
	switch {
	case at && bt || ac && bc && !at && !bt:
		*a, *b = x[1:], y[1:]
		return 0, true
	case at:
		return -1, false
	case bt:
		return 1, false
	case ac && y == "":
		return 1, false
	case bc && x == "":
		return -1, false
	case ac:
		return -1, false
	case bc:
		return 1, false
	}
	return 0, false
}
