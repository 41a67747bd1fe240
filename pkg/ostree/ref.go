package ostree

import (
	"fmt"
	"strings"
	"unicode"
)

// CheckRef tells whether name can be a ref: components of letters, digits, '-', '_'
// and '.', joined by '/', each beginning with a letter, a digit or '_', and not a
// checksum. Letters and digits are those of Unicode.
//
// The error wraps [ErrMalformed].
func CheckRef(name string) error {
	if IsChecksum(name) {
		return fmt.Errorf("ref %q has the form of a checksum: %w", name, ErrMalformed)
	}
	for c := range strings.SplitSeq(name, "/") {
		if err := checkComponent(c); err != nil {
			return fmt.Errorf("ref %q: %w", name, err)
		}
	}
	return nil
}

// CheckRemote tells whether name can be a remote's: one component of a ref.
//
// The error wraps [ErrMalformed].
func CheckRemote(name string) error {
	if err := checkComponent(name); err != nil {
		return fmt.Errorf("remote %q: %w", name, err)
	}
	return nil
}

// MaxCollection is the longest collection ID in bytes.
const MaxCollection = 255

// CheckCollection tells whether id can be a collection ID: a name as those of D-Bus
// interfaces, two or more words of ASCII letters, digits and '_', joined by '.', none
// of which begins with a digit.
//
// The error wraps [ErrMalformed].
func CheckCollection(id string) error {
	words := strings.Split(id, ".")
	if len(words) < 2 || len(id) > MaxCollection {
		return fmt.Errorf("collection ID %q: want WORD.WORD of at most %d bytes: %w", id, MaxCollection, ErrMalformed)
	}
	for _, w := range words {
		bad := strings.ContainsFunc(w, func(r rune) bool {
			return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		})
		if bad || w == "" || w[0] <= '9' {
			return fmt.Errorf("collection ID %q: word %q: %w", id, w, ErrMalformed)
		}
	}
	return nil
}

func checkComponent(c string) error {
	if c == "" {
		return fmt.Errorf("a part is empty: %w", ErrMalformed)
	}
	for i, r := range c {
		if r == '_' || r != unicode.ReplacementChar && (unicode.IsLetter(r) || unicode.IsNumber(r)) || i > 0 && (r == '-' || r == '.') {
			continue
		}
		return fmt.Errorf("character %q in %q is not allowed: %w", r, c, ErrMalformed)
	}
	return nil
}
