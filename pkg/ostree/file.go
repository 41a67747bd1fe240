package ostree

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/gvariant"
)

const (
	fileHeaderType  = "(uuuusa(ayay))"
	filezHeaderType = "(tuuuusa(ayay))"
	// bareMetaType is the extended attribute user.ostreemeta of bare-user files.
	bareMetaType = "(uuua(ayay))"
)

// MaxFileHeader is the largest header of a file object, in bytes.
const MaxFileHeader = 10 << 20

// File is the header of a file object: all but its content.
type File struct {
	UID, GID uint32
	Mode     uint32 // with type bits: 0o100644, 0o120777
	Target   string // of a link
	Xattrs   []filetree.Xattr
	Size     int64 // bytes of content; 0 for a link
}

// IsLink tells whether the object is a symbolic link.
func (f *File) IsLink() bool { return f.Mode&modeType == modeSymlink }

// Equal tells whether two headers are the same; the order of attributes does not
// matter.
func (f *File) Equal(g *File) bool {
	if f.UID != g.UID || f.GID != g.GID || f.Mode != g.Mode || f.Target != g.Target || f.Size != g.Size || len(f.Xattrs) != len(g.Xattrs) {
		return false
	}
	a, b := slices.SortedFunc(slices.Values(f.Xattrs), compareXattrs), slices.SortedFunc(slices.Values(g.Xattrs), compareXattrs)
	return slices.EqualFunc(a, b, func(x, y filetree.Xattr) bool { return x.Name == y.Name && bytes.Equal(x.Value, y.Value) })
}

// FileOf is the header of a node that is a file or a link.
func FileOf(n *filetree.Node) (*File, error) {
	f := &File{UID: n.UID, GID: n.GID, Xattrs: n.Xattrs}
	switch n.Kind {
	case filetree.File:
		f.Mode, f.Size = modeRegular|n.Mode&modePerm, n.Size
	case filetree.Symlink:
		f.Mode, f.Target = modeSymlink|0o777, n.Target
	default:
		return nil, fmt.Errorf("not a regular file or symbolic link: %w", ErrUnsupported)
	}
	return f, nil
}

// Node is a node with the header's fields; From is for the caller to set.
func (f *File) Node() *filetree.Node {
	n := &filetree.Node{Kind: filetree.File, Mode: f.Mode & modePerm, UID: f.UID, GID: f.GID, Xattrs: f.Xattrs, Size: f.Size}
	if f.IsLink() {
		n.Kind, n.Target, n.Size = filetree.Symlink, f.Target, 0
	}
	return n
}

func (f *File) checkMode() error {
	if f.Mode&^(modeType|modePerm) != 0 || f.Mode&modeType != modeRegular && f.Mode&modeType != modeSymlink {
		return fmt.Errorf("file: mode %o is neither a file's nor a link's: %w", f.Mode, ErrMalformed)
	}
	return nil
}

// check tells what is wrong with a header.
func (f *File) check() error {
	if err := f.checkMode(); err != nil {
		return err
	}
	switch {
	case f.IsLink() != (f.Target != ""):
		return fmt.Errorf("file: mode %o with link target %q: %w", f.Mode, f.Target, ErrMalformed)
	case strings.IndexByte(f.Target, 0) >= 0:
		return fmt.Errorf("file: link target has a NUL: %w", ErrMalformed)
	case f.Size < 0 || f.IsLink() && f.Size != 0:
		return fmt.Errorf("file: mode %o with size %d: %w", f.Mode, f.Size, ErrMalformed)
	}
	return nil
}

// frame puts the length in front of a header.
func frame(header []byte) []byte {
	out := make([]byte, 8, 8+len(header))
	binary.BigEndian.PutUint32(out, uint32(len(header)))
	return append(out, header...)
}

// encode returns a framed header of type typ, whose members before uid are front.
func (f *File) encode(typ string, front ...any) ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	xattrs, err := encodeXattrs(f.Xattrs)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	b, err := gvariant.Encode(typ, append(gvariant.Tuple(front), be(f.UID), be(f.GID), be(f.Mode), uint32(0), f.Target, xattrs))
	if err != nil {
		return nil, fmt.Errorf("file: link target %q: %v: %w", f.Target, err, ErrUnsupported)
	}
	return frame(b), nil
}

// Header is what stands before the content in the stream that is hashed. The size is
// no part of it.
func (f *File) Header() ([]byte, error) { return f.encode(fileHeaderType) }

// NewHash returns a hash that has had the header; written the content, it comes to
// the object's checksum.
func (f *File) NewHash() (hash.Hash, error) {
	b, err := f.Header()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write(b)
	return h, nil
}

// ArchiveHeader is what stands before the DEFLATE stream in a .filez.
func (f *File) ArchiveHeader() ([]byte, error) {
	return f.encode(filezHeaderType, bits.ReverseBytes64(uint64(f.Size)))
}

// ReadArchiveHeader reads the header of a .filez from r, which is then at the
// content. Every error of the format wraps [ErrMalformed].
func ReadArchiveHeader(r io.Reader) (*File, error) {
	t, err := readFrame(r, filezHeaderType)
	if err != nil {
		return nil, err
	}
	size := bits.ReverseBytes64(t[0].(uint64))
	if size > math.MaxInt64 {
		return nil, fmt.Errorf("file header: size %d: %w", size, ErrMalformed)
	}
	return parseHeader(t[1:], int64(size))
}

// ReadHeader reads the header of the stream that is hashed from r, which is then at
// the content. Size is 0: the stream does not tell it. Every error of the format
// wraps [ErrMalformed].
func ReadHeader(r io.Reader) (*File, error) {
	t, err := readFrame(r, fileHeaderType)
	if err != nil {
		return nil, err
	}
	return parseHeader(t, 0)
}

// readFrame reads a header with its length in front.
func readFrame(r io.Reader, typ string) (gvariant.Tuple, error) {
	var pre [8]byte
	if _, err := io.ReadFull(r, pre[:]); err != nil {
		return nil, fmt.Errorf("file header: %v: %w", err, ErrMalformed)
	}
	n := binary.BigEndian.Uint32(pre[:4])
	if n > MaxFileHeader {
		return nil, fmt.Errorf("file header of %d bytes, at most %d are allowed: %w", n, MaxFileHeader, ErrMalformed)
	}
	if [4]byte(pre[4:]) != [4]byte{} {
		return nil, fmt.Errorf("file header: padding is not zero: %w", ErrMalformed)
	}
	var buf bytes.Buffer // grows with what is there, not with what is promised
	if m, err := io.CopyN(&buf, r, int64(n)); err != nil {
		return nil, fmt.Errorf("file header: %d bytes of %d: %w", m, n, ErrMalformed)
	}
	return decode("file header", typ, buf.Bytes())
}

// parseHeader reads the members from uid on.
func parseHeader(t gvariant.Tuple, size int64) (*File, error) {
	f := &File{UID: be(t[0].(uint32)), GID: be(t[1].(uint32)), Mode: be(t[2].(uint32)), Target: t[4].(string), Size: size}
	if rdev := t[3].(uint32); rdev != 0 {
		return nil, fmt.Errorf("file header: device number %d: %w", rdev, ErrMalformed)
	}
	var err error
	if f.Xattrs, err = decodeXattrs(t[5].([]any)); err != nil {
		return nil, fmt.Errorf("file header: %w", err)
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	return f, nil
}

// BareMeta is the value of user.ostreemeta in a bare-user repository.
func (f *File) BareMeta() ([]byte, error) {
	xattrs, err := encodeXattrs(f.Xattrs)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	return gvariant.Encode(bareMetaType, gvariant.Tuple{be(f.UID), be(f.GID), be(f.Mode), xattrs})
}

// ParseBareMeta reads the value of user.ostreemeta. Target and Size are for the
// caller to set. Every error wraps [ErrMalformed].
func ParseBareMeta(b []byte) (*File, error) {
	t, err := decode("user.ostreemeta", bareMetaType, b)
	if err != nil {
		return nil, err
	}
	f := &File{UID: be(t[0].(uint32)), GID: be(t[1].(uint32)), Mode: be(t[2].(uint32))}
	if err := f.checkMode(); err != nil {
		return nil, fmt.Errorf("user.ostreemeta: %w", err)
	}
	if f.Xattrs, err = decodeXattrs(t[3].([]any)); err != nil {
		return nil, fmt.Errorf("user.ostreemeta: %w", err)
	}
	return f, nil
}
