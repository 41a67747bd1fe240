package source

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"github.com/treewright/treewright/pkg/filetree"
)

// cpioReader reads cpio archives of the formats newc and odc.
type cpioReader struct {
	r    *bufio.Reader
	skip int64 // bytes of the last entry that are left, and padding
	body *io.LimitedReader
}

// cpioFormat is where the fields of a header stand: digits of a base, one behind the
// other.
type cpioFormat struct {
	base   int
	widths []int
	order  []string
	align  int64
}

var cpioFormats = map[string]cpioFormat{
	"070701": newc, "070702": newc,
	"070707": {8, []int{6, 6, 6, 6, 6, 6, 6, 11, 6, 11}, []string{"dev", "ino", "mode", "uid", "gid", "nlink", "rdev", "mtime", "namesize", "size"}, 1},
}

var newc = cpioFormat{16, []int{8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8},
	[]string{"ino", "mode", "uid", "gid", "nlink", "mtime", "size", "dev", "devminor", "rdev", "rdevminor", "namesize", "check"}, 4}

const (
	cpioTrailer = "TRAILER!!!"
	maxPath     = 4096 // of a name or a link's target
)

// next is the next entry, or io.EOF.
func (c *cpioReader) next() (*entry, error) {
	if c.body != nil {
		c.skip += c.body.N
	}
	if _, err := io.CopyN(io.Discard, c.r, c.skip); err != nil {
		return nil, truncated(err)
	}
	c.skip, c.body = 0, nil
	magic, err := c.text(6)
	if err != nil {
		return nil, err
	}
	f, ok := cpioFormats[magic]
	if !ok {
		return nil, fmt.Errorf("cpio header begins with %q: %w", magic, ErrFormat)
	}
	h, err := c.header(f)
	if err != nil {
		return nil, err
	}
	name, err := c.name(f, h["namesize"])
	if err != nil {
		return nil, err
	}
	if name == cpioTrailer {
		return nil, io.EOF
	}
	return c.entry(f, name, h)
}

func (c *cpioReader) text(n int64) (string, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(c.r, b)
	return string(b), truncated(err)
}

func (c *cpioReader) header(f cpioFormat) (map[string]int64, error) {
	h := map[string]int64{}
	for i, key := range f.order {
		s, err := c.text(int64(f.widths[i]))
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseUint(s, f.base, 40)
		if err != nil {
			return nil, fmt.Errorf("cpio header: %s is %q: %w", key, s, ErrFormat)
		}
		h[key] = int64(n)
	}
	return h, nil
}

// name reads a name with its NUL and the padding behind it, which counts from the
// header on.
func (c *cpioReader) name(f cpioFormat, size int64) (string, error) {
	if size < 1 || size > maxPath {
		return "", fmt.Errorf("cpio header: name of %d bytes: %w", size, ErrFormat)
	}
	name, err := c.text(size)
	if err != nil {
		return "", err
	}
	header := int64(6)
	for _, w := range f.widths {
		header += int64(w)
	}
	_, err = c.r.Discard(int(pad(header+size, f.align)))
	return name[:size-1], truncated(err)
}

func pad(n, align int64) int64 { return (align - n%align) % align }

func (c *cpioReader) entry(f cpioFormat, name string, h map[string]int64) (*entry, error) {
	size := h["size"]
	c.body, c.skip = &io.LimitedReader{R: c.r, N: size}, pad(size, f.align)
	e := &entry{path: name, body: cpioBody{c.body}}
	n := &filetree.Node{Mode: uint32(h["mode"]) & 0o7777, UID: uint32(h["uid"]), GID: uint32(h["gid"])}
	switch h["mode"] & 0o170000 {
	case 0o100000:
		n.Kind, n.Size = filetree.File, size
		if h["nlink"] > 1 {
			e.inode = fmt.Sprint(h["dev"], h["devminor"], h["ino"])
		}
	case 0o120000:
		if size > maxPath {
			return nil, fmt.Errorf("cpio entry %q: link target of %d bytes: %w", name, size, ErrFormat)
		}
		target, err := io.ReadAll(c.body)
		if err != nil || int64(len(target)) != size {
			return nil, ErrTruncated
		}
		n.Kind, n.Mode, n.Target = filetree.Symlink, 0o777, string(target)
	case 0o040000:
		n.Kind = filetree.Dir
	default:
		return e, nil
	}
	e.node = n
	return e, nil
}

// cpioBody is the content of an entry, which must not end early.
type cpioBody struct{ r *io.LimitedReader }

func (b cpioBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF && b.r.N > 0 {
		err = ErrTruncated
	}
	return n, err
}
