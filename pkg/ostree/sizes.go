package ostree

import (
	"encoding/binary"
	"fmt"

	"github.com/treewright/treewright/pkg/gvariant"
)

// KeySizes is the key of a commit's metadata that lists the sizes of its objects in an
// archive repository.
const KeySizes = "ostree.sizes"

const sizesType = "aay"

// ObjectSize is how large an object is, in bytes.
type ObjectSize struct {
	Checksum Checksum
	Type     ObjectType
	Archived uint64 // as it lies in an archive repository
	Unpacked uint64 // the content; of a link, its target
}

// SizesValue is the value of [KeySizes]: for each object its checksum, both sizes as
// LEB128, its type. The list is to be sorted by checksum.
func SizesValue(list []ObjectSize) gvariant.Variant {
	out := make([]any, len(list))
	for i, s := range list {
		b := append(make([]byte, 0, len(s.Checksum)+8), s.Checksum[:]...)
		b = binary.AppendUvarint(b, s.Archived)
		b = binary.AppendUvarint(b, s.Unpacked)
		out[i] = append(b, byte(s.Type))
	}
	return gvariant.Variant{Type: sizesType, Value: out}
}

// Sizes is the list of [KeySizes]. Old commits do not tell types: those objects count
// as files.
//
// The error wraps [ErrNotFound] when there is no such key, else [ErrMalformed].
func (m Metadata) Sizes() ([]ObjectSize, error) {
	v, ok := m.Lookup(KeySizes)
	if !ok {
		return nil, fmt.Errorf("metadata key %s: %w", KeySizes, ErrNotFound)
	}
	if v.Type != sizesType {
		return nil, fmt.Errorf("metadata key %s: type %s, want %s: %w", KeySizes, v.Type, sizesType, ErrMalformed)
	}
	list := v.Value.([]any)
	out := make([]ObjectSize, len(list))
	for i, x := range list {
		var ok bool
		if out[i], ok = parseSize(x.([]byte)); !ok {
			return nil, fmt.Errorf("metadata key %s: entry %d: %w", KeySizes, i, ErrMalformed)
		}
	}
	return out, nil
}

func parseSize(b []byte) (s ObjectSize, ok bool) {
	if copy(s.Checksum[:], b) < len(s.Checksum) {
		return s, false
	}
	b = b[len(s.Checksum):]
	for _, to := range []*uint64{&s.Archived, &s.Unpacked} {
		n, used := binary.Uvarint(b)
		if used <= 0 {
			return s, false
		}
		*to, b = n, b[used:]
	}
	s.Type = TypeFile
	if len(b) > 0 {
		s.Type = ObjectType(b[0])
	}
	return s, s.Type >= TypeFile && s.Type <= TypeDirMeta
}
