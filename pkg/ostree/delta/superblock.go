package delta

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/treewright/treewright/pkg/gvariant"
	"github.com/treewright/treewright/pkg/ostree"
)

// ErrMalformed is wrapped when a superblock cannot be decoded.
var ErrMalformed = errors.New("static delta is malformed")

const (
	superblockType = "(a{sv}tayay(a{sv}aya(say)sstayay)aya(uayttay)a(yaytt))"
	commitType     = "(a{sv}aya(say)sstayay)"
	partFileType   = "(yay)" // compression, data: a part as a file
)

// MaxSuperblock is the largest superblock, in bytes, that clients fetch.
const MaxSuperblock = 128 << 20

// Superblock is the header of a static delta.
type Superblock struct {
	Timestamp int64            // seconds since 1970 UTC
	From      *ostree.Checksum // nil: from nothing
	To        ostree.Checksum
	Commit    []byte // the commit object TO
	Parts     []PartHeader
	Fallbacks []Fallback

	// Order is the byte order that the superblock's numbers have or are to have: 'l' or
	// 'B'; 0 is 'l'. Guessed tells that the superblock does not say.
	Order   byte
	Guessed bool
	// Detached is the commit's detached metadata; nil: none.
	Detached ostree.Metadata
	// Inline are the files of parts; nil when they are files.
	Inline [][]byte
}

// ObjectName is an object's type and checksum.
type ObjectName struct {
	Type     ostree.ObjectType
	Checksum ostree.Checksum
}

// PartHeader describes one part file.
type PartHeader struct {
	Checksum ostree.Checksum // SHA-256 of the file
	Size     uint64          // bytes of the file
	USize    uint64          // bytes of metadata objects and of file content in it
	Objects  []ObjectName
}

// Fallback is an object that a client fetches whole.
type Fallback struct {
	ObjectName
	Size  uint64 // bytes as stored in the repository
	USize uint64 // bytes of content
}

// Encode returns the superblock's bytes. The commit must be a valid one.
func (s *Superblock) Encode() ([]byte, error) {
	commit, err := gvariant.Decode(commitType, s.Commit)
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", s.To, err)
	}
	var from []byte
	if s.From != nil {
		from = s.From[:]
	}
	meta, err := s.metadata()
	if err != nil {
		return nil, err
	}
	swap := func(n uint64) uint64 { return n }
	if s.Order == 'B' {
		swap = bits.ReverseBytes64
	}
	parts := make([]any, len(s.Parts))
	for i, p := range s.Parts {
		var objects []byte
		for _, o := range p.Objects {
			objects = append(append(objects, byte(o.Type)), o.Checksum[:]...)
		}
		parts[i] = gvariant.Tuple{uint32(0), p.Checksum[:], swap(p.Size), swap(p.USize), objects}
	}
	fallbacks := make([]any, len(s.Fallbacks))
	for i, f := range s.Fallbacks {
		fallbacks[i] = gvariant.Tuple{byte(f.Type), f.Checksum[:], swap(f.Size), swap(f.USize)}
	}
	return gvariant.Encode(superblockType, gvariant.Tuple{
		meta, bits.ReverseBytes64(uint64(s.Timestamp)), from, s.To[:], commit, []byte(nil), parts, fallbacks,
	})
}

// ParseSuperblock decodes a superblock. b is the whole file, at most [MaxSuperblock]
// bytes; of a signed one see [ParseSigned].
//
// Every error wraps [ErrMalformed] and names the field.
func ParseSuperblock(b []byte) (*Superblock, error) {
	if len(b) > MaxSuperblock {
		return nil, fmt.Errorf("superblock of %d bytes, at most %d are allowed: %w", len(b), MaxSuperblock, ErrMalformed)
	}
	v, err := gvariant.Decode(superblockType, b)
	if err != nil {
		return nil, fmt.Errorf("superblock: %v: %w", err, ErrMalformed)
	}
	t := v.(gvariant.Tuple)
	s := &Superblock{Timestamp: int64(bits.ReverseBytes64(t[1].(uint64)))}
	if from := t[2].([]byte); len(from) > 0 {
		c, err := checksum("from", from)
		if err != nil {
			return nil, err
		}
		s.From = &c
	}
	if s.To, err = checksum("to", t[3].([]byte)); err != nil {
		return nil, err
	}
	if err := s.readMetadata(t[0].([]any)); err != nil {
		return nil, err
	}
	if s.Commit, err = gvariant.Encode(commitType, t[4]); err != nil {
		return nil, fmt.Errorf("commit: %v: %w", err, ErrMalformed)
	}
	if len(t[5].([]byte)) > 0 {
		return nil, fmt.Errorf("recursion is not supported: %w", ErrMalformed)
	}
	for i, e := range t[6].([]any) {
		p, err := parsePart(e.(gvariant.Tuple))
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", i, err)
		}
		s.Parts = append(s.Parts, p)
	}
	for i, e := range t[7].([]any) {
		f := e.(gvariant.Tuple)
		c, err := checksum("object", f[1].([]byte))
		if err != nil {
			return nil, fmt.Errorf("fallback %d: %w", i, err)
		}
		s.Fallbacks = append(s.Fallbacks, Fallback{
			ObjectName{ostree.ObjectType(f[0].(byte)), c}, f[2].(uint64), f[3].(uint64)})
	}
	if s.Order == 0 {
		s.guessOrder()
	}
	if s.Order == 'B' {
		s.swapNumbers()
	}
	return s, nil
}

func parsePart(t gvariant.Tuple) (p PartHeader, err error) {
	if v := t[0].(uint32); v != 0 {
		return p, fmt.Errorf("version is %d, only 0 is known: %w", v, ErrMalformed)
	}
	if p.Checksum, err = checksum("checksum", t[1].([]byte)); err != nil {
		return p, err
	}
	p.Size, p.USize = t[2].(uint64), t[3].(uint64)
	objects := t[4].([]byte)
	const entry = 1 + len(ostree.Checksum{})
	if len(objects)%entry != 0 {
		return p, fmt.Errorf("object list of %d bytes is no multiple of %d: %w", len(objects), entry, ErrMalformed)
	}
	for ; len(objects) > 0; objects = objects[entry:] {
		p.Objects = append(p.Objects, ObjectName{ostree.ObjectType(objects[0]), ostree.Checksum(objects[1:entry])})
	}
	return p, nil
}

func checksum(field string, b []byte) (c ostree.Checksum, err error) {
	if len(b) != len(c) {
		return c, fmt.Errorf("%s: checksum of %d bytes, want %d: %w", field, len(b), len(c), ErrMalformed)
	}
	return ostree.Checksum(b), nil
}
