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
