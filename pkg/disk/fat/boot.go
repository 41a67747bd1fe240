package fat

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/treewright/treewright/pkg/segment"
)

// finish adds boot sectors and tables, and sorts.
func (b *builder) finish() (segment.List, error) {
	head := make([]byte, 3*sector)
	b.bootSector(head[:sector])
	b.info(head[sector : 2*sector])
	head[3*sector-2], head[3*sector-1] = 0x55, 0xaa
	used := (b.next*4 + sector - 1) / sector * sector
	table := make([]byte, used)
	for i := range b.next {
		binary.LittleEndian.PutUint32(table[i*4:], b.table[i])
	}
	add := func(at int, data []byte) {
		b.content = append(b.content, segment.Segment{Offset: int64(at) * sector, Length: int64(len(data)), From: segment.Bytes(data)})
	}
	add(0, head)
	add(6, head)
	add(reserved, table)
	add(reserved+b.fatSize, table)
	slices.SortFunc(b.content, func(x, y segment.Segment) int { return cmp.Compare(x.Offset, y.Offset) })
	return b.content, b.content.Check(b.o.Size)
}

func (b *builder) bootSector(s []byte) {
	le := binary.LittleEndian
	copy(s, []byte{0xeb, 0x58, 0x90})
	copy(s[3:], "treewrig")
	le.PutUint16(s[0x0b:], sector)
	s[0x0d] = byte(b.cluster)
	le.PutUint16(s[0x0e:], reserved)
	s[0x10], s[0x15] = 2, 0xf8
	le.PutUint16(s[0x18:], 32)
	le.PutUint16(s[0x1a:], 8)
	le.PutUint32(s[0x1c:], uint32(b.o.Start/sector))
	le.PutUint32(s[0x20:], uint32(b.o.Size/sector))
	le.PutUint32(s[0x24:], uint32(b.fatSize))
	le.PutUint32(s[0x2c:], 2)
	le.PutUint16(s[0x30:], 1)
	le.PutUint16(s[0x32:], 6)
	s[0x40], s[0x42] = 0x80, 0x29
	le.PutUint32(s[0x43:], b.o.VolumeID)
	name := label(b.o.Label)
	copy(s[0x47:], name[:])
	copy(s[0x52:], "FAT32   ")
	s[sector-2], s[sector-1] = 0x55, 0xaa
}

func (b *builder) info(s []byte) {
	le := binary.LittleEndian
	copy(s, "RRaA")
	copy(s[0x1e4:], "rrAa")
	le.PutUint32(s[0x1e8:], uint32(len(b.table)-b.next))
	le.PutUint32(s[0x1ec:], uint32(b.next-1))
	s[sector-2], s[sector-1] = 0x55, 0xaa
}
