package repo

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/ostree"
)

// writerPools keeps what it takes to write content.
type writerPools struct{ deflate, small, copies, stored sync.Pool }

// smallFile is the largest content, in bytes, that is read into memory before it is
// written, so that an object that is there already is not compressed for nothing.
const smallFile = 1 << 20

// get returns a buffer of size bytes; put it back behind its use.
func get(p *sync.Pool, size int) *[]byte {
	if b, ok := p.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, size)
	return &b
}

// create makes a temporary file in the staging folder.
func (t *Txn) create() (*os.File, error) {
	name, err := t.newName()
	if err != nil {
		return nil, err
	}
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// WriteMetadata writes a metadata object and returns its checksum. A commit, dirtree
// or dirmeta that is malformed is refused with [ostree.ErrMalformed].
func (t *Txn) WriteMetadata(ty ostree.ObjectType, b []byte) (ostree.Checksum, error) {
	c := ostree.Sum(b)
	var err error
	switch ty {
	case ostree.TypeCommit:
		_, err = ostree.ParseCommit(b)
	case ostree.TypeDirTree:
		_, err = ostree.ParseDirTree(b)
	case ostree.TypeDirMeta:
		_, err = ostree.ParseDirMeta(b)
	default:
		err = fmt.Errorf("is not named by its bytes: %w", ostree.ErrUnsupported)
	}
	if err != nil {
		return c, fmt.Errorf("object %s: %w", Object{ty, c}, err)
	}
	return c, t.writeNamed(ty, c, b)
}

// WriteCommit writes a commit object.
func (t *Txn) WriteCommit(c *ostree.Commit) (ostree.Checksum, error) {
	b, err := c.Encode()
	if err != nil {
		return ostree.Checksum{}, err
	}
	sum := ostree.Sum(b)
	return sum, t.writeNamed(ostree.TypeCommit, sum, b)
}

// WriteDetached writes the detached metadata of a commit, in the place of an older
// one.
func (t *Txn) WriteDetached(commit ostree.Checksum, b []byte) error {
	if _, err := ostree.ParseMetadata(b); err != nil {
		return fmt.Errorf("object %s: %w", Object{ostree.TypeCommitMeta, commit}, err)
	}
	return t.writeNamed(ostree.TypeCommitMeta, commit, b)
}

func (t *Txn) writeNamed(ty ostree.ObjectType, c ostree.Checksum, b []byte) error {
	if len(b) > ostree.MaxMetadata {
		return fmt.Errorf("object %s: %d bytes, at most %d are allowed: %w", Object{ty, c}, len(b), ostree.MaxMetadata, ostree.ErrUnsupported)
	}
	if ty != ostree.TypeCommitMeta {
		if there, err := t.has(ty, c); err != nil || there {
			t.countMetadata(false)
			return err
		}
	}
	var err error
	if ty == ostree.TypeCommitMeta { // may come again
		err = t.write(ty, c, func(f *os.File) error {
			_, err := f.Write(b)
			return errors.Join(err, f.Chmod(0o644))
		})
	} else {
		err = t.put(ty, c, 0o644, func(fd int) error { return writeAll(fd, b) })
	}
	if err != nil {
		return fmt.Errorf("object %s: %w", Object{ty, c}, err)
	}
	if ty != ostree.TypeCommitMeta {
		t.countMetadata(true)
	}
	return nil
}

// write stages the object that fill writes.
func (t *Txn) write(ty ostree.ObjectType, c ostree.Checksum, fill func(*os.File) error) error {
	f, err := t.create()
	if err != nil {
		return err
	}
	if err := errors.Join(fill(f), t.r.syncOne(f), f.Close()); err != nil {
		os.Remove(f.Name())
		return err
	}
	return t.keep(f.Name(), ty, c)
}

// WriteFile writes a file object, whose content of h.Size bytes is r, and returns
// its checksum. For a link r is not used. Content of another size is refused with
// [ostree.ErrCorrupt]; it is read to its end even when the object is there already.
// A full disk, or one that core.min-free-space-… calls full, is ENOSPC.
func (t *Txn) WriteFile(h *ostree.File, r io.Reader) (c ostree.Checksum, err error) {
	sum, err := h.NewHash()
	if err != nil {
		return c, err
	}
	if err := t.storable(h); err != nil {
		return c, err
	}
	if h.IsLink() {
		r = bytes.NewReader(nil)
	}
	if h.Size > smallFile {
		return t.writeLarge(h, sum, r)
	}
	buf := get(&t.pools.small, smallFile+1)
	defer t.pools.small.Put(buf)
	n, err := readSmall(r, (*buf)[:h.Size+1])
	if err != nil {
		return c, err
	}
	if int64(n) != h.Size {
		return c, sizeError(int64(n), h.Size)
	}
	sum.Write((*buf)[:n])
	sum.Sum(c[:0])
	if there, err := t.has(ostree.TypeFile, c); err != nil || there {
		t.countContent(0, false)
		return c, err
	}
	if err := t.putContent(h, c, (*buf)[:n]); err != nil {
		return c, err
	}
	t.countContent(h.Size, true)
	return c, nil
}

// readSmall reads r to its end, or until buf is full.
func readSmall(r io.Reader, buf []byte) (int, error) {
	n, err := io.ReadFull(r, buf)
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}

func sizeError(got, want int64) error {
	if got > want {
		return fmt.Errorf("content has more than the promised %d bytes: %w", want, ostree.ErrCorrupt)
	}
	return fmt.Errorf("content has %d bytes, promised were %d: %w", got, want, ostree.ErrCorrupt)
}

// writeLarge writes an object whose checksum is known only behind its content. What can
// be read twice is: so that nothing is compressed which is there already.
func (t *Txn) writeLarge(h *ostree.File, sum hash.Hash, r io.Reader) (c ostree.Checksum, err error) {
	var known bool
	if s, ok := r.(io.Seeker); ok {
		if err := t.pools.copyExactly(sum, r, h.Size); err != nil {
			return c, err
		}
		sum.Sum(c[:0])
		if there, err := t.has(ostree.TypeFile, c); err != nil || there {
			t.countContent(0, false)
			return c, err
		}
		if _, err := s.Seek(0, io.SeekStart); err != nil {
			return c, err
		}
		known = true
		if sum, err = h.NewHash(); err != nil {
			return c, err
		}
	}
	f, err := t.create()
	if err != nil {
		return c, err
	}
	if err := errors.Join(t.fill(f, h, io.TeeReader(r, sum)), t.r.syncOne(f), f.Close()); err != nil {
		os.Remove(f.Name())
		return c, err
	}
	first := c
	sum.Sum(c[:0])
	if known && c != first {
		return c, errors.Join(fmt.Errorf("content has changed while it was read: %w", ostree.ErrCorrupt), os.Remove(f.Name()))
	}
	if there, err := t.has(ostree.TypeFile, c); err != nil || there {
		t.countContent(0, false)
		return c, errors.Join(err, os.Remove(f.Name()))
	}
	t.countContent(h.Size, true)
	return c, t.keep(f.Name(), ostree.TypeFile, c)
}

// storable tells whether the repository's mode can keep a file.
func (t *Txn) storable(h *ostree.File) error {
	switch t.r.mode {
	case ostree.ModeBare:
		return t.storableBare(h)
	case ostree.ModeBareUserOnly:
		return t.storableUserOnly(h)
	case ostree.ModeSplitXattrs:
		return fmt.Errorf("writing files to a repository of mode %s: %w", t.r.mode, ostree.ErrUnsupported)
	}
	return nil
}

// storableBare: what is read back from the file system must have the same checksum.
func (t *Txn) storableBare(h *ostree.File) error {
	for _, x := range h.Xattrs {
		if !t.r.xattrs {
			return fmt.Errorf("extended attribute %s in a repository with core.disable-xattrs: %w", x.Name, ostree.ErrUnsupported)
		}
		if len(x.Value) == 0 {
			return fmt.Errorf("extended attribute %s without a value, which a repository of mode %s does not keep: %w", x.Name, t.r.mode, ostree.ErrUnsupported)
		}
	}
	return nil
}

func (t *Txn) storableUserOnly(h *ostree.File) error {
	switch {
	case h.UID != 0 || h.GID != 0:
		return fmt.Errorf("owner %d:%d in a repository of mode %s, which keeps none: %w", h.UID, h.GID, t.r.mode, ostree.ErrUnsupported)
	case len(h.Xattrs) > 0:
		return fmt.Errorf("extended attribute %s in a repository of mode %s, which keeps none: %w", h.Xattrs[0].Name, t.r.mode, ostree.ErrUnsupported)
	case !h.IsLink() && h.Mode&0o7777&^0o775 != 0:
		return fmt.Errorf("mode %04o in a repository of mode %s, which keeps bits of 0775: %w", h.Mode&0o7777, t.r.mode, ostree.ErrUnsupported)
	}
	return nil
}

// fill writes the object's file in the form that the mode has.
func (t *Txn) fill(f *os.File, h *ostree.File, content io.Reader) error {
	if t.r.mode == ostree.ModeArchive {
		return t.fillArchive(f, h, content)
	}
	if err := t.room.take(h.Size); err != nil {
		return err
	}
	switch t.r.mode {
	case ostree.ModeBareUser:
		return t.fillBareUser(f, h, content)
	default:
		return t.fillBare(f, h, content)
	}
}

// copyExactly copies content and checks that it has size bytes.
func (p *writerPools) copyExactly(w io.Writer, content io.Reader, size int64) error {
	limited := io.LimitReader(content, size+1)
	var n int64
	var err error
	if _, ok := content.(*os.File); ok {
		n, err = io.Copy(w, limited) // the kernel copies, or shares blocks
	} else {
		buf := get(&p.copies, 128<<10)
		defer p.copies.Put(buf)
		n, err = io.CopyBuffer(struct{ io.Writer }{w}, limited, *buf)
	}
	if err == nil && n != size {
		return sizeError(n, size)
	}
	return err
}

// fillArchive writes a .filez.
func (t *Txn) fillArchive(f *os.File, h *ostree.File, content io.Reader) error {
	head, err := h.ArchiveHeader()
	if err != nil {
		return err
	}
	if _, err := f.Write(head); err != nil {
		return err
	}
	if !h.IsLink() {
		if err := t.deflate(f, content, h.Size); err != nil {
			return err
		}
	}
	stored, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	return errors.Join(t.room.take(stored), f.Chmod(0o644))
}

// deflate compresses content into f. Writers are used again: making one costs more
// than most files do.
func (t *Txn) deflate(f io.Writer, content io.Reader, size int64) error {
	if size <= compress.MaxTiny {
		var tiny bytes.Buffer
		if err := t.pools.copyExactly(&tiny, content, size); err != nil {
			return err
		}
		_, err := f.Write(compress.DeflateTiny(tiny.Bytes()))
		return err
	}
	z, ok := t.pools.deflate.Get().(*compress.DeflateWriter)
	if ok {
		z.Reset(f)
	} else {
		var err error
		if z, err = compress.NewDeflateWriter(f, t.r.level); err != nil {
			return err
		}
	}
	defer t.pools.deflate.Put(z)
	if err := t.pools.copyExactly(z, content, size); err != nil {
		return err
	}
	return z.Close()
}

// Times of objects are 1970, so that a hard link to one is the same everywhere.
var epoch = []unix.Timeval{{}, {}}

func (t *Txn) fillBareUser(f *os.File, h *ostree.File, content io.Reader) error {
	var err error
	if h.IsLink() {
		_, err = f.WriteString(h.Target + "\x00")
	} else {
		err = t.pools.copyExactly(f, content, h.Size)
	}
	if err != nil {
		return err
	}
	if err := finishBareUser(int(f.Fd()), h); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	return nil
}

// finishBareUser gives an object what is not content.
func finishBareUser(fd int, h *ostree.File) error {
	mode := h.Mode&0o775 | 0o400
	if h.IsLink() {
		mode = 0o644
	}
	meta, err := h.BareMeta()
	if err != nil {
		return err
	}
	if err := unix.Fsetxattr(fd, bareMetaXattr, meta, 0); err != nil {
		return fmt.Errorf("attribute %s of %d bytes: %w", bareMetaXattr, len(meta), err)
	}
	return errors.Join(unix.Fchmod(fd, mode), unix.Futimes(fd, epoch))
}

// fillBare writes the file itself, or puts the link in its place. In a bare-user-only
// repository it is this user's.
func (t *Txn) fillBare(f *os.File, h *ostree.File, content io.Reader) error {
	name, owned := f.Name(), t.r.mode == ostree.ModeBare
	if h.IsLink() {
		return errors.Join(os.Remove(name), linkBare(name, h, owned))
	}
	if err := t.pools.copyExactly(f, content, h.Size); err != nil {
		return err
	}
	return finishBare(f, h, owned)
}

func linkBare(name string, h *ostree.File, owned bool) error {
	if err := os.Symlink(h.Target, name); err != nil || !owned {
		return err
	}
	return errors.Join(ownError(os.Lchown(name, int(h.UID), int(h.GID))), writeXattrs(name, h.Xattrs))
}

// finishBare gives an object what is not content.
func finishBare(f *os.File, h *ostree.File, owned bool) error {
	fd := int(f.Fd())
	if owned {
		// Changing the owner clears setuid and capabilities, so they come behind.
		if err := ownError(f.Chown(int(h.UID), int(h.GID))); err != nil {
			return err
		}
	}
	if err := unix.Fchmod(fd, h.Mode&0o7777); err != nil {
		return err
	}
	if owned {
		if err := writeXattrs(f.Name(), h.Xattrs); err != nil {
			return err
		}
	}
	return unix.Futimes(fd, epoch)
}

func ownError(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w (a bare repository keeps owners, which needs root)", err)
	}
	return err
}
