package ostree

import (
	"fmt"
	"math/bits"

	"github.com/treewright/treewright/pkg/gvariant"
)

// MetaEntry is one key of the metadata of a commit or a summary.
type MetaEntry struct {
	Key   string
	Value gvariant.Variant
}

// Metadata is an a{sv}: keys and values in the order of the object. A key that stands
// there twice counts where it stands first.
type Metadata []MetaEntry

// Lookup returns the value of key.
func (m Metadata) Lookup(key string) (gvariant.Variant, bool) {
	for _, e := range m {
		if e.Key == key {
			return e.Value, true
		}
	}
	return gvariant.Variant{}, false
}

// Text returns the value of key when it is a string, else "".
func (m Metadata) Text(key string) string {
	v, _ := m.Lookup(key)
	s, _ := v.Value.(string)
	return s
}

// Flag returns the value of key when it is a boolean, else false.
func (m Metadata) Flag(key string) bool {
	v, _ := m.Lookup(key)
	b, _ := v.Value.(bool)
	return b
}

// Seconds returns the value of key when it is a time: a big-endian uint64, as OSTree
// stores times in metadata.
func (m Metadata) Seconds(key string) uint64 {
	v, _ := m.Lookup(key)
	n, _ := v.Value.(uint64)
	return bits.ReverseBytes64(n)
}

// ParseMetadata decodes an a{sv}, as detached metadata is. Byte strings in the result
// are parts of b. Every error wraps [ErrMalformed].
func ParseMetadata(b []byte) (Metadata, error) {
	if len(b) > MaxMetadata {
		return nil, fmt.Errorf("metadata of %d bytes, at most %d are allowed: %w", len(b), MaxMetadata, ErrMalformed)
	}
	v, err := gvariant.Decode(dictType, b)
	if err != nil {
		return nil, fmt.Errorf("metadata: %v: %w", err, ErrMalformed)
	}
	return parseDict(v.([]any))
}

// Encode returns the bytes of an a{sv}.
func (m Metadata) Encode() ([]byte, error) {
	d, err := m.dict()
	if err != nil {
		return nil, err
	}
	return gvariant.Encode(dictType, d)
}

const dictType = "a{sv}"

// dict is the a{sv} as a value.
func (m Metadata) dict() ([]any, error) {
	out := make([]any, len(m))
	for i, e := range m {
		if e.Key == "" {
			return nil, fmt.Errorf("empty key: %w", ErrMalformed)
		}
		out[i] = gvariant.Entry{Key: e.Key, Value: e.Value}
	}
	return out, nil
}

func parseDict(list []any) (Metadata, error) {
	var out Metadata
	for _, x := range list {
		e := x.(gvariant.Entry)
		if e.Key == "" {
			return nil, fmt.Errorf("empty key: %w", ErrMalformed)
		}
		out = append(out, MetaEntry{e.Key.(string), e.Value.(gvariant.Variant)})
	}
	return out, nil
}
