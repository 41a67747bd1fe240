package ext4

import (
	"encoding/binary"

	"github.com/treewright/treewright/pkg/filetree"
)

// pointers is how many block numbers an indirect block has.
const pointers = blockSize / 4

// doubleIndirect is the slot of the block area that leads to a block of blocks.
const doubleIndirect = 13

// resizeBlocks writes inode 7, which holds the blocks reserved for more group
// descriptors: at is its double-indirect block; each reserved block of the first
// group is an indirect block that lists its copies in the groups with a backup.
func (b *builder) resizeBlocks(at int) {
	le := binary.LittleEndian
	double := make([]byte, blockSize)
	count := 1 // blocks that the inode has
	for r := range b.reserved {
		primary := 1 + b.gdt + r
		le.PutUint32(double[(b.gdt+r)%pointers*4:], uint32(primary))
		count++
		list := make([]byte, blockSize)
		n := 0
		for i, g := range b.groups {
			if i > 0 && g.backup {
				le.PutUint32(list[n*4:], uint32(g.start+primary))
				n++
				count++
			}
		}
		b.emit(primary, list)
	}
	b.emit(at, double)
	raw := make([]byte, inodeSize)
	const size = (pointers*pointers + pointers + 12) * blockSize
	le.PutUint16(raw, 0o100600)
	le.PutUint32(raw[0x04:], uint32(size&0xffffffff))
	le.PutUint32(raw[0x6c:], uint32(size>>32))
	le.PutUint16(raw[0x1a:], 1)
	le.PutUint32(raw[0x1c:], uint32(count*(blockSize/512)))
	le.PutUint32(raw[0x28+doubleIndirect*4:], uint32(at))
	for _, t := range []int{0x08, 0x0c, 0x10, 0x90} {
		le.PutUint32(raw[t:], uint32(b.o.Time))
	}
	le.PutUint16(raw[0x80:], extraSize)
	b.inodeChecksum(raw, resizeInode)
	b.special = map[int][]byte{resizeInode: raw}
}

// journalBlocksOf gives the journal its blocks and writes its first one; the rest is
// zero.
func (b *builder) journalBlocksOf() error {
	extents, err := b.alloc(int64(b.journal))
	if err != nil {
		return err
	}
	first := make([]byte, blockSize)
	be := binary.BigEndian
	for i, v := range []uint32{0xc03b3998, 4, 0, blockSize, uint32(b.journal), 1, 1} {
		be.PutUint32(first[i*4:], v)
	}
	copy(first[0x30:], b.o.UUID[:])
	be.PutUint32(first[0x40:], 1) // users
	b.emit(extents[0].block, first)
	i := &inode{number: journalInode, links: 1, extents: extents,
		node: &filetree.Node{Kind: filetree.File, Mode: 0o600, Size: int64(b.journal) * blockSize, ModTime: b.o.Time}}
	b.special[journalInode] = i.bytes(b)
	return nil
}
