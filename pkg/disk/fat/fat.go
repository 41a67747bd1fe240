// Package fat writes, reads and checks FAT32 file systems, for EFI system partitions.
//
// # Format
//
// Sectors of 512 bytes, all numbers little-endian: 32 reserved sectors (boot sector
// and FSInfo, repeated at 6), two copies of the table, then clusters from number 2
// on. The table has a 28-bit number for each cluster: the next one of a file, or
// 0FFFFFF8 and above for its end. Folders are files of 32-byte entries; a name that
// is not of the form 8.3 in capitals stands, in pieces of 13 UTF-16 units, in entries
// before that. With fewer than 65525 clusters firmware would take it for FAT16.
//
// Not here: FAT12, FAT16, other sectors than of 512 bytes, one copy of the table.
//
// Source: Microsoft's FAT specification of 2000; see docs/FORMATS.md.
package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/segment"
	"github.com/treewright/treewright/pkg/units"
)

// Errors that a caller can tell apart.
var (
	ErrTooSmall  = errors.New("too small")                // the content, or FAT32 itself, does not fit
	ErrMalformed = errors.New("file system is malformed") // what is read is not a whole FAT32
)

const (
	sector      = 512
	reserved    = 32
	minClusters = 65525
	// MinSize is the least size of a FAT32 file system, in bytes.
	MinSize   = 34 << 20
	endChain  = 0x0fffffff
	badChain  = 0x0ffffff7
	entrySize = 32
	maxFolder = 65536 * entrySize // bytes

	attrLabel = 0x08
	attrDir   = 0x10
	attrFile  = 0x20
	attrLong  = 0x0f
)

// Options tells what file system to plan.
type Options struct {
	Size     int64  // bytes
	Start    int64  // of the partition on the disk, bytes
	VolumeID uint32 // the serial number
	Label    string // at most 11 ASCII characters; empty: none
	Time     int64  // of all entries, seconds since 1970 UTC; from 1980 to 2107
}

// New plans a file system that holds the files and folders of root; owners and modes
// have no place in it, and a second name of a file is a copy. The error wraps
// [ErrTooSmall] when it does not fit.
func New(root *filetree.Node, o Options) (segment.List, error) {
	b := &builder{o: o, cluster: 1, next: 2}
	if o.Size > 260<<20 {
		b.cluster = 8
	}
	if err := b.geometry(); err != nil {
		return nil, err
	}
	if _, err := b.folder(root, "", 0, true); err != nil {
		return nil, fmt.Errorf("FAT32 %q: %w", o.Label, err)
	}
	return b.finish()
}

type builder struct {
	o        Options
	cluster  int // sectors
	fatSize  int // sectors of one table
	clusters int
	next     int // the first free one
	table    []uint32
	content  segment.List
}

func (b *builder) geometry() error {
	if b.o.Size>>32 >= sector {
		return fmt.Errorf("FAT32 %q: %s: less than 2 TiB are possible", b.o.Label, units.Bytes(b.o.Size))
	}
	total := int(b.o.Size / sector)
	// The table and what it describes share the space: each sector of the two tables
	// takes one away and describes sector/4 clusters.
	b.fatSize = (total - reserved + 2*b.cluster + b.cluster*sector/4 + 1) / (b.cluster*sector/4 + 2)
	b.clusters = (total - reserved - 2*b.fatSize) / b.cluster
	if b.clusters < minClusters {
		return fmt.Errorf("FAT32 %q: %s, at least %s are needed: %w", b.o.Label, units.Bytes(b.o.Size), units.Bytes(MinSize), ErrTooSmall)
	}
	b.table = make([]uint32, b.clusters+2)
	b.table[0], b.table[1] = 0x0ffffff8, endChain
	return nil
}

// alloc chains enough clusters for size bytes, at least one for a folder.
func (b *builder) alloc(size int64) (first int, err error) {
	n := int((size + int64(b.cluster*sector) - 1) / int64(b.cluster*sector))
	if n == 0 {
		return 0, nil
	}
	if b.next+n > len(b.table) {
		return 0, fmt.Errorf("content needs more than %s: %w", units.Bytes(b.o.Size), ErrTooSmall)
	}
	first = b.next
	for i := range n {
		b.table[first+i] = uint32(first + i + 1)
	}
	b.next += n
	b.table[b.next-1] = endChain
	return first, nil
}

func (b *builder) offset(cluster int) int64 {
	return int64(reserved+2*b.fatSize+(cluster-2)*b.cluster) * sector
}

// folder writes a folder and what is in it; parent is the cluster of the one above, 0
// for the root.
func (b *builder) folder(d *filetree.Node, at string, parent int, root bool) (int, error) {
	names, err := shortNames(d.Names())
	if err != nil {
		return 0, fmt.Errorf("/%s: %w", at, err)
	}
	size := 2
	for _, n := range names {
		size += n.entries()
	}
	if size *= entrySize; size > maxFolder {
		return 0, fmt.Errorf("/%s: %d names are too many for a folder", at, len(names))
	}
	own, err := b.alloc(int64(size))
	if err != nil {
		return 0, err
	}
	out, up := b.head(own, parent), own
	if root {
		out, up = b.rootHead(), 0
	}
	for _, n := range names {
		out = n.appendLong(out)
		if out, err = b.child(out, d.Child(n.long), n, path.Join(at, n.long), up); err != nil {
			return 0, err
		}
	}
	if len(out) > 0 {
		b.content = append(b.content, segment.Segment{Offset: b.offset(own), Length: int64(len(out)), From: segment.Bytes(out)})
	}
	return own, nil
}

// head is what a folder begins with, rootHead what the root does.
func (b *builder) head(own, parent int) []byte {
	out := b.entry(nil, dots("."), attrDir, own, 0)
	return b.entry(out, dots(".."), attrDir, parent, 0)
}

func (b *builder) rootHead() []byte {
	if b.o.Label == "" {
		return nil
	}
	return b.entry(nil, label(b.o.Label), attrLabel, 0, 0)
}

// child writes a file or folder and appends its entry; up is the folder it is in.
func (b *builder) child(out []byte, c *filetree.Node, n name, p string, up int) ([]byte, error) {
	if c.Link != nil {
		c = c.Link
	}
	switch c.Kind {
	case filetree.Dir:
		first, err := b.folder(c, p, up, false)
		return b.entry(out, n.short, attrDir, first, 0), err
	case filetree.File:
		if c.Size >= 1<<32 {
			return nil, fmt.Errorf("/%s: a file has less than 4 GiB", p)
		}
		first, err := b.alloc(c.Size)
		if err != nil {
			return nil, fmt.Errorf("/%s: %w", p, err)
		}
		if c.Size > 0 {
			b.content = append(b.content, segment.Segment{Offset: b.offset(first), Length: c.Size, From: c.From})
		}
		return b.entry(out, n.short, attrFile, first, c.Size), nil
	}
	return nil, fmt.Errorf("/%s: only files and folders have a place in FAT32", p)
}

// The times that can be told.
const (
	firstTime = 315532800      // 1980-01-01
	lastTime  = 4354819199 - 1 // 2107-12-31 23:59:58
)

// entry appends a short entry.
func (b *builder) entry(out []byte, name [11]byte, attr byte, first int, size int64) []byte {
	e := make([]byte, entrySize)
	copy(e, name[:])
	e[11] = attr
	le := binary.LittleEndian
	t := time.Unix(min(max(b.o.Time, firstTime), lastTime), 0).UTC()
	date := uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day())
	clock := uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
	le.PutUint16(e[22:], clock)
	le.PutUint16(e[24:], date)
	if attr != attrLabel {
		le.PutUint16(e[14:], clock)
		le.PutUint16(e[16:], date)
		le.PutUint16(e[18:], date)
	}
	le.PutUint16(e[20:], uint16(first>>16))
	le.PutUint16(e[26:], uint16(first))
	le.PutUint32(e[28:], uint32(size))
	return append(out, e...)
}

func dots(s string) (n [11]byte) {
	copy(n[:], fmt.Sprintf("%-11s", s))
	return n
}

// label is a volume label as it is stored.
func label(s string) (n [11]byte) {
	if s == "" {
		s = "NO NAME"
	}
	copy(n[:], fmt.Sprintf("%-11.11s", strings.ToUpper(s)))
	return n
}
