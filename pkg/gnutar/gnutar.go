// Package gnutar writes tar archives in the form of GNU tar, byte for byte as
// libarchive's writer of that name does.
//
// # Format
//
// A block of 512 bytes for each file, folder and link, then the content, filled up
// with zeros to whole blocks:
//
//	  0 name, 100 bytes         257 "ustar  " and NUL
//	100 mode, 8                 265 user and group name, 32 each
//	108 uid and gid, 8 each     148 checksum: six octal digits, NUL, blank
//	124 size, 136 mtime, 12     156 type: '0' file, '2' link, '5' folder
//	157 target of a link, 100
//
// Numbers are octal digits with a NUL behind; an ID or a size that has too many digits
// is big-endian, with the first bit set. A name or target of more than 100 bytes comes
// before the file as the content of one called ././@LongLink, of type 'L' or 'K', and
// is cut in its place. Two blocks of zeros end an archive.
//
// Extended attributes have no place in this form. They come before the file in a pax
// header, of type 'x', as records SCHILY.xattr.NAME, which GNU tar, libarchive and
// others understand. libarchive's writer leaves them out.
//
// Source: archives that libarchive 3.6 wrote; POSIX.1-2001, pax; see docs/FORMATS.md.
package gnutar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/treewright/treewright/pkg/filetree"
)

const (
	blockSize  = 512
	nameSize   = 100
	maxModTime = 1<<33 - 1
)

// ErrUnsupported is wrapped when something has no place in an archive.
var ErrUnsupported = errors.New("not supported in a tar archive")

// Writer writes an archive.
type Writer struct {
	w       io.Writer
	n       int64 // bytes written
	left    int64 // of content, of the file at hand
	pad     int64 // zeros behind it
	failure error // of an earlier call
}

// NewWriter returns a Writer on w, which should have a buffer.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

func (t *Writer) put(b []byte) error {
	if t.failure != nil {
		return t.failure
	}
	n, err := t.w.Write(b)
	t.n += int64(n)
	t.failure = err
	return err
}

// WriteHeader begins a file, folder or link. Of n its From and children are not used;
// the content of a file comes by Write, n.Size bytes of it. name is as it stands in the
// archive; a folder's gets a slash at its end. Devices and the like are refused with
// [ErrUnsupported], and so are names with a NUL.
func (t *Writer) WriteHeader(name string, n *filetree.Node) error {
	if err := t.finish(); err != nil {
		return err
	}
	h := header{mode: n.Mode, uid: uint64(n.UID), gid: uint64(n.GID), mtime: n.ModTime}
	switch n.Kind {
	case filetree.File:
		h.typ, h.size = '0', uint64(n.Size)
	case filetree.Symlink:
		h.typ, h.target, h.mode = '2', n.Target, 0o777
	case filetree.Dir:
		h.typ = '5'
		if name == "" || name[len(name)-1] != '/' {
			name += "/"
		}
	default:
		return fmt.Errorf("%s: neither file nor folder nor link: %w", name, ErrUnsupported)
	}
	h.name = name
	if err := h.check(); err != nil {
		return err
	}
	if err := t.extend(&h, n.Xattrs); err != nil {
		return err
	}
	if h.typ == '0' {
		t.left, t.pad = n.Size, -n.Size&(blockSize-1)
	}
	return t.put(h.block())
}

// extend writes what does not fit into a header before it.
func (t *Writer) extend(h *header, xattrs []filetree.Xattr) error {
	if len(xattrs) > 0 {
		if err := t.special(header{name: "PaxHeader/" + h.name, typ: 'x', mode: 0o644, mtime: h.mtime}, records(xattrs)); err != nil {
			return err
		}
	}
	long := header{name: "././@LongLink", user: "root", group: "wheel", target: h.target}
	if len(h.target) > nameSize {
		long.typ = 'K'
		if err := t.special(long, []byte(h.target+"\x00")); err != nil {
			return err
		}
	}
	if len(h.name) > nameSize {
		long.typ = 'L'
		return t.special(long, []byte(h.name+"\x00"))
	}
	return nil
}

// special writes a header with content that tells of the next file.
func (t *Writer) special(h header, content []byte) error {
	h.size = uint64(len(content))
	if err := t.put(h.block()); err != nil {
		return err
	}
	return t.put(append(content, make([]byte, -len(content)&(blockSize-1))...))
}

// records are the lines of a pax header: their length, with its own digits, a blank,
// the key, "=", the value. libarchive tells attributes from the last to the first, and
// ostree before 2023 takes them over as they come, so the first name comes last.
func records(xattrs []filetree.Xattr) []byte {
	var out []byte
	for _, x := range slices.Backward(xattrs) {
		rest := " SCHILY.xattr." + x.Name + "=" + string(x.Value) + "\n"
		size := len(rest)
		for size != len(rest)+len(strconv.Itoa(size)) {
			size = len(rest) + len(strconv.Itoa(size))
		}
		out = append(strconv.AppendInt(out, int64(size), 10), rest...)
	}
	return out
}

// Write writes content of the file at hand.
func (t *Writer) Write(b []byte) (int, error) {
	if int64(len(b)) > t.left {
		return 0, fmt.Errorf("content has %d bytes more than the header says: %w", int64(len(b))-t.left, ErrUnsupported)
	}
	t.left -= int64(len(b))
	return len(b), t.put(b)
}

// finish fills the file at hand up.
func (t *Writer) finish() error {
	if t.left > 0 {
		return fmt.Errorf("content ends %d bytes early: %w", t.left, ErrUnsupported)
	}
	pad := t.pad
	t.pad = 0
	return t.put(make([]byte, pad))
}

// Close ends the archive and fills it up to a multiple of size bytes. It does not
// close the writer below.
func (t *Writer) Close(size int64) error {
	if err := t.finish(); err != nil {
		return err
	}
	if err := t.put(make([]byte, 2*blockSize)); err != nil {
		return err
	}
	return t.put(make([]byte, (size-t.n%size)%size))
}

// header is what stands in one.
type header struct {
	name, target, user, group string
	mode                      uint32
	uid, gid, size            uint64
	mtime                     int64
	typ                       byte
}

// check refuses what would be read as something else.
func (h *header) check() error {
	for _, s := range []string{h.name, h.target} {
		for i := range len(s) {
			if s[i] == 0 {
				return fmt.Errorf("%q has a NUL: %w", s, ErrUnsupported)
			}
		}
	}
	return nil
}

func (h *header) block() []byte {
	b := make([]byte, blockSize)
	copy(b[:nameSize], h.name)
	number(b[100:108], uint64(h.mode))
	number(b[108:116], h.uid)
	number(b[116:124], h.gid)
	number(b[124:136], h.size)
	number(b[136:148], uint64(min(max(h.mtime, 0), maxModTime)))
	copy(b[148:156], "        ")
	b[156] = h.typ
	copy(b[157:257], h.target)
	copy(b[257:], "ustar  \x00")
	copy(b[265:297], h.user)
	copy(b[297:329], h.group)
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// number writes octal digits, or eight bytes of the number when they are too many.
func number(field []byte, n uint64) {
	if digits := len(field) - 1; n < 1<<(3*digits) {
		copy(field, fmt.Sprintf("%0*o", digits, n))
		return
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	if len(field) > len(b) {
		copy(field[len(field)-len(b):], b[:])
	} else {
		copy(field, b[:])
	}
	field[0] |= 0x80
}
