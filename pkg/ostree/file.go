package ostree

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math/bits"
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

// check tells what is wrong with a header.
func (f *File) check() error {
	switch {
	case f.Mode&^(modeType|modePerm) != 0 || f.Mode&modeType != modeRegular && f.Mode&modeType != modeSymlink:
		return fmt.Errorf("file: mode %o: %w", f.Mode, ErrMalformed)
	case f.IsLink() != (f.Target != ""):
		return fmt.Errorf("file: mode %o with link target %q: %w", f.Mode, f.Target, ErrMalformed)
	case strings.IndexByte(f.Target, 0) >= 0:
		return fmt.Errorf("file: link target has a NUL: %w", ErrMalformed)
	case f.Size < 0:
		return fmt.Errorf("file: size %d: %w", f.Size, ErrMalformed)
	}
	return nil
}

// frame puts the length in front of a header.
func frame(header []byte) []byte {
	out := make([]byte, 8, 8+len(header))
	binary.BigEndian.PutUint32(out, uint32(len(header)))
	return append(out, header...)
}

func (f *File) members() gvariant.Tuple {
	return gvariant.Tuple{be(f.UID), be(f.GID), be(f.Mode), uint32(0), f.Target, encodeXattrs(f.Xattrs)}
}

// Header is what stands before the content in the stream that is hashed.
func (f *File) Header() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	b, err := gvariant.Encode(fileHeaderType, f.members())
	if err != nil {
		return nil, fmt.Errorf("link target %q: %w", f.Target, err)
	}
	return frame(b), nil
}

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
	if err := f.check(); err != nil {
		return nil, err
	}
	m := append(gvariant.Tuple{bits.ReverseBytes64(uint64(f.Size))}, f.members()...)
	b, err := gvariant.Encode(filezHeaderType, m)
	if err != nil {
		return nil, fmt.Errorf("link target %q: %w", f.Target, err)
	}
	return frame(b), nil
}

// ReadArchiveHeader reads the header of a .filez from r, which is then at the
// content. Every error of the format wraps [ErrMalformed].
func ReadArchiveHeader(r io.Reader) (*File, error) {
	var pre [8]byte
	if _, err := io.ReadFull(r, pre[:]); err != nil {
		return nil, fmt.Errorf("file header: %v: %w", err, ErrMalformed)
	}
	n := binary.BigEndian.Uint32(pre[:4])
	if n > MaxFileHeader || !bytes.Equal(pre[4:], make([]byte, 4)) {
		return nil, fmt.Errorf("file header of %d bytes, at most %d are allowed: %w", n, MaxFileHeader, ErrMalformed)
	}
	var buf bytes.Buffer // grows with what is there, not with what is promised
	if m, err := io.CopyN(&buf, r, int64(n)); err != nil {
		return nil, fmt.Errorf("file header: %d bytes of %d: %w", m, n, ErrMalformed)
	}
	t, err := decode("file header", filezHeaderType, buf.Bytes())
	if err != nil {
		return nil, err
	}
	size := bits.ReverseBytes64(t[0].(uint64))
	if size > 1<<62 {
		return nil, fmt.Errorf("file header: size %d: %w", size, ErrMalformed)
	}
	f := &File{UID: be(t[1].(uint32)), GID: be(t[2].(uint32)), Mode: be(t[3].(uint32)), Target: t[5].(string), Size: int64(size)}
	if rdev := t[4].(uint32); rdev != 0 {
		return nil, fmt.Errorf("file header: device number %d: %w", rdev, ErrMalformed)
	}
	if f.Xattrs, err = decodeXattrs(t[6].([]any)); err != nil {
		return nil, err
	}
	return f, f.check()
}

// BareMeta is the value of user.ostreemeta in a bare-user repository.
func (f *File) BareMeta() ([]byte, error) {
	return gvariant.Encode(bareMetaType, gvariant.Tuple{be(f.UID), be(f.GID), be(f.Mode), encodeXattrs(f.Xattrs)})
}

// ParseBareMeta reads the value of user.ostreemeta. Target and Size are for the
// caller to set.
func ParseBareMeta(b []byte) (*File, error) {
	t, err := decode("user.ostreemeta", bareMetaType, b)
	if err != nil {
		return nil, err
	}
	f := &File{UID: be(t[0].(uint32)), GID: be(t[1].(uint32)), Mode: be(t[2].(uint32))}
	f.Xattrs, err = decodeXattrs(t[3].([]any))
	return f, err
}
