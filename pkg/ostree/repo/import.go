package repo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// ImportOptions tells how objects of another repository are taken in.
type ImportOptions struct {
	// Trust leaves out the comparison with the checksum that the object is named by.
	// What was damaged stays damaged: for sources that are as good as this one.
	Trust bool
	// UserOnly refuses files with bits of the mode outside of 0775, with [ModeError].
	UserOnly bool
}

// A MismatchError is an object whose bytes come to another checksum than its name.
type MismatchError struct {
	Object Object
	Actual ostree.Checksum
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("object %s: checksum is %s: %v", e.Object, e.Actual, ostree.ErrCorrupt)
}

func (e *MismatchError) Unwrap() error { return ostree.ErrCorrupt }

// A ModeError is a file that only its mode keeps out.
type ModeError struct {
	Checksum ostree.Checksum
	Mode     uint32 // with type bits
}

// Bits are those of the mode that are not allowed.
func (e *ModeError) Bits() uint32 { return e.Mode & 0o7777 &^ 0o775 }

func (e *ModeError) Error() string {
	return fmt.Sprintf("object %s: mode %04o has bits %04o, which are not allowed", Object{ostree.TypeFile, e.Checksum}, e.Mode&0o7777, e.Bits())
}

func (o ImportOptions) check(c ostree.Checksum, h *ostree.File) error {
	e := &ModeError{c, h.Mode}
	if o.UserOnly && !h.IsLink() && e.Bits() != 0 {
		return e
	}
	return nil
}

// Has tells whether an object is in the repository or in this transaction.
func (t *Txn) Has(ty ostree.ObjectType, c ostree.Checksum) (bool, error) { return t.has(ty, c) }

// ImportMetadata writes a dirtree, dirmeta or commit under the name that it has in
// another repository.
func (t *Txn) ImportMetadata(o Object, b []byte, opt ImportOptions) error {
	if got := ostree.Sum(b); got != o.Checksum && !opt.Trust {
		return &MismatchError{o, got}
	}
	return t.writeNamed(o.Type, o.Checksum, b)
}

// LinkMetadata is [Txn.ImportMetadata] of an object whose bytes are those of src: as a
// hard link when both are this user's, on one file system.
func (t *Txn) LinkMetadata(src *Repo, o Object, b []byte, opt ImportOptions) error {
	if got := ostree.Sum(b); got != o.Checksum && !opt.Trust {
		return &MismatchError{o, got}
	}
	if there, err := t.has(o.Type, o.Checksum); err != nil || there {
		return err
	}
	if done, err := t.link(src, o.Type, o.Checksum); done || err != nil {
		return err
	}
	return t.writeNamed(o.Type, o.Checksum, b)
}

// ImportFile takes a file object over from another repository: as a hard link when
// both store it in the same way on one file system, else as a copy. It returns the
// bytes written. An object that is here already is left as it is.
//
// The error wraps [ostree.ErrNotFound] when src has none, and is a [MismatchError]
// when its checksum is another.
func (t *Txn) ImportFile(src *Repo, c ostree.Checksum, o ImportOptions) (written int64, err error) {
	if there, err := t.has(ostree.TypeFile, c); err != nil || there {
		return 0, err
	}
	for src.parent != nil && !src.own(ostree.TypeFile, c) {
		src = src.parent
	}
	if o.UserOnly {
		h, err := src.StatFile(c)
		if err == nil {
			err = o.check(c, h)
		}
		if err != nil {
			return 0, err
		}
	}
	same, err := t.sameForm(src, c)
	if err != nil {
		return 0, err
	}
	if same {
		if !o.Trust {
			if err := src.VerifyFile(c); err != nil {
				return 0, err
			}
		}
		done, err := t.link(src, ostree.TypeFile, c)
		if done || err != nil {
			return 0, err
		}
	}
	if t.r.mode == ostree.ModeArchive && src.mode == ostree.ModeArchive {
		f, _, err := openRegular(src.objectPath(ostree.TypeFile, c))
		if err != nil {
			return 0, objectError(ostree.TypeFile, c, err)
		}
		defer f.Close()
		return t.ImportArchived(c, f, o)
	}
	h, rc, err := src.OpenFile(c)
	if err != nil {
		return 0, err
	}
	defer rc.Close()
	return t.importContent(c, h, rc, o)
}

// sameForm tells whether a file object of src is, byte for byte, attribute for
// attribute, what it would be here. A bare-user-only repository looks at no attribute.
func (t *Txn) sameForm(src *Repo, c ostree.Checksum) (bool, error) {
	if t.r.mode == ostree.ModeBareUserOnly && src.mode == ostree.ModeBareUser {
		h, err := src.StatFile(c)
		if err != nil {
			return false, err
		}
		return !h.IsLink() && t.storableUserOnly(h) == nil && h.Mode&0o400 != 0, nil
	}
	return src.mode == t.r.mode && t.r.mode != ostree.ModeSplitXattrs && (t.r.mode != ostree.ModeBare || src.xattrs == t.r.xattrs), nil
}

// link puts a hard link to an object of src into the transaction. done is false when
// the file system does not allow it, or the file is another user's, who could change
// it.
func (t *Txn) link(src *Repo, ty ostree.ObjectType, c ostree.Checksum) (done bool, err error) {
	var from, top unix.Stat_t
	name := src.objectPath(ty, c)
	if err := unix.Lstat(name, &from); err != nil {
		return false, objectError(ty, c, err)
	}
	if err := unix.Lstat(t.r.path, &top); err != nil {
		return false, &os.PathError{Op: "lstat", Path: t.r.path, Err: err}
	}
	if from.Dev != top.Dev || t.r.mode != ostree.ModeBare && from.Uid != top.Uid {
		return false, nil
	}
	tmp, err := t.newName()
	if err != nil {
		return false, err
	}
	switch err := os.Link(name, tmp); {
	case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EMLINK), errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOTSUP):
		return false, nil
	case err != nil:
		return false, objectError(ty, c, err)
	}
	return true, t.keep(tmp, ty, c)
}

// newName is a name in the staging folder that nothing has.
func (t *Txn) newName() (string, error) {
	t.mu.Lock()
	ended := t.ended
	t.mu.Unlock()
	if ended {
		return "", errEnded
	}
	return filepath.Join(t.staging.dir, "new-"+strconv.FormatInt(t.names.Add(1), 10)), nil
}

// ImportContent writes a file object that is known by its checksum from its header and
// its content. One that is here already is left as it is, and r is not read.
//
// The error is a [MismatchError] when they are not those of the object.
func (t *Txn) ImportContent(c ostree.Checksum, h *ostree.File, r io.Reader, o ImportOptions) (written int64, err error) {
	if there, err := t.has(ostree.TypeFile, c); err != nil || there {
		return 0, err
	}
	return t.importContent(c, h, r, o)
}

// importContent writes a file object with a header and content that are known.
func (t *Txn) importContent(c ostree.Checksum, h *ostree.File, content io.Reader, o ImportOptions) (int64, error) {
	o.UserOnly = o.UserOnly || t.r.mode == ostree.ModeBareUserOnly
	if err := o.check(c, h); err != nil {
		return 0, err
	}
	if err := t.storable(h); err != nil {
		return 0, objectError(ostree.TypeFile, c, err)
	}
	return t.stage(c, func(f *os.File) error {
		if o.Trust {
			return t.fill(f, h, content)
		}
		sum, err := h.NewHash()
		if err != nil {
			return err
		}
		if err := t.fill(f, h, io.TeeReader(content, sum)); err != nil {
			return err
		}
		return mismatch(c, sum)
	})
}

// stage writes a file object that is known by its checksum, and tells the bytes.
func (t *Txn) stage(c ostree.Checksum, fill func(*os.File) error) (size int64, err error) {
	err = t.write(ostree.TypeFile, c, func(f *os.File) error {
		if err := fill(f); err != nil {
			return err
		}
		size, err = f.Seek(0, io.SeekCurrent)
		return err
	})
	var named *MismatchError
	if err != nil && !errors.As(err, &named) {
		err = objectError(ostree.TypeFile, c, err)
	}
	return size, err
}

// importStream is [Txn.ImportArchived] of an object that is too large for memory.
func (t *Txn) importStream(c ostree.Checksum, r io.Reader, o ImportOptions) (written int64, err error) {
	if t.r.mode == ostree.ModeArchive {
		return t.stage(c, func(f *os.File) error { return t.keepArchived(f, c, r, o) })
	}
	br := t.r.pool.buffer(r)
	defer t.r.pool.buffers.Put(br)
	h, content, err := t.r.inflate(c, br)
	if err != nil {
		return 0, objectError(ostree.TypeFile, c, err)
	}
	// Bytes that are no object of this name are never stored in another form, where
	// nobody could tell any more.
	o.Trust = false
	written, err = t.importContent(c, h, content, o)
	return written, errors.Join(err, content.Close())
}

// keepArchived copies r into f and looks at what comes by.
func (t *Txn) keepArchived(f *os.File, c ostree.Checksum, r io.Reader, o ImportOptions) error {
	br := t.r.pool.buffer(io.TeeReader(r, f))
	defer t.r.pool.buffers.Put(br)
	h, content, err := t.r.inflate(c, br)
	if err != nil {
		return err
	}
	defer content.Close()
	if err := o.check(c, h); err != nil {
		return err
	}
	if !o.Trust {
		sum, err := h.NewHash()
		if err != nil {
			return err
		}
		if _, err := io.Copy(sum, content); err != nil {
			return err
		}
		if err := mismatch(c, sum); err != nil {
			return err
		}
	}
	rest, err := io.Copy(io.Discard, br)
	if err == nil && rest > 0 && !o.Trust {
		err = fmt.Errorf("%d bytes behind the content: %w", rest, ostree.ErrCorrupt)
	}
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	return errors.Join(t.room.take(size), f.Chmod(0o644))
}

// inflate reads the header of a .filez from br and returns its content.
func (r *Repo) inflate(c ostree.Checksum, br *bufio.Reader) (*ostree.File, io.ReadCloser, error) {
	h, err := ostree.ReadArchiveHeader(br)
	if err != nil || h.IsLink() {
		return h, noContent, err
	}
	z, err := r.pool.inflater(br)
	if err != nil {
		return nil, nil, err
	}
	return h, &inflated{archived{c: c, pool: r.pool, z: z, left: h.Size}}, nil
}

// inflated is the content of a .filez that somebody else reads and closes.
type inflated struct{ archived }

func (a *inflated) Close() error {
	if a.z != nil {
		a.pool.inflaters.Put(a.z)
		a.z = nil
	}
	return nil
}

// Flush makes objects visible that are staged, but for commits, what belongs to them,
// and refs, so that what a long transaction has come by outlives it.
func (t *Txn) Flush() error {
	t.mu.Lock()
	var names []string
	for name, whole := range t.staged {
		if whole && publishRank(name) < 0 {
			names = append(names, name)
		}
	}
	ended := t.ended
	t.mu.Unlock()
	if ended {
		return errEnded
	}
	if err := t.publish(names, false); err != nil {
		return fmt.Errorf("repository %s: %w", t.r.path, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		delete(t.staged, name)
	}
	return nil
}
