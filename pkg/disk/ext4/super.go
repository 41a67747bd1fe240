package ext4

import (
	"encoding/binary"

	"github.com/treewright/treewright/pkg/filetree"
)

// Feature words.
const (
	compat   = 0x4 | 0x8 | 0x10 | 0x20               // has_journal ext_attr resize_inode dir_index
	incompat = 0x2 | 0x40 | 0x80 | 0x200 | 0x2000    // filetype extents 64bit flex_bg csum_seed
	roCompat = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x400 // sparse_super large_file huge_file dir_nlink extra_isize metadata_csum
)

// Flags of a group.
const (
	groupInodeUninit = 1
	groupInodeZeroed = 4
)

// metadata emits inode tables, bitmaps, descriptors and superblocks. All blocks are
// given out by now.
func (b *builder) metadata() {
	b.inodeTables()
	for i, g := range b.groups {
		b.bitmaps(i, g)
	}
	descriptors := make([]byte, b.gdt*blockSize)
	for i, g := range b.groups {
		b.descriptor(descriptors[i*descSize:(i+1)*descSize], i, g)
	}
	for i, g := range b.groups {
		if !g.backup {
			continue
		}
		first := make([]byte, blockSize)
		at := 0
		if i == 0 {
			at = 1024
		}
		copy(first[at:], b.superblock(i))
		b.emit(g.start, first)
		b.emit(g.start+1, descriptors)
	}
}

// inodeTables writes the table blocks that hold inodes, and counts.
func (b *builder) inodeTables() {
	tables := make([][]byte, len(b.groups))
	put := func(number int, raw []byte, dir bool) {
		g := (number - 1) / b.perGroup
		at := (number - 1) % b.perGroup * inodeSize
		if end := (at/blockSize + 1) * blockSize; len(tables[g]) < end {
			tables[g] = append(tables[g], make([]byte, end-len(tables[g]))...)
		}
		copy(tables[g][at:], raw)
		if dir {
			b.groups[g].dirs++
		}
	}
	for _, n := range []int{1, 3, 4, 5, 6, 9, 10} { // reserved, and not in use
		put(n, make([]byte, inodeSize), false)
	}
	put(resizeInode, b.special[resizeInode], false)
	put(journalInode, b.special[journalInode], false)
	last := 0
	for _, i := range b.inodes {
		put(i.number, i.bytes(b), i.node.Kind == filetree.Dir)
		last = max(last, i.number)
	}
	for i, g := range b.groups {
		inUse := min(max(last-i*b.perGroup, 0), b.perGroup)
		g.freeInodes = b.perGroup - inUse
		g.unused = g.freeInodes
		if len(tables[i]) > 0 {
			b.emit(g.inodeTable, tables[i])
		}
	}
}

// bitmaps writes a group's bitmaps and counts its free blocks.
func (b *builder) bitmaps(i int, g *group) {
	blocks := make([]byte, blockSize)
	for j := range blocksPerGroup {
		if j >= g.size || b.isUsed(g.start+j) {
			blocks[j/8] |= 1 << (j % 8)
		} else {
			g.freeBlocks++
		}
	}
	b.freeBlocks += g.freeBlocks
	b.emit(g.blockBitmap, blocks)
	g.blockSum = crc(b.seed, blocks)
	inodes := make([]byte, blockSize)
	for j := range blockSize * 8 {
		if j < b.perGroup-g.freeInodes || j >= b.perGroup {
			inodes[j/8] |= 1 << (j % 8)
		}
	}
	g.inodeSum = crc(b.seed, inodes[:b.perGroup/8])
	if g.freeInodes < b.perGroup {
		b.emit(g.inodeBitmap, inodes)
	}
}

// descriptor writes a group's descriptor.
func (b *builder) descriptor(out []byte, i int, g *group) {
	le := binary.LittleEndian
	flags := uint16(groupInodeZeroed)
	if g.freeInodes == b.perGroup {
		flags |= groupInodeUninit
	}
	le.PutUint32(out[0x00:], uint32(g.blockBitmap))
	le.PutUint32(out[0x04:], uint32(g.inodeBitmap))
	le.PutUint32(out[0x08:], uint32(g.inodeTable))
	le.PutUint16(out[0x0c:], uint16(g.freeBlocks))
	le.PutUint16(out[0x0e:], uint16(g.freeInodes))
	le.PutUint16(out[0x10:], uint16(g.dirs))
	le.PutUint16(out[0x12:], flags)
	le.PutUint16(out[0x18:], uint16(g.blockSum))
	le.PutUint16(out[0x38:], uint16(g.blockSum>>16))
	if flags&groupInodeUninit == 0 {
		le.PutUint16(out[0x1a:], uint16(g.inodeSum))
		le.PutUint16(out[0x3a:], uint16(g.inodeSum>>16))
	}
	le.PutUint16(out[0x1c:], uint16(g.unused))
	var n [4]byte
	le.PutUint32(n[:], uint32(i))
	le.PutUint16(out[0x1e:], uint16(crc(b.seed, n[:], out)))
}

// superblock is the copy for a group.
func (b *builder) superblock(groupNumber int) []byte {
	s := make([]byte, 1024)
	le := binary.LittleEndian
	freeInodes, overhead := 0, b.journal
	for _, g := range b.groups {
		freeInodes += g.freeInodes
		overhead += 2 + b.tableBlocks()
		if g.backup {
			overhead += 1 + b.gdt + b.reserved
		}
	}
	for at, v := range map[int]uint32{
		0x00: uint32(b.perGroup * len(b.groups)), 0x04: uint32(b.blocks), 0x0c: uint32(b.freeBlocks), 0x10: uint32(freeInodes),
		0x18: 2, 0x1c: 2, 0x20: blocksPerGroup, 0x24: blocksPerGroup, 0x28: uint32(b.perGroup), 0x30: uint32(b.o.Time),
		0x40: uint32(b.o.Time), 0x4c: 1, 0x54: firstInode, 0x5c: compat, 0x60: incompat, 0x64: roCompat,
		0xe0: journalInode, 0x100: 0xc, 0x108: uint32(b.o.Time), 0x160: 1, 0x248: uint32(overhead), 0x270: b.seed,
	} {
		le.PutUint32(s[at:], v)
	}
	for at, v := range map[int]uint16{
		0x36: 0xffff, 0x38: 0xef53, 0x3a: 1, 0x3c: 1, 0x58: inodeSize, 0x5a: uint16(groupNumber),
		0xce: uint16(b.reserved), 0xfe: descSize, 0x15c: extraSize, 0x15e: extraSize,
	} {
		le.PutUint16(s[at:], v)
	}
	copy(s[0x68:], b.o.UUID[:])
	copy(s[0x78:0x88], b.o.Label)
	copy(s[0xec:], b.o.UUID[:]) // the seed of name hashes
	s[0xfc], s[0xfd] = hashMD4, 1
	s[0x174], s[0x175] = 4, 1 // groups in a flex group, as a power of 2; crc32c
	journal := b.special[journalInode]
	copy(s[0x10c:], journal[0x28:0x64])
	copy(s[0x10c+60:], journal[0x6c:0x70]) // size, high half
	copy(s[0x10c+64:], journal[0x04:0x08])
	le.PutUint32(s[0x3fc:], crc(^uint32(0), s[:0x3fc]))
	return s
}
