package ext4

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/treewright/treewright/pkg/filetree"
)

const (
	tailSize   = 12
	leafRoom   = blockSize - tailSize
	dotSize    = 12
	rootLimit  = (blockSize-32)/8 - 1
	nodeLimit  = (blockSize-8)/8 - 1
	hashMD4    = 1
	tailMarker = 0xde
)

var fileTypes = map[filetree.Kind]byte{
	filetree.File: 1, filetree.Dir: 2, filetree.CharDevice: 3, filetree.BlockDevice: 4, filetree.FIFO: 5,
	filetree.Socket: 6, filetree.Symlink: 7,
}

func recLen(name string) int { return 8 + (len(name)+3)&^3 }

// putEntry writes a directory entry that reaches length bytes.
func putEntry(out []byte, inode, length int, name string, kind byte) {
	le := binary.LittleEndian
	le.PutUint32(out, uint32(inode))
	le.PutUint16(out[4:], uint16(length))
	out[6], out[7] = byte(len(name)), kind
	copy(out[8:], name)
}

// leaf writes entries into a block; the last one reaches the tail.
func leaf(entries []entry, start int, block []byte) {
	at := start
	for n, e := range entries {
		length := recLen(e.name)
		if n == len(entries)-1 {
			length = leafRoom - at
		}
		putEntry(block[at:], e.inode.number, length, e.name, fileTypes[e.inode.node.Kind])
		at += length
	}
	binary.LittleEndian.PutUint16(block[leafRoom+4:], tailSize)
	block[leafRoom+7] = tailMarker
}

// buildDir lays a folder's entries out into blocks, without checksums: one block, or
// a hash tree.
func (i *inode) buildDir(seed [16]byte) {
	size := recLen(".") + recLen("..")
	for _, e := range i.entries {
		size += recLen(e.name)
	}
	if size <= leafRoom {
		block := make([]byte, blockSize)
		dots := []entry{{".", i}, {"..", i.parent}}
		leaf(append(dots, i.entries...), 0, block)
		i.dirBlocks = [][]byte{block}
		return
	}
	i.hashTree(seed)
}

// hashed is an entry with the hash of its name.
type hashed struct {
	entry
	hash uint32
}

// indexEntry is a key of the hash tree and the block it leads to.
type indexEntry struct {
	hash  uint32
	block int
}

// hashTree sorts the entries by hash into leaves and puts an index in front.
func (i *inode) hashTree(seed [16]byte) {
	list := make([]hashed, len(i.entries))
	for n, e := range i.entries {
		list[n] = hashed{e, halfMD4(seed, e.name)}
	}
	slices.SortStableFunc(list, func(a, b hashed) int { return cmp.Compare(a.hash, b.hash) })
	var leaves [][]byte
	var keys []uint32
	var lastHash uint32
	for len(list) > 0 {
		n, room := 0, leafRoom
		for n < len(list) && recLen(list[n].name) <= room {
			room -= recLen(list[n].name)
			n++
		}
		block := make([]byte, blockSize)
		var names []entry
		for _, h := range list[:n] {
			names = append(names, h.entry)
		}
		leaf(names, 0, block)
		key := list[0].hash
		if len(keys) > 0 && lastHash == key {
			key |= 1 // goes on from the leaf before
		}
		lastHash = list[n-1].hash
		leaves, keys = append(leaves, block), append(keys, key)
		list = list[n:]
	}
	i.index(leaves, keys)
}

// index puts the root, and nodes when one block does not hold all keys, in front of
// the leaves.
func (i *inode) index(leaves [][]byte, keys []uint32) {
	root := make([]byte, blockSize)
	putEntry(root, i.number, dotSize, ".", 2)
	putEntry(root[dotSize:], i.parent.number, blockSize-dotSize, "..", 2)
	root[0x1c], root[0x1d] = hashMD4, 8
	if len(leaves) <= rootLimit {
		var list []indexEntry
		for n := range leaves {
			list = append(list, indexEntry{keys[n], 1 + n})
		}
		putIndex(root[0x20:], rootLimit, list)
		i.dirBlocks = append([][]byte{root}, leaves...)
		return
	}
	root[0x1e] = 1 // one level of nodes
	nNodes := (len(leaves) + nodeLimit - 1) / nodeLimit
	var top []indexEntry
	var nodes [][]byte
	for n := range nNodes {
		from, to := n*nodeLimit, min((n+1)*nodeLimit, len(leaves))
		var list []indexEntry
		for j := from; j < to; j++ {
			list = append(list, indexEntry{keys[j], 1 + nNodes + j})
		}
		node := make([]byte, blockSize)
		binary.LittleEndian.PutUint16(node[4:], blockSize)
		putIndex(node[8:], nodeLimit, list)
		top = append(top, indexEntry{keys[from], 1 + n})
		nodes = append(nodes, node)
	}
	putIndex(root[0x20:], rootLimit, top)
	i.dirBlocks = slices.Concat([][]byte{root}, nodes, leaves)
}

// putIndex writes limit, count and entries; the first one's hash is not stored.
func putIndex(out []byte, limit int, list []indexEntry) {
	le := binary.LittleEndian
	for n, e := range list {
		le.PutUint32(out[n*8:], e.hash)
		le.PutUint32(out[n*8+4:], uint32(e.block))
	}
	le.PutUint16(out, uint16(limit))
	le.PutUint16(out[2:], uint16(len(list)))
}

// dirData is the folder's blocks with their checksums.
func (i *inode) dirData(b *builder) []byte {
	seed := b.inodeSeed(i.number)
	le := binary.LittleEndian
	var out []byte
	for n, block := range i.dirBlocks {
		switch {
		case block[leafRoom+7] == tailMarker && le.Uint16(block[leafRoom+4:]) == tailSize:
			le.PutUint32(block[leafRoom+8:], crc(seed, block[:leafRoom]))
		case n == 0:
			indexChecksum(seed, block, 0x20, rootLimit)
		default:
			indexChecksum(seed, block, 8, nodeLimit)
		}
		out = append(out, block...)
	}
	return out
}

// indexChecksum puts the checksum behind the last possible entry.
func indexChecksum(seed uint32, block []byte, at, limit int) {
	count := int(binary.LittleEndian.Uint16(block[at+2:]))
	c := crc(seed, block[:at+8*count], make([]byte, 8))
	binary.LittleEndian.PutUint32(block[at+8*limit+4:], c)
}
