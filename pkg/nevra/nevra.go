package nevra

import (
	"fmt"
	"strings"
)

// NEVRA names one package.
type NEVRA struct {
	Name string
	EVR
	Arch string
}

// String is name-[epoch:]version-release.arch, without an epoch of 0.
func (n NEVRA) String() string { return n.Name + "-" + n.EVR.String() + "." + n.Arch }

// MarshalText writes String.
func (n NEVRA) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// ParseNEVRA reads name-[epoch:]version-release.arch.
func ParseNEVRA(s string) (n NEVRA, err error) {
	dot := strings.LastIndexByte(s, '.')
	if dot < 0 {
		return n, fmt.Errorf("package %q: want name-version-release.arch: %w", s, ErrMalformed)
	}
	rest, arch := s[:dot], s[dot+1:]
	r := strings.LastIndexByte(rest, '-')
	if r < 0 {
		return n, fmt.Errorf("package %q: want name-version-release.arch: %w", s, ErrMalformed)
	}
	v := strings.LastIndexByte(rest[:r], '-')
	if v <= 0 || arch == "" {
		return n, fmt.Errorf("package %q: want name-version-release.arch: %w", s, ErrMalformed)
	}
	n.Name, n.Arch = rest[:v], arch
	n.EVR, err = ParseEVR(rest[v+1:])
	return n, err
}

// Flag tells which versions a relation means; they can be combined.
type Flag uint8

// The flags, with RPM's numbers.
const (
	LT Flag = 2
	GT Flag = 4
	EQ Flag = 8
)

var flagText = map[Flag]string{LT: "<", LT | EQ: "<=", EQ: "=", GT | EQ: ">=", GT: ">", LT | GT: "<>", LT | GT | EQ: "<=>"}

// Relation is a capability's name and, when Flags is not 0, which of its versions.
// A Name that begins with "(" is a rich dependency, see [ParseRich].
type Relation struct {
	Name  string
	Flags Flag
	EVR   EVR
}

// String is "name", or "name op [epoch:]version[-release]".
func (r Relation) String() string {
	if r.Flags == 0 {
		return r.Name
	}
	return r.Name + " " + flagText[r.Flags] + " " + r.EVR.String()
}

// IsRich tells whether the relation is a rich dependency.
func (r Relation) IsRich() bool { return strings.HasPrefix(r.Name, "(") }

// ParseRelation reads "name" or "name op version", op being one of < <= = == >= >.
func ParseRelation(s string) (Relation, error) {
	f := strings.Fields(s)
	if strings.HasPrefix(s, "(") {
		return Relation{Name: s}, nil
	}
	switch len(f) {
	case 1:
		return Relation{Name: f[0]}, nil
	case 3:
		op, ok := operators[f[1]]
		if !ok {
			break
		}
		v, err := ParseEVR(f[2])
		if err != nil {
			return Relation{}, fmt.Errorf("relation %q: %w", s, err)
		}
		return Relation{f[0], op, v}, nil
	}
	return Relation{}, fmt.Errorf("relation %q: want NAME or NAME OPERATOR VERSION: %w", s, ErrMalformed)
}

var operators = map[string]Flag{"<": LT, "<=": LT | EQ, "=": EQ, "==": EQ, ">=": GT | EQ, ">": GT}

// Matches tells whether the versions that r means and those of the capability p
// have one in common. The names are for the caller to compare. Where one side has
// no version they match; where one has no release, releases are not compared.
func (r Relation) Matches(p Relation) bool {
	if r.Flags == 0 || p.Flags == 0 || p.EVR.Version == "" {
		return true
	}
	if r.Flags&p.Flags&(LT|GT) != 0 {
		return true
	}
	c := Compare(p.EVR, r.EVR)
	switch {
	case c < 0:
		return r.Flags&LT != 0 || p.Flags&GT != 0
	case c > 0:
		return r.Flags&GT != 0 || p.Flags&LT != 0
	case r.EVR.Release == "" && p.EVR.Release != "":
		return r.Flags&EQ != 0
	case p.EVR.Release == "" && r.EVR.Release != "":
		return p.Flags&EQ != 0
	}
	return r.Flags&EQ != 0 && p.Flags&EQ != 0
}
