// Package segment describes the bytes of a disk before any of them is read: an
// ordered list of pieces, each with its offset and the place its bytes come from.
//
// What no segment covers reads as zero. File systems and partition tables are
// planned into such a list; every image format then walks it once, so no
// intermediate raw disk is written.
package segment

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// A Source is content that can be read from its start, as often as one wants.
type Source interface {
	Open() (io.ReadCloser, error)
}

// Bytes is a Source that is in memory.
type Bytes []byte

// Open returns a reader of b.
func (b Bytes) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }

// A Segment is Length bytes at Offset: the first Length bytes of From.
type Segment struct {
	Offset, Length int64 // bytes
	From           Source
}

// End is the offset behind the segment's last byte.
func (s Segment) End() int64 { return s.Offset + s.Length }

// A List is segments in ascending order of offset that do not overlap.
type List []Segment

// Shift returns the list moved up by by bytes.
func (l List) Shift(by int64) List {
	out := slices.Clone(l)
	for i := range out {
		out[i].Offset += by
	}
	return out
}

// Check tells the first pair that is out of order or overlaps, or the segment that
// does not lie within size bytes.
func (l List) Check(size int64) error {
	var end int64
	for i, s := range l {
		switch {
		case s.Length <= 0 || s.From == nil:
			return fmt.Errorf("segment %d at %d: empty", i, s.Offset)
		case s.Offset < end:
			return fmt.Errorf("segment %d at %d: begins before %d, where the one before it ends", i, s.Offset, end)
		case s.End() > size:
			return fmt.Errorf("segment %d at %d: ends at %d, past the disk's %d bytes", i, s.Offset, s.End(), size)
		}
		end = s.End()
	}
	return nil
}
