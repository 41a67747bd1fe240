package delta

import (
	"encoding/base64"
	"fmt"
	"math/bits"
	"path"
	"strconv"
	"strings"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

// Keys of the superblock's metadata. Those of inline parts and of the commit's detached
// metadata are paths: of the part's file, of "commitmeta" in the delta's folder.
const (
	endiannessKey = "ostree.endianness"
	commitMetaKey = "commitmeta"
)

// metadata is the superblock's a{sv}.
func (s *Superblock) metadata() ([]any, error) {
	order := s.Order
	if order == 0 {
		order = 'l'
	}
	meta := []any{gvariant.Entry{Key: endiannessKey, Value: gvariant.Variant{Type: "y", Value: order}}}
	dir := Dir(s.From, s.To)
	for i, b := range s.Inline {
		if len(b) == 0 {
			return nil, fmt.Errorf("part %d: no bytes: %w", i, ErrMalformed)
		}
		meta = append(meta, gvariant.Entry{Key: path.Join(dir, strconv.Itoa(i)),
			Value: gvariant.Variant{Type: partFileType, Value: gvariant.Tuple{b[0], b[1:]}}})
	}
	if s.Detached != nil {
		raw, err := s.Detached.Encode()
		if err != nil {
			return nil, err
		}
		v, err := gvariant.Decode("a{sv}", raw)
		if err != nil {
			return nil, err
		}
		meta = append(meta, gvariant.Entry{Key: path.Join(dir, commitMetaKey), Value: gvariant.Variant{Type: "a{sv}", Value: v}})
	}
	return meta, nil
}

// readMetadata takes over what the a{sv} says. From and To are known by now.
func (s *Superblock) readMetadata(list []any) error {
	dir := Dir(s.From, s.To)
	inline := map[int][]byte{}
	for _, e := range list {
		m := e.(gvariant.Entry)
		name, ok := strings.CutPrefix(m.Key.(string), dir+"/")
		v := m.Value.(gvariant.Variant)
		switch {
		case m.Key == endiannessKey:
			order, _ := v.Value.(byte)
			if order != 'l' && order != 'B' {
				return fmt.Errorf("metadata %s is neither 'l' nor 'B': %w", endiannessKey, ErrMalformed)
			}
			s.Order = order
		case ok && name == commitMetaKey && v.Type == "a{sv}":
			raw, err := gvariant.Encode("a{sv}", v.Value)
			if err != nil {
				return fmt.Errorf("metadata %s: %v: %w", m.Key, err, ErrMalformed)
			}
			if s.Detached, err = ostree.ParseMetadata(raw); err != nil {
				return fmt.Errorf("metadata %s: %v: %w", m.Key, err, ErrMalformed)
			}
		case ok && v.Type == partFileType:
			i, err := strconv.Atoi(name)
			if err != nil || strconv.Itoa(i) != name {
				continue
			}
			t := v.Value.(gvariant.Tuple)
			inline[i] = append([]byte{t[0].(byte)}, t[1].([]byte)...)
		}
	}
	for i := 0; inline[i] != nil; i++ {
		s.Inline = append(s.Inline, inline[i])
	}
	return nil
}

// guessOrder finds the byte order of a superblock that does not tell it, whose numbers
// were read as little-endian: read in the wrong order, sizes become huge. libostree takes
// a part that is larger compressed for a sign of the wrong order, which small parts are.
func (s *Superblock) guessOrder() {
	s.Order, s.Guessed = 'l', true
	little, big := 0.0, 0.0
	for _, p := range s.Parts {
		little += float64(p.Size) + float64(p.USize)
		big += float64(bits.ReverseBytes64(p.Size)) + float64(bits.ReverseBytes64(p.USize))
	}
	for _, f := range s.Fallbacks {
		little += float64(f.Size) + float64(f.USize)
		big += float64(bits.ReverseBytes64(f.Size)) + float64(bits.ReverseBytes64(f.USize))
	}
	if big < little {
		s.Order = 'B'
	}
}

// swapNumbers turns numbers of the other byte order into this machine's.
func (s *Superblock) swapNumbers() {
	for i := range s.Parts {
		p := &s.Parts[i]
		p.Size, p.USize = bits.ReverseBytes64(p.Size), bits.ReverseBytes64(p.USize)
	}
	for i := range s.Fallbacks {
		f := &s.Fallbacks[i]
		f.Size, f.USize = bits.ReverseBytes64(f.Size), bits.ReverseBytes64(f.USize)
	}
}

// signedMagic is "OSTSGNDT", big-endian.
const (
	signedMagic = 0x4F535453474E4454
	signedType  = "(taya{sv})"
)

// Signed is a superblock with signatures around it.
type Signed struct {
	Superblock []byte
	Signatures ostree.Metadata
}

// Encode returns the bytes of the file.
func (s *Signed) Encode() ([]byte, error) {
	raw, err := s.Signatures.Encode()
	if err != nil {
		return nil, err
	}
	sigs, err := gvariant.Decode("a{sv}", raw)
	if err != nil {
		return nil, err
	}
	return gvariant.Encode(signedType, gvariant.Tuple{bits.ReverseBytes64(signedMagic), s.Superblock, sigs})
}

// ParseSigned reads a superblock with signatures; nil when b has not the magic of one.
// Every error wraps [ErrMalformed].
func ParseSigned(b []byte) (*Signed, error) {
	if !IsSigned(b) {
		return nil, nil
	}
	if len(b) > MaxSuperblock {
		return nil, fmt.Errorf("superblock of %d bytes, at most %d are allowed: %w", len(b), MaxSuperblock, ErrMalformed)
	}
	v, err := gvariant.Decode(signedType, b)
	if err != nil {
		return nil, fmt.Errorf("signed superblock: %v: %w", err, ErrMalformed)
	}
	t := v.(gvariant.Tuple)
	raw, err := gvariant.Encode("a{sv}", t[2])
	if err != nil {
		return nil, fmt.Errorf("signatures: %v: %w", err, ErrMalformed)
	}
	sigs, err := ostree.ParseMetadata(raw)
	if err != nil {
		return nil, fmt.Errorf("signatures: %v: %w", err, ErrMalformed)
	}
	return &Signed{t[1].([]byte), sigs}, nil
}

// IsSigned tells whether the bytes begin as a signed superblock does.
func IsSigned(b []byte) bool { return len(b) >= 8 && string(b[:8]) == "OSTSGNDT" }

// Name is the name of a delta.
func Name(from *ostree.Checksum, to ostree.Checksum) string {
	if from == nil {
		return to.String()
	}
	return from.String() + "-" + to.String()
}

// Dir returns the delta's folder below the repository: "deltas/PP/REST". from is
// nil for a delta from nothing.
func Dir(from *ostree.Checksum, to ostree.Checksum) string {
	name := encodeName(to)
	if from != nil {
		name = encodeName(*from) + "-" + name
	}
	return path.Join("deltas", name[:2], name[2:])
}

func encodeName(c ostree.Checksum) string {
	return strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(c[:]), "/", "_")
}
