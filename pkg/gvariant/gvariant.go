// Package gvariant turns GVariant bytes into Go values and back, in normal form
// only: the bytes that the canonical writer makes. It also reads and writes the text
// form, as people type it: <uint32 5>.
//
// # Format
//
// A type is a string: y b n q i u x t d for bytes, booleans, integers and doubles;
// s o g for strings, with a NUL behind them; v for a value with its own type; mT
// for maybe; aT for arrays; (…) for tuples and {KV} for dictionary entries.
//
// Fixed-size values lie at multiples of their size, and so do containers at the
// largest alignment of what they hold. A container whose children are not all
// fixed tells their ends by framing offsets at its own end: 1, 2, 4 or 8 bytes
// each, the least with which the whole container fits. An array has one for every
// element, in order; a tuple one for every member that is not fixed, but for the
// last member, in reverse order. Padding is zero.
//
// Integers are little-endian here. What OSTree stores big-endian is for callers to
// swap.
//
// # Go values
//
//	y byte · b bool · n int16 · q uint16 · i, h int32 · u uint32 · x int64 · t uint64
//	d float64 · s o g string · v Variant · ay []byte · other aT []any · tuple Tuple
//	{KV} Entry · mT nil or Just
//
// # Text
//
// [Variant.Text] writes what GLib's g_variant_print does, [ParseText] reads what
// g_variant_parse does:
//
//	true · 5 · 0x1f · 0.5 · -inf · 'text' · "text" · b'bytes with a NUL behind'
//	[1, 2] · (1, 'a') · (1,) · {'key': 1} · {'key', 1} for one entry · <1> for a variant
//	nothing · just 1
//	uint32 5 · objectpath '/a' · @a{sv} {}     the type said, by name or as a string
//
// A type that is not said is found from the value: all elements of an array have one;
// numbers are i, or d with a point or an exponent; text is s.
//
// # Hostile input
//
// Decode checks every length before it allocates, follows at most 128 levels of
// containers and variants (as GLib), and makes at most [MaxValues] values and no more
// than some ten for each byte, so that a type like a((((())))) is no bomb.
//
// Source: the GVariant specification of GLib; see docs/FORMATS.md.
package gvariant

import (
	"errors"
	"fmt"
)

// What a caller can tell apart with errors.Is.
var (
	ErrMalformed = errors.New("GVariant is malformed")                // nothing to be read from it
	ErrNotNormal = fmt.Errorf("not in normal form: %w", ErrMalformed) // bytes that the canonical writer would not make
	ErrType      = errors.New("value does not fit its GVariant type")
)

// Tuple is the members of a tuple.
type Tuple []any

// Entry is a dictionary entry.
type Entry struct{ Key, Value any }

// Variant is a value that carries its type.
type Variant struct {
	Type  string
	Value any
}

// Just is a maybe that holds something.
type Just struct{ Value any }

// maxDepth bounds how deep types and variants nest, in what is read and in what is
// written.
const maxDepth = 128

// MaxType is the longest type string, in bytes, that is accepted.
const MaxType = 1 << 16

// MaxValues is how many values, those in containers counted too, Decode makes at most.
const MaxValues = 1 << 24
