package ext4

import "encoding/binary"

// extent is count blocks of a file, from block logical on.
type extent struct {
	logical, count int64
	block          int
}

const (
	maxExtent    = 32768
	extentMagic  = 0xf30a
	rootExtents  = 4
	blockExtents = (blockSize - 12 - 4) / 12
)

// treeBlocks is how many blocks the tree of n extents needs beside the inode.
func treeBlocks(n int) int {
	if n <= rootExtents {
		return 0
	}
	return (n + blockExtents - 1) / blockExtents
}

func extentHeader(out []byte, entries, limit, depth int) {
	le := binary.LittleEndian
	le.PutUint16(out, extentMagic)
	le.PutUint16(out[2:], uint16(entries))
	le.PutUint16(out[4:], uint16(limit))
	le.PutUint16(out[6:], uint16(depth))
}

func putExtents(out []byte, list []extent) {
	le := binary.LittleEndian
	for i, e := range list {
		p := out[12+i*12:]
		le.PutUint32(p, uint32(e.logical))
		le.PutUint16(p[4:], uint16(e.count))
		le.PutUint16(p[6:], uint16(e.block>>32))
		le.PutUint32(p[8:], uint32(e.block))
	}
}

// extentTree puts an inode's extents into its block area, and into the blocks of
// their tree when there are more than four.
func (b *builder) extentTree(area []byte, i *inode) {
	if len(i.treeAt) == 0 {
		extentHeader(area, len(i.extents), rootExtents, 0)
		putExtents(area, i.extents)
		return
	}
	extentHeader(area, len(i.treeAt), rootExtents, 1)
	le := binary.LittleEndian
	for n, at := range i.treeAt {
		list := i.extents[n*blockExtents : min((n+1)*blockExtents, len(i.extents))]
		p := area[12+n*12:]
		le.PutUint32(p, uint32(list[0].logical))
		le.PutUint32(p[4:], uint32(at))
		le.PutUint16(p[8:], uint16(at>>32))
		block := make([]byte, blockSize)
		extentHeader(block, len(list), blockExtents, 0)
		putExtents(block, list)
		end := 12 + blockExtents*12
		le.PutUint32(block[end:], crc(b.inodeSeed(i.number), block[:end]))
		b.emit(at, block)
	}
}
