package ext4

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
)

// prefixes of attribute names are stored as a number.
var prefixes = []struct {
	index byte
	text  string
}{{1, "user."}, {4, "trusted."}, {6, "security."}}

const (
	xattrMagic    = 0xea020000
	inlineRoom    = inodeSize - inlineStart - 4
	xattrHeader   = 32
	entryHeader   = 16
	selinuxXattr  = "security.selinux"
	maxXattrBlock = blockSize - xattrHeader
)

// attr is an attribute with its name in two parts.
type attr struct {
	index byte
	name  string
	value []byte
}

func pad4(n int) int { return (n + 3) &^ 3 }

func (a attr) size() int { return pad4(entryHeader+len(a.name)) + pad4(len(a.value)) }

// xattrs encodes the attributes: in the inode when they fit there, with the SELinux
// label first; the others in a block.
func (i *inode) xattrs() error {
	var inline, block []attr
	room := inlineRoom - 4 // the list ends in four zero bytes
	list := slices.Clone(i.node.Xattrs)
	slices.SortStableFunc(list, func(a, b filetree.Xattr) int {
		return cmp.Compare(bool2int(b.Name == selinuxXattr), bool2int(a.Name == selinuxXattr))
	})
	for _, x := range list {
		a, err := newAttr(x)
		if err != nil {
			return err
		}
		if a.size() <= room {
			inline, room = append(inline, a), room-a.size()
		} else {
			block = append(block, a)
		}
	}
	if len(inline) > 0 {
		i.inlineAttr = make([]byte, inodeSize-inlineStart)
		binary.LittleEndian.PutUint32(i.inlineAttr, xattrMagic)
		putAttrs(i.inlineAttr[4:], 0, 0, inline)
	}
	if len(block) == 0 {
		return nil
	}
	size := 4
	for _, a := range block {
		size += a.size()
	}
	if size > maxXattrBlock {
		return fmt.Errorf("extended attributes of %d bytes, at most %d fit", size, maxXattrBlock)
	}
	i.xattrBlock = make([]byte, blockSize)
	le := binary.LittleEndian
	le.PutUint32(i.xattrBlock, xattrMagic)
	le.PutUint32(i.xattrBlock[4:], 1) // references
	le.PutUint32(i.xattrBlock[8:], 1) // blocks
	le.PutUint32(i.xattrBlock[12:], putAttrs(i.xattrBlock, xattrHeader, 0, block))
	return nil
}

func bool2int(b bool) int {
	if b {
		return 1
	}
	return 0
}

func newAttr(x filetree.Xattr) (attr, error) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(x.Name, p.text); ok && rest != "" && len(rest) < 256 {
			return attr{p.index, rest, x.Value}, nil
		}
	}
	return attr{}, fmt.Errorf("extended attribute %q cannot be stored", x.Name)
}

// putAttrs writes entries from first on and values from the end downwards; offsets of
// values count from base. It returns the hash of all entries.
func putAttrs(out []byte, first, base int, list []attr) uint32 {
	slices.SortFunc(list, func(a, b attr) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(len(a.name), len(b.name)), strings.Compare(a.name, b.name))
	})
	le := binary.LittleEndian
	at, end := first, len(out)
	var hash uint32
	for _, a := range list {
		end -= pad4(len(a.value))
		copy(out[end:], a.value)
		e := out[at:]
		e[0], e[1] = byte(len(a.name)), a.index
		if len(a.value) > 0 {
			le.PutUint16(e[2:], uint16(end-base))
		}
		le.PutUint32(e[8:], uint32(len(a.value)))
		h := entryHash(a.name, out[end:end+pad4(len(a.value))])
		le.PutUint32(e[12:], h)
		copy(e[16:], a.name)
		at += pad4(entryHeader + len(a.name))
		hash = hash<<16 ^ hash>>16 ^ h
	}
	return hash
}

// entryHash is over the name and the value, padded to 4.
func entryHash(name string, value []byte) uint32 {
	var h uint32
	for _, c := range []byte(name) {
		h = h<<5 ^ h>>27 ^ uint32(c)
	}
	for ; len(value) > 0; value = value[4:] {
		h = h<<16 ^ h>>16 ^ binary.LittleEndian.Uint32(value)
	}
	return h
}
