package ostree

import "strings"

// ParseDeltaName reads the name of a delta: FROM-TO, or TO of one from nothing, in
// hexadecimal. The error wraps [ErrMalformed].
func ParseDeltaName(name string) (from *Checksum, to Checksum, err error) {
	a, b, ok := strings.Cut(name, "-")
	if !ok {
		to, err = ParseChecksum(a)
		return nil, to, err
	}
	f, err := ParseChecksum(a)
	if err != nil {
		return nil, to, err
	}
	to, err = ParseChecksum(b)
	return &f, to, err
}
