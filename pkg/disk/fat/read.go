package fat

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/treewright/treewright/pkg/filetree"
)

// Volume is a FAT32 file system that was read and found whole.
type Volume struct {
	Root     *filetree.Node // folders have mode 0755, files 0644; content is read from the file system
	Label    string
	VolumeID uint32
	Free     int64 // bytes
}

// Read reads a file system of size bytes and checks all of it but the content of
// files: the boot sector and its copy, the two tables, and that each cluster belongs
// to one file or to none.
//
// r must stay open as long as content is read. Errors of r are returned as they are;
// all others wrap [ErrMalformed] and name the file or field.
func Read(r io.ReaderAt, size int64) (*Volume, error) {
	v := &reader{r: r, size: size}
	if err := v.bootSector(); err != nil {
		return nil, fmt.Errorf("FAT32: %w", err)
	}
	if err := v.tables(); err != nil {
		return nil, fmt.Errorf("FAT32: %w", err)
	}
	root := filetree.NewDir(0o755)
	chain, err := v.chain(v.root)
	if err == nil {
		err = v.folder(root, "", chain, 0, 0)
	}
	if err == nil {
		err = v.checkFree()
	}
	if err != nil {
		return nil, fmt.Errorf("FAT32: %w", err)
	}
	return &Volume{Root: root, Label: v.label, VolumeID: v.id, Free: int64(v.free) * v.cluster}, nil
}

// reader holds what is known of the file system.
type reader struct {
	r    io.ReaderAt
	size int64

	cluster  int64 // bytes
	data     int64 // offset of cluster 2
	reserved int64 // bytes before the first table
	fatSize  int64 // bytes of one table
	root     uint32
	id       uint32
	label    string

	info  int64 // offset of FSInfo
	table []uint32
	used  []bool // clusters that a file or folder has
	free  int
}

func malformed(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrMalformed)...)
}

// read reads n bytes at an offset within the file system.
func (v *reader) read(at int64, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at > v.size-n {
		return nil, malformed("%d bytes at %d: the file system has %d", n, at, v.size)
	}
	b := make([]byte, n)
	if got, err := v.r.ReadAt(b, at); got < len(b) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}

func (v *reader) bootSector() error {
	b, err := v.read(0, sector)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	if b[510] != 0x55 || b[511] != 0xaa || le.Uint16(b[0x0b:]) != sector {
		return malformed("boot sector is not of sectors of %d bytes", sector)
	}
	sectors, perCluster := int64(le.Uint32(b[0x20:])), int64(b[0x0d])
	v.cluster, v.reserved = perCluster*sector, int64(le.Uint16(b[0x0e:]))*sector
	v.fatSize, v.root, v.id = int64(le.Uint32(b[0x24:]))*sector, le.Uint32(b[0x2c:]), le.Uint32(b[0x43:])
	switch {
	case perCluster == 0 || perCluster&(perCluster-1) != 0:
		return malformed("clusters of %d sectors", perCluster)
	case sectors == 0 || sectors > v.size/sector:
		return malformed("%d sectors, %d are there", sectors, v.size/sector)
	case b[0x10] != 2 || le.Uint16(b[0x11:]) != 0 || le.Uint16(b[0x13:]) != 0 || le.Uint16(b[0x16:]) != 0 || le.Uint16(b[0x2a:]) != 0:
		return malformed("not FAT32 with two tables")
	}
	v.data = v.reserved + 2*v.fatSize
	clusters := (sectors*sector - v.data) / v.cluster
	if clusters < minClusters || v.fatSize/4 < clusters+2 || v.reserved < 2*sector {
		return malformed("%d clusters, tables of %d bytes, %d reserved", clusters, v.fatSize, v.reserved)
	}
	v.table, v.used = make([]uint32, clusters+2), make([]bool, clusters+2)
	if uint64(v.root) >= uint64(len(v.table)) || v.root < 2 {
		return malformed("root folder in cluster %d", v.root)
	}
	v.info = int64(le.Uint16(b[0x30:])) * sector
	copyAt := int64(le.Uint16(b[0x32:])) * sector
	if v.info < sector || v.info >= v.reserved || copyAt < sector || copyAt >= v.reserved {
		return malformed("FSInfo at %d, copy of the boot sector at %d", v.info, copyAt)
	}
	second, err := v.read(copyAt, sector)
	if err == nil && !bytes.Equal(b, second) {
		err = malformed("boot sector and its copy differ")
	}
	return err
}

// tables reads both tables.
func (v *reader) tables() error {
	n := int64(len(v.table)) * 4
	a, err := v.read(v.reserved, n)
	if err != nil {
		return err
	}
	b, err := v.read(v.reserved+v.fatSize, n)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return malformed("the two tables differ")
	}
	for i := range v.table {
		v.table[i] = binary.LittleEndian.Uint32(a[4*i:]) & 0x0fffffff
		if i >= 2 && v.table[i] == 0 {
			v.free++
		}
	}
	if v.table[0]&0xff != 0xf8 {
		return malformed("table begins with %08x", v.table[0])
	}
	return nil
}

// chain lists the clusters of a file or folder and marks them as used.
func (v *reader) chain(first uint32) (clusters []uint32, err error) {
	for c := first; c < badChain; c = v.table[c] {
		if c < 2 || uint64(c) >= uint64(len(v.table)) {
			return nil, malformed("cluster %d", c)
		}
		if v.used[c] {
			return nil, malformed("cluster %d is used twice", c)
		}
		v.used[c] = true
		clusters = append(clusters, c)
	}
	if n := len(clusters); n == 0 || v.table[clusters[n-1]] == badChain {
		return nil, malformed("a bad cluster in a chain")
	}
	return clusters, nil
}

// checkFree compares what is not used with the table and with FSInfo.
func (v *reader) checkFree() error {
	for i := 2; i < len(v.table); i++ {
		if c := v.table[i]; !v.used[i] && c != 0 && c != badChain {
			return malformed("cluster %d is used by no file", i)
		}
	}
	b, err := v.read(v.info, sector)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	if string(b[:4]) != "RRaA" || string(b[0x1e4:0x1e8]) != "rrAa" {
		return malformed("FSInfo has no signature")
	}
	if n := le.Uint32(b[0x1e8:]); n != 0xffffffff && int(n) != v.free {
		return malformed("FSInfo tells %d free clusters, there are %d", n, v.free)
	}
	return nil
}

// content is a file's content: pieces of the file system.
type content struct {
	v      *reader
	chain  []uint32
	length int64
}

// Open returns a reader of the content.
func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(&contentReader{content: c}, c.length)), nil
}

type contentReader struct {
	content
	at int64
}

func (c *contentReader) Read(b []byte) (int, error) {
	i, in := c.at/c.v.cluster, c.at%c.v.cluster
	if i >= int64(len(c.chain)) {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), c.v.cluster-in)]
	n, err := c.v.r.ReadAt(b, c.v.offset(c.chain[i])+in)
	c.at += int64(n)
	if n == len(b) {
		err = nil
	}
	return n, err
}

func (v *reader) offset(cluster uint32) int64 { return v.data + int64(cluster-2)*v.cluster }
