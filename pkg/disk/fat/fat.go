// Package fat writes FAT32 file systems, for EFI system partitions.
//
// # Format
//
// Sectors of 512 bytes, all numbers little-endian: 32 reserved sectors (boot sector
// and FSInfo, repeated at 6), two copies of the table, then clusters from number 2
// on. The table has a 32-bit number for each cluster: the next one of a file, or
// 0FFFFFFF for its end. Folders are files of 32-byte entries; a name that is not of
// the form 8.3 in capitals stands, in pieces of 13 UTF-16 units, in entries before
// that. With fewer than 65525 clusters firmware would take it for FAT16.
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
	"unicode/utf16"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/segment"
	"github.com/treewright/treewright/pkg/units"
)

// ErrTooSmall is wrapped when the content, or FAT32 itself, does not fit.
var ErrTooSmall = errors.New("too small")

const (
	sector      = 512
	reserved    = 32
	minClusters = 65525
	// MinSize is the least size of a FAT32 file system, in bytes.
	MinSize   = 34 << 20
	endChain  = 0x0fffffff
	entrySize = 32
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
	Label    string // at most 11 ASCII characters
	Time     int64  // of all entries, seconds since 1970 UTC; 1980 at least
}

// New plans a file system that holds the files and folders of root; owners and modes
// have no place in it. The error wraps [ErrTooSmall] when it does not fit.
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
	total := int(b.o.Size / sector)
	for b.fatSize = 1; ; b.fatSize++ {
		b.clusters = (total - reserved - 2*b.fatSize) / b.cluster
		if (b.clusters+2)*4 <= b.fatSize*sector || b.clusters <= 0 {
			break
		}
	}
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
	own, err := b.alloc(int64(size) * entrySize)
	if err != nil {
		return 0, err
	}
	var out []byte
	if root {
		label := [11]byte{}
		copy(label[:], fmt.Sprintf("%-11.11s", strings.ToUpper(b.o.Label)))
		out = b.entry(out, label, attrLabel, 0, 0)
	} else {
		out = b.entry(out, dots("."), attrDir, own, 0)
		out = b.entry(out, dots(".."), attrDir, parent, 0)
	}
	up := own
	if root {
		up = 0
	}
	for _, n := range names {
		c := d.Child(n.long)
		p := path.Join(at, n.long)
		out = n.appendLong(out)
		switch c.Kind {
		case filetree.Dir:
			first, err := b.folder(c, p, up, false)
			if err != nil {
				return 0, err
			}
			out = b.entry(out, n.short, attrDir, first, 0)
		case filetree.File:
			if c.Size >= 1<<32 {
				return 0, fmt.Errorf("/%s: a file has less than 4 GiB", p)
			}
			first, err := b.alloc(c.Size)
			if err != nil {
				return 0, err
			}
			if c.Size > 0 {
				b.content = append(b.content, segment.Segment{Offset: b.offset(first), Length: c.Size, From: c.From})
			}
			out = b.entry(out, n.short, attrFile, first, c.Size)
		default:
			return 0, fmt.Errorf("/%s: only files and folders have a place in FAT32", p)
		}
	}
	b.content = append(b.content, segment.Segment{Offset: b.offset(own), Length: int64(len(out)), From: segment.Bytes(out)})
	return own, nil
}

// entry appends a short entry.
func (b *builder) entry(out []byte, name [11]byte, attr byte, first int, size int64) []byte {
	e := make([]byte, entrySize)
	copy(e, name[:])
	e[11] = attr
	le := binary.LittleEndian
	t := time.Unix(max(b.o.Time, 315532800), 0).UTC()
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

// name is a file's name in both forms.
type name struct {
	long  string
	short [11]byte
	plain bool // the short form says it all
}

func (n name) entries() int {
	if n.plain {
		return 1
	}
	return 1 + (len(utf16.Encode([]rune(n.long)))+12)/13
}

// shortNames gives each name of a folder a short one that no other has.
func shortNames(long []string) ([]name, error) {
	var out []name
	taken := map[[11]byte]bool{}
	folded := map[string]string{}
	for _, l := range long {
		if strings.ContainsAny(l, "\"*/:<>?\\|") || len(utf16.Encode([]rune(l))) > 255 || strings.HasSuffix(l, ".") || strings.HasSuffix(l, " ") {
			return nil, fmt.Errorf("name %q is not allowed in FAT32", l)
		}
		if other, ok := folded[strings.ToLower(l)]; ok {
			return nil, fmt.Errorf("names %q and %q are one in FAT32", other, l)
		}
		folded[strings.ToLower(l)] = l
		n := name{long: l}
		n.short, n.plain = plainShort(l)
		for i := 1; !n.plain && (i == 1 || taken[n.short]); i++ {
			n.short = numbered(l, i)
		}
		if taken[n.short] {
			return nil, fmt.Errorf("name %q has no short form", l)
		}
		taken[n.short] = true
		out = append(out, n)
	}
	return out, nil
}

func shortChar(r rune) bool {
	return r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'()-@^_`{}~", r)
}

func plainShort(l string) (s [11]byte, ok bool) {
	base, ext, _ := strings.Cut(l, ".")
	if base == "" || len(base) > 8 || len(ext) > 3 || strings.TrimFunc(base+ext, shortChar) != "" || strings.IndexFunc(base+ext, func(r rune) bool { return !shortChar(r) }) >= 0 {
		return s, false
	}
	copy(s[:], fmt.Sprintf("%-8s%-3s", base, ext))
	return s, true
}

// numbered makes a short name such as LOADER~1.CFG.
func numbered(l string, i int) (s [11]byte) {
	clean := func(t string, n int) string {
		t = strings.Map(func(r rune) rune {
			if r = toUpper(r); shortChar(r) {
				return r
			}
			return -1
		}, t)
		return t[:min(n, len(t))]
	}
	dot := strings.LastIndexByte(l, '.')
	base, ext := l, ""
	if dot > 0 {
		base, ext = l[:dot], l[dot+1:]
	}
	tail := fmt.Sprintf("~%d", i)
	copy(s[:], fmt.Sprintf("%-8s%-3s", clean(base, 8-len(tail))+tail, clean(ext, 3)))
	return s
}

func toUpper(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

// appendLong appends the entries of a long name, the last piece first.
func (n name) appendLong(out []byte) []byte {
	if n.plain {
		return out
	}
	var sum byte
	for _, c := range n.short {
		sum = sum>>1 | sum<<7
		sum += c
	}
	text := utf16.Encode([]rune(n.long))
	count := (len(text) + 12) / 13
	for i := count; i > 0; i-- {
		e := make([]byte, entrySize)
		e[0], e[11], e[13] = byte(i), attrLong, sum
		if i == count {
			e[0] |= 0x40
		}
		for j := range 13 {
			at := []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}[j]
			u := uint16(0xffff)
			if k := (i-1)*13 + j; k < len(text) {
				u = text[k]
			} else if k == len(text) {
				u = 0
			}
			binary.LittleEndian.PutUint16(e[at:], u)
		}
		out = append(out, e...)
	}
	return out
}
