package gpt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unicode/utf16"

	"github.com/treewright/treewright/pkg/segment"
)

// Segments are the table's bytes on the disk: at its start, with boot, at most 440
// bytes of boot code, and at its end. The error wraps [ErrMalformed] and names the
// partition that overlaps, does not fit, or has no GUID or another's.
func (t *Table) Segments(boot []byte) (segment.List, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if len(boot) > bootCode {
		return nil, fmt.Errorf("boot code of %d bytes, at most %d fit: %w", len(boot), bootCode, ErrMalformed)
	}
	entries := t.entries()
	start := append(t.mbr(boot), t.header(1, t.Sectors-1, 2, entries)...)
	start = append(start, entries...)
	last := t.Sectors - 1
	end := append(entries[:len(entries):len(entries)], t.header(last, 1, last-entrySectors, entries)...)
	return segment.List{
		{Offset: 0, Length: int64(len(start)), From: segment.Bytes(start)},
		{Offset: int64(last-entrySectors) * SectorSize, Length: int64(len(end)), From: segment.Bytes(end)},
	}, nil
}

func (t *Table) mbr(boot []byte) []byte {
	b := make([]byte, SectorSize)
	copy(b, boot)
	e := b[446:]
	copy(e, []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff})
	binary.LittleEndian.PutUint32(e[8:], 1)
	binary.LittleEndian.PutUint32(e[12:], uint32(min(t.Sectors-1, 0xffffffff)))
	b[510], b[511] = 0x55, 0xaa
	return b
}

func (t *Table) entries() []byte {
	out := make([]byte, entryCount*entrySize)
	le := binary.LittleEndian
	for i, p := range t.Partitions {
		e := out[i*entrySize:]
		typ, own := p.Type.swap(), p.GUID.swap()
		copy(e, typ[:])
		copy(e[16:], own[:])
		le.PutUint64(e[32:], p.First)
		le.PutUint64(e[40:], p.Last)
		le.PutUint64(e[48:], p.Attributes)
		for j, u := range utf16.Encode([]rune(p.Name)) {
			le.PutUint16(e[56+2*j:], u)
		}
	}
	return out
}

func (t *Table) header(own, other, at uint64, entries []byte) []byte {
	h := make([]byte, SectorSize)
	le := binary.LittleEndian
	copy(h, "EFI PART")
	le.PutUint32(h[8:], 0x10000)
	le.PutUint32(h[12:], headerSize)
	le.PutUint64(h[24:], own)
	le.PutUint64(h[32:], other)
	le.PutUint64(h[40:], t.FirstUsable())
	le.PutUint64(h[48:], t.LastUsable())
	disk := t.Disk.swap()
	copy(h[56:], disk[:])
	le.PutUint64(h[72:], at)
	le.PutUint32(h[80:], entryCount)
	le.PutUint32(h[84:], entrySize)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:headerSize]))
	return h
}
