package ext4

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/segment"
	"github.com/treewright/treewright/pkg/units"
)

// Options tells what file system to plan.
type Options struct {
	Size  int64 // bytes; what is over the last whole block is left out
	UUID  [16]byte
	Label string // at most 16 bytes
	Time  int64  // of the file system itself, seconds since 1970 UTC
	// Immutable is the node that gets the immutable flag, as libostree gives to a
	// deployment; nil: none.
	Immutable *filetree.Node
	LostFound []filetree.Xattr // attributes of lost+found
}

// Plan is a planned file system.
type Plan struct {
	Size       int64 // bytes
	Inodes     int   // in use
	FreeBlocks int64

	segments segment.List
}

// Segments are the bytes of the file system, in ascending order. Those of files open
// their nodes' sources.
func (p *Plan) Segments() segment.List { return p.segments }

// New plans a file system that holds the tree below root. Owner, mode, times and
// extended attributes are the nodes'; a node with a Link is another name of that
// node's inode.
//
// The error wraps [ErrTooSmall] and says how much is needed when the tree does not
// fit.
func New(root *filetree.Node, o Options) (*Plan, error) {
	if len(o.Label) > 16 {
		return nil, fmt.Errorf("ext4 label %q is longer than 16 bytes", o.Label)
	}
	if o.Size > MaxSize {
		return nil, fmt.Errorf("ext4 %q: %s is more than 16 TiB", o.Label, units.Bytes(o.Size))
	}
	b := &builder{o: o, seed: crc(^uint32(0), o.UUID[:])}
	if err := b.collect(root); err != nil {
		return nil, fmt.Errorf("ext4 %q: %w", o.Label, err)
	}
	need := b.contentBlocks()
	if err := b.geometry(); err != nil {
		return nil, err
	}
	if b.free() < need {
		least := MinSize(root)
		return nil, fmt.Errorf("ext4 %q: content needs %s, the partition has %s: %w", o.Label, units.Bytes(least), units.Bytes(o.Size), ErrTooSmall)
	}
	if err := b.layout(); err != nil {
		return nil, fmt.Errorf("ext4 %q: %w", o.Label, err)
	}
	b.metadata()
	slices.SortFunc(b.out, func(x, y segment.Segment) int { return cmp.Compare(x.Offset, y.Offset) })
	p := &Plan{Size: int64(b.blocks) * blockSize, Inodes: len(b.inodes), FreeBlocks: int64(b.freeBlocks), segments: b.out}
	return p, b.out.Check(p.Size)
}

// MinSize is a size, in bytes, at which the tree fits, with a tenth of it and 16 MiB
// to spare.
func MinSize(root *filetree.Node) int64 {
	b := &builder{}
	if err := b.collect(root); err != nil {
		return 0 // New tells
	}
	content := b.contentBlocks()
	size := (content + content/10 + 4096) * blockSize
	for {
		c := &builder{inodes: b.inodes, o: Options{Size: size}}
		if c.geometry() == nil && c.free() >= content+content/10+4096 {
			return size
		}
		size += size/16 + 1<<20
	}
}

// builder holds the file system on its way.
type builder struct {
	o    Options
	seed uint32 // of checksums

	inodes     []*inode
	byNode     map[*filetree.Node]*inode
	blocks     int // of the file system
	groups     []*group
	perGroup   int // inodes
	gdt        int // blocks of group descriptors
	reserved   int // blocks reserved for more
	journal    int // blocks
	next       int // block from which free ones are looked for
	used       []uint64
	freeBlocks int
	out        segment.List
	special    map[int][]byte // inodes 7 and 8
}

// group is one block group.
type group struct {
	start, size              int // blocks
	blockBitmap, inodeBitmap int // block numbers
	inodeTable               int
	freeBlocks, freeInodes   int
	dirs, unused             int
	backup                   bool   // has a copy of the superblock
	blockSum, inodeSum       uint32 // checksums of the bitmaps
}

// emit adds the bytes of whole blocks.
func (b *builder) emit(block int, data []byte) {
	b.out = append(b.out, segment.Segment{Offset: int64(block) * blockSize, Length: int64(len(data)), From: segment.Bytes(data)})
}

func (b *builder) isUsed(block int) bool { return b.used[block/64]&(1<<(block%64)) != 0 }
func (b *builder) mark(block int)        { b.used[block/64] |= 1 << (block % 64) }

func hasBackup(g int) bool {
	if g <= 1 {
		return true
	}
	for _, p := range []int{3, 5, 7} {
		n := p
		for n < g {
			n *= p
		}
		if n == g {
			return true
		}
	}
	return false
}

// journalBlocks is mke2fs's choice.
func journalBlocks(blocks int) int {
	switch {
	case blocks < 32768:
		return 1024
	case blocks < 262144:
		return 4096
	case blocks < 524288:
		return 8192
	case blocks < 4194304:
		return 16384
	case blocks < 8388608:
		return 32768
	}
	return 65536
}

// smallest file system that is planned, in blocks.
const minBlocks = 2048

// geometry lays the groups out: how many, where their tables are.
func (b *builder) geometry() error {
	b.blocks = int(b.o.Size / blockSize)
	if b.blocks < minBlocks {
		return fmt.Errorf("ext4 %q: %s, at least %s are needed: %w", b.o.Label, units.Bytes(b.o.Size), units.Bytes(minBlocks*blockSize), ErrTooSmall)
	}
	n := int(ceil(int64(b.blocks), blocksPerGroup))
	// A quarter of the inodes stays free; a table has whole blocks.
	b.perGroup = 8192
	if want := ceil(int64(len(b.inodes)+firstInode)*4/3+64, int64(n)); want > int64(b.perGroup) {
		b.perGroup = int(ceil(want, blockSize/inodeSize)) * (blockSize / inodeSize)
	}
	if b.perGroup > blockSize*8 {
		return fmt.Errorf("ext4 %q: %d files are too many for %s: %w", b.o.Label, len(b.inodes), units.Bytes(b.o.Size), ErrTooSmall)
	}
	b.tables(n)
	// mke2fs leaves a last group out that has hardly room for more than its tables.
	last := b.blocks - (n-1)*blocksPerGroup
	overhead := 2 + b.tableBlocks()
	if hasBackup(n - 1) {
		overhead += 1 + b.gdt + b.reserved
	}
	if n > 1 && last < overhead+50 {
		n--
		b.blocks = n * blocksPerGroup
		b.tables(n)
	}
	b.journal = journalBlocks(b.blocks)
	b.place(n)
	return nil
}

func (b *builder) tableBlocks() int { return b.perGroup * inodeSize / blockSize }

// tables computes the number of descriptor blocks and of those reserved for growth.
func (b *builder) tables(n int) {
	b.gdt = int(ceil(int64(n)*descSize, blockSize))
	limit := min(int64(1024)*int64(n), (1<<32)/blocksPerGroup)
	b.reserved = min(int(ceil(limit*descSize, blockSize))-b.gdt, 1024)
}

// place gives every group's bitmaps and tables their blocks.
func (b *builder) place(n int) {
	b.groups = make([]*group, n)
	b.used = make([]uint64, (n*blocksPerGroup+63)/64)
	for i := range b.groups {
		g := &group{start: i * blocksPerGroup, size: min(blocksPerGroup, b.blocks-i*blocksPerGroup), backup: hasBackup(i)}
		b.groups[i] = g
		if g.backup {
			for j := range 1 + b.gdt + b.reserved {
				b.mark(g.start + j)
			}
		}
	}
	for first := 0; first < n; first += flexGroups {
		last := min(first+flexGroups, n)
		at := b.groups[first].start
		take := func(count int) int {
			for run := 0; ; at++ { // a run of count free blocks
				if at >= b.blocks {
					return -1
				}
				if b.isUsed(at) {
					run = 0
					continue
				}
				if run++; run == count {
					start := at - count + 1
					for j := start; j <= at; j++ {
						b.mark(j)
					}
					at++
					return start
				}
			}
		}
		for _, g := range b.groups[first:last] {
			g.blockBitmap = take(1)
		}
		for _, g := range b.groups[first:last] {
			g.inodeBitmap = take(1)
		}
		for _, g := range b.groups[first:last] {
			g.inodeTable = take(b.tableBlocks())
		}
	}
}

// free counts blocks that are not in use.
func (b *builder) free() int64 {
	n := int64(0)
	for i := range b.blocks {
		if !b.isUsed(i) {
			n++
		}
	}
	return n
}

// contentBlocks estimates what the tree, the journal and the rest take, from above.
func (b *builder) contentBlocks() int64 {
	n := int64(2 + 4096) // the resize inode's block, lost+found, extent blocks
	if b.o.Size > 0 {
		n = 64 + int64(journalBlocks(int(b.o.Size/blockSize)))
	}
	for _, i := range b.inodes {
		n += i.dataBlocks()
		if len(i.xattrBlock) > 0 {
			n++
		}
	}
	// Breaks at group tables need extent blocks at most once in 128 MiB.
	return n + n/2000
}

// alloc takes count blocks from the next free ones and returns them as extents.
func (b *builder) alloc(count int64) ([]extent, error) {
	var out []extent
	logical := int64(0)
	for count > 0 {
		if b.next >= b.blocks {
			return nil, ErrTooSmall
		}
		if b.isUsed(b.next) {
			b.next++
			continue
		}
		start := b.next
		for int64(b.next-start) < min(count, maxExtent) && b.next < b.blocks && !b.isUsed(b.next) {
			b.mark(b.next)
			b.next++
		}
		n := int64(b.next - start)
		out = append(out, extent{logical, n, start})
		logical += n
		count -= n
	}
	return out, nil
}

// layout gives all content its blocks: journal, folders, long links and attribute
// blocks, then files, in the order of the tree.
func (b *builder) layout() error {
	resize, err := b.alloc(1)
	if err != nil {
		return err
	}
	b.resizeBlocks(resize[0].block)
	if err := b.journalBlocksOf(); err != nil {
		return err
	}
	for _, files := range []bool{false, true} {
		for _, i := range b.inodes {
			if (i.node.Kind == filetree.File) != files {
				continue
			}
			if err := b.allocInode(i); err != nil {
				return err
			}
		}
	}
	for _, i := range b.inodes {
		b.content(i)
	}
	return nil
}

// allocInode gives one inode its blocks.
func (b *builder) allocInode(i *inode) (err error) {
	if len(i.xattrBlock) > 0 {
		e, err := b.alloc(1)
		if err != nil {
			return err
		}
		i.xattrAt = e[0].block
	}
	if n := i.dataBlocks(); n > 0 {
		if i.extents, err = b.alloc(n); err != nil {
			return err
		}
	}
	if n := treeBlocks(len(i.extents)); n > 0 {
		e, err := b.alloc(int64(n))
		if err != nil {
			return err
		}
		for _, x := range e {
			for j := range int(x.count) {
				i.treeAt = append(i.treeAt, x.block+j)
			}
		}
	}
	return nil
}

// content emits the data of one inode.
func (b *builder) content(i *inode) {
	switch {
	case i.node.Kind == filetree.Dir:
		b.emitExtents(i, i.dirData(b))
	case i.node.Kind == filetree.Symlink && i.dataBlocks() > 0:
		data := make([]byte, blockSize)
		copy(data, i.node.Target)
		b.emitExtents(i, data)
	case i.node.Kind == filetree.File && i.node.Size > 0:
		left := i.node.Size
		src := source(i.node.From)
		for _, e := range i.extents {
			n := min(left, e.count*blockSize)
			b.out = append(b.out, segment.Segment{Offset: int64(e.block) * blockSize, Length: n, From: src(e.logical*blockSize, n, len(i.extents) == 1)})
			left -= n
		}
	}
	if len(i.xattrBlock) > 0 {
		block := bytes.Clone(i.xattrBlock)
		var at [8]byte
		binary.LittleEndian.PutUint64(at[:], uint64(i.xattrAt))
		binary.LittleEndian.PutUint32(block[0x10:], crc(b.seed, at[:], block))
		b.emit(i.xattrAt, block)
	}
}

func (b *builder) emitExtents(i *inode, data []byte) {
	for _, e := range i.extents {
		b.emit(e.block, data[e.logical*blockSize:(e.logical+e.count)*blockSize])
	}
}
