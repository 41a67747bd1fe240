package ext4

import (
	"encoding/binary"
	"fmt"

	"github.com/treewright/treewright/pkg/filetree"
)

// inode is one file, folder or link of the tree.
type inode struct {
	number     int
	node       *filetree.Node
	links      int
	parent     *inode
	entries    []entry // of a folder
	dirBlocks  [][]byte
	extents    []extent
	treeAt     []int // blocks of the extent tree
	xattrBlock []byte
	inlineAttr []byte // what fits into the inode itself
	xattrAt    int
}

// entry is a name in a folder.
type entry struct {
	name  string
	inode *inode
}

// collect numbers the inodes in the order of the tree.
func (b *builder) collect(root *filetree.Node) error {
	b.byNode = map[*filetree.Node]*inode{}
	top := &inode{number: rootInode, node: root, links: 2}
	top.parent = top
	b.inodes = []*inode{top}
	lost := &inode{number: lostInode, node: &filetree.Node{Kind: filetree.Dir, Mode: 0o700, ModTime: b.o.Time, Xattrs: b.o.LostFound}, links: 2, parent: top}
	if root.Child("lost+found") != nil {
		return fmt.Errorf("the tree has lost+found, which is the file system's own")
	}
	if err := b.folder(top, "", lost); err != nil {
		return err
	}
	for _, i := range b.inodes {
		if err := i.xattrs(); err != nil {
			return err
		}
		if i.node.Kind == filetree.Dir {
			i.buildDir(b.o.UUID)
		}
	}
	return nil
}

// folder adds what is in a folder; lost is the root's lost+found.
func (b *builder) folder(dir *inode, at string, lost *inode) error {
	if lost != nil {
		b.inodes = append(b.inodes, lost)
		dir.entries = append(dir.entries, entry{"lost+found", lost})
		dir.links++
	}
	for _, name := range dir.node.Names() {
		n := dir.node.Child(name)
		if len(name) > 255 {
			return fmt.Errorf("%s/%s: a name has at most 255 bytes", at, name)
		}
		i, err := b.inodeOf(n, dir)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", at, name, err)
		}
		dir.entries = append(dir.entries, entry{name, i})
		if n.Kind == filetree.Dir && n.Link == nil {
			if dir.links++; dir.links > maxLinks {
				dir.links = 1 // "more than can be counted"
			}
			if err := b.folder(i, at+"/"+name, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// inodeOf finds or makes the inode of a name.
func (b *builder) inodeOf(n *filetree.Node, dir *inode) (*inode, error) {
	if n.Link != nil {
		n = n.Link
	}
	if n.Kind != filetree.Dir {
		if i := b.byNode[n]; i != nil && i.links < maxLinks {
			i.links++
			return i, nil
		}
	}
	if n.Kind == filetree.File && n.Size > 0 && n.From == nil {
		return nil, fmt.Errorf("file of %d bytes has no content", n.Size)
	}
	if n.Kind == filetree.Symlink && (n.Target == "" || len(n.Target) >= blockSize) {
		return nil, fmt.Errorf("link target of %d bytes", len(n.Target))
	}
	i := &inode{number: firstInode + len(b.inodes) - 1, node: n, links: 1, parent: dir}
	if n.Kind == filetree.Dir {
		i.links = 2
	}
	b.inodes = append(b.inodes, i)
	b.byNode[n] = i
	return i, nil
}

// shortLink is the longest link target that lies in the inode.
const shortLink = 59

// dataBlocks is how many blocks of content an inode has.
func (i *inode) dataBlocks() int64 {
	switch i.node.Kind {
	case filetree.Dir:
		return int64(len(i.dirBlocks))
	case filetree.File:
		return ceil(i.node.Size, blockSize)
	case filetree.Symlink:
		if len(i.node.Target) > shortLink {
			return 1
		}
	}
	return 0
}

// size is the length that the inode tells.
func (i *inode) size() int64 {
	switch i.node.Kind {
	case filetree.Dir:
		return int64(len(i.dirBlocks)) * blockSize
	case filetree.File:
		return i.node.Size
	case filetree.Symlink:
		return int64(len(i.node.Target))
	}
	return 0
}

var modeBits = map[filetree.Kind]uint32{
	filetree.Dir: 0o040000, filetree.File: 0o100000, filetree.Symlink: 0o120000, filetree.CharDevice: 0o020000,
	filetree.BlockDevice: 0o060000, filetree.FIFO: 0o010000, filetree.Socket: 0o140000,
}

// Flags of an inode.
const (
	flagImmutable = 0x10
	flagIndex     = 0x1000
	flagExtents   = 0x80000
)

const (
	extraSize   = 32
	inlineStart = 128 + extraSize
)

// bytes is the inode as it lies in the table.
func (i *inode) bytes(b *builder) []byte {
	n := i.node
	out := make([]byte, inodeSize)
	le := binary.LittleEndian
	le.PutUint16(out[0x00:], uint16(modeBits[n.Kind]|n.Mode&0o7777))
	le.PutUint16(out[0x02:], uint16(n.UID))
	le.PutUint32(out[0x04:], uint32(i.size()))
	for _, at := range []int{0x08, 0x0c, 0x10, 0x90} { // access, change, modification, creation
		le.PutUint32(out[at:], uint32(n.ModTime))
	}
	epoch := uint32(((n.ModTime - int64(int32(n.ModTime))) >> 32) & 3)
	for _, at := range []int{0x84, 0x88, 0x8c, 0x94} {
		le.PutUint32(out[at:], epoch)
	}
	le.PutUint16(out[0x18:], uint16(n.GID))
	le.PutUint16(out[0x1a:], uint16(i.links))
	sectors := (i.dataBlocks() + int64(len(i.treeAt))) * (blockSize / 512)
	if i.xattrAt > 0 {
		sectors += blockSize / 512
		le.PutUint32(out[0x68:], uint32(i.xattrAt))
	}
	le.PutUint32(out[0x1c:], uint32(sectors))
	le.PutUint16(out[0x74:], uint16(sectors>>32))
	le.PutUint32(out[0x6c:], uint32(i.size()>>32))
	le.PutUint16(out[0x78:], uint16(n.UID>>16))
	le.PutUint16(out[0x7a:], uint16(n.GID>>16))
	le.PutUint16(out[0x80:], extraSize)
	le.PutUint32(out[0x20:], i.area(out[0x28:0x64], b))
	copy(out[inlineStart:], i.inlineAttr)
	b.inodeChecksum(out, i.number)
	return out
}

// area fills the block area and returns the inode's flags.
func (i *inode) area(area []byte, b *builder) uint32 {
	var flags uint32
	if b.o.Immutable != nil && i.node == b.o.Immutable {
		flags |= flagImmutable
	}
	switch i.node.Kind {
	case filetree.Symlink:
		if len(i.node.Target) <= shortLink {
			copy(area, i.node.Target)
			return flags
		}
	case filetree.CharDevice, filetree.BlockDevice:
		major, minor := i.node.Rdev>>8, i.node.Rdev&0xff
		if major < 256 {
			binary.LittleEndian.PutUint32(area, major<<8|minor)
		} else {
			binary.LittleEndian.PutUint32(area[4:], minor|major<<8)
		}
		return flags
	case filetree.FIFO, filetree.Socket:
		return flags
	case filetree.Dir:
		if len(i.dirBlocks) > 1 {
			flags |= flagIndex
		}
	}
	b.extentTree(area, i)
	return flags | flagExtents
}

// inodeSeed is where an inode's own checksums begin.
func (b *builder) inodeSeed(number int) uint32 {
	var n [8]byte // number, generation 0
	binary.LittleEndian.PutUint32(n[:], uint32(number))
	return crc(b.seed, n[:])
}

// inodeChecksum puts the checksum into an inode's bytes, whose place for it is zero.
func (b *builder) inodeChecksum(raw []byte, number int) {
	c := crc(b.inodeSeed(number), raw)
	binary.LittleEndian.PutUint16(raw[0x7c:], uint16(c))
	binary.LittleEndian.PutUint16(raw[0x82:], uint16(c>>16))
}
