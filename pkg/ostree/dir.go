package ostree

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
)

// Bits of a file's mode.
const (
	modeType    = 0o170000
	modeDir     = 0o040000
	modeRegular = 0o100000
	modeSymlink = 0o120000
	modePerm    = 0o7777
)

const (
	dirMetaType = "(uuua(ayay))"
	dirTreeType = "(a(say)a(sayay))"
)

// DirMeta is the owner, mode and extended attributes of a folder.
type DirMeta struct {
	UID, GID uint32
	Mode     uint32 // permission bits; the type bits of a folder are added in the object
	Xattrs   []filetree.Xattr
}

// Encode returns the object's bytes.
func (m *DirMeta) Encode() ([]byte, error) {
	if m.Mode&^(modeDir|modePerm) != 0 {
		return nil, fmt.Errorf("dirmeta: mode %o is not a folder's: %w", m.Mode, ErrMalformed)
	}
	xattrs, err := encodeXattrs(m.Xattrs)
	if err != nil {
		return nil, fmt.Errorf("dirmeta: %w", err)
	}
	return gvariant.Encode(dirMetaType, gvariant.Tuple{be(m.UID), be(m.GID), be(modeDir | m.Mode&modePerm), xattrs})
}

// ParseDirMeta decodes a dirmeta object. Every error wraps [ErrMalformed].
func ParseDirMeta(b []byte) (*DirMeta, error) {
	t, err := decode("dirmeta", dirMetaType, b)
	if err != nil {
		return nil, err
	}
	m := &DirMeta{UID: be(t[0].(uint32)), GID: be(t[1].(uint32))}
	mode := be(t[2].(uint32))
	if mode&modeType != modeDir || mode&^(modeType|modePerm) != 0 {
		return nil, fmt.Errorf("dirmeta: mode %o is not a folder's: %w", mode, ErrMalformed)
	}
	m.Mode = mode & modePerm
	if m.Xattrs, err = decodeXattrs(t[3].([]any)); err != nil {
		return nil, fmt.Errorf("dirmeta: %w", err)
	}
	return m, nil
}

// DirTree is what is in a folder. Both lists are sorted by the bytes of the name,
// and no name stands in both.
type DirTree struct {
	Files []FileEntry // files and links
	Dirs  []DirEntry
}

// FileEntry is a file or link in a folder.
type FileEntry struct {
	Name     string
	Checksum Checksum
}

// DirEntry is a folder in a folder.
type DirEntry struct {
	Name       string
	Tree, Meta Checksum
}

// Encode returns the object's bytes. Names that are not allowed, out of order or in
// both lists are refused with [ErrMalformed], names that are not UTF-8, for which
// OSTree has no place, with [ErrUnsupported].
func (d *DirTree) Encode() ([]byte, error) {
	for _, f := range d.Files {
		if !utf8.ValidString(f.Name) {
			return nil, fmt.Errorf("file name %q is not UTF-8: %w", f.Name, ErrUnsupported)
		}
	}
	for _, s := range d.Dirs {
		if !utf8.ValidString(s.Name) {
			return nil, fmt.Errorf("folder name %q is not UTF-8: %w", s.Name, ErrUnsupported)
		}
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	dirs := make([]any, len(d.Dirs))
	for i, s := range d.Dirs {
		dirs[i] = gvariant.Tuple{s.Name, s.Tree[:], s.Meta[:]}
	}
	return gvariant.Encode(dirTreeType, gvariant.Tuple{encodeFiles(d.Files), dirs})
}

// encodeFiles returns the a(say) of a list of names and checksums.
func encodeFiles(list []FileEntry) []any {
	out := make([]any, len(list))
	for i, f := range list {
		out[i] = gvariant.Tuple{f.Name, f.Checksum[:]}
	}
	return out
}

// ParseDirTree decodes a dirtree object and checks names and order. Every error
// wraps [ErrMalformed].
func ParseDirTree(b []byte) (*DirTree, error) {
	t, err := decode("dirtree", dirTreeType, b)
	if err != nil {
		return nil, err
	}
	d := &DirTree{}
	for _, e := range t[0].([]any) {
		f := e.(gvariant.Tuple)
		name := f[0].(string)
		c, err := checksumOf("dirtree entry "+name, f[1].([]byte))
		if err != nil {
			return nil, err
		}
		d.Files = append(d.Files, FileEntry{name, c})
	}
	for _, e := range t[1].([]any) {
		s := e.(gvariant.Tuple)
		name := s[0].(string)
		tree, err := checksumOf("dirtree entry "+name, s[1].([]byte))
		if err != nil {
			return nil, err
		}
		meta, err := checksumOf("dirtree entry "+name, s[2].([]byte))
		if err != nil {
			return nil, err
		}
		d.Dirs = append(d.Dirs, DirEntry{name, tree, meta})
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return d, nil
}

// check looks at names and their order.
func (d *DirTree) check() error {
	last := ""
	for _, f := range d.Files {
		if err := checkEntry(f.Name, last); err != nil {
			return err
		}
		last = f.Name
	}
	last = ""
	for _, s := range d.Dirs {
		if err := checkEntry(s.Name, last); err != nil {
			return err
		}
		if _, twice := d.File(s.Name); twice {
			return fmt.Errorf("dirtree entry %q: both file and folder: %w", s.Name, ErrMalformed)
		}
		last = s.Name
	}
	return nil
}

// File returns the file or link called name.
func (d *DirTree) File(name string) (FileEntry, bool) {
	i, ok := slices.BinarySearchFunc(d.Files, name, func(f FileEntry, n string) int { return strings.Compare(f.Name, n) })
	if !ok {
		return FileEntry{}, false
	}
	return d.Files[i], true
}

// Dir returns the folder called name.
func (d *DirTree) Dir(name string) (DirEntry, bool) {
	i, ok := slices.BinarySearchFunc(d.Dirs, name, func(s DirEntry, n string) int { return strings.Compare(s.Name, n) })
	if !ok {
		return DirEntry{}, false
	}
	return d.Dirs[i], true
}

// A NameError is an entry of a dirtree with a name that no file can have.
type NameError struct{ Name string }

func (e *NameError) Error() string {
	return fmt.Sprintf("dirtree entry %q: name is not allowed: %v", e.Name, ErrMalformed)
}

func (e *NameError) Unwrap() error { return ErrMalformed }

func checkEntry(name, last string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return &NameError{name}
	}
	if last >= name {
		return fmt.Errorf("dirtree entry %q: out of order: %w", name, ErrMalformed)
	}
	return nil
}

func checksumOf(what string, b []byte) (c Checksum, err error) {
	if len(b) != len(c) {
		return c, fmt.Errorf("%s: checksum of %d bytes, want %d: %w", what, len(b), len(c), ErrMalformed)
	}
	return Checksum(b), nil
}

// Sum is the checksum of a metadata object's bytes.
func Sum(b []byte) Checksum { return sha256.Sum256(b) }

// be turns a big-endian number that was read or is to be written as little-endian.
func be(n uint32) uint32 { return bits.ReverseBytes32(n) }

// decode reads a tuple; the name of the object goes into errors.
func decode(what, typ string, b []byte) (gvariant.Tuple, error) {
	if len(b) > MaxMetadata {
		return nil, fmt.Errorf("%s of %d bytes, at most %d are allowed: %w", what, len(b), MaxMetadata, ErrMalformed)
	}
	v, err := gvariant.Decode(typ, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %v: %w", what, err, ErrMalformed)
	}
	return v.(gvariant.Tuple), nil
}
