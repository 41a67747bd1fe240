package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/ostree"
)

// Txn is a transaction: objects become visible, and refs move, all at its end. Its
// writing methods may be called by several goroutines.
type Txn struct {
	r       *Repo
	lock    *os.File
	dir     string   // staging folder below tmp/
	dirLock *os.File // held while the folder is in use

	mu      sync.Mutex
	staged  map[string]bool // object names below objects/
	refs    map[string]ostree.Checksum
	written int
	pool    sync.Pool // of *compress.DeflateWriter
}

const stagingPrefix = "treewright-"

// Begin starts a transaction. It waits while another program has the repository to
// itself. Every Begin needs a [Txn.Commit] or a [Txn.Abort].
func (r *Repo) Begin(ctx context.Context) (*Txn, error) {
	lock, err := r.lock(ctx, false)
	if err != nil {
		return nil, err
	}
	t := &Txn{r: r, lock: lock, staged: map[string]bool{}, refs: map[string]ostree.Checksum{}}
	if err := t.stage(); err != nil {
		lock.Close()
		return nil, err
	}
	return t, nil
}

// stage makes the staging folder, and removes those of runs that are dead.
func (t *Txn) stage() (err error) {
	tmp := t.r.file("tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(tmp, stagingPrefix+"*-lock"))
	if err != nil {
		return err
	}
	for _, l := range old {
		sweep(l)
	}
	if t.dir, err = os.MkdirTemp(tmp, stagingPrefix+"*"); err != nil {
		return err
	}
	t.dirLock, err = os.OpenFile(t.dir+"-lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = tryLock(t.dirLock, true)
	}
	return err
}

// sweep removes a staging folder when nobody holds its lock.
func sweep(lock string) {
	f, err := os.OpenFile(lock, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if tryLock(f, true) == nil {
		os.RemoveAll(strings.TrimSuffix(lock, "-lock"))
		os.Remove(lock)
	}
}

// Written is how many new objects the transaction holds.
func (t *Txn) Written() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written
}

func stagedName(object string) string { return strings.Replace(object, "/", "-", 1) }

// has tells whether an object is in the repository or in this transaction.
func (t *Txn) has(ty ostree.ObjectType, c ostree.Checksum) (bool, error) {
	t.mu.Lock()
	ok := t.staged[t.r.objectName(ty, c)]
	t.mu.Unlock()
	if ok {
		return true, nil
	}
	return t.r.Has(ty, c)
}

// keep turns a temporary file of the staging folder into a staged object, unless
// there is such an object already.
func (t *Txn) keep(tmp string, ty ostree.ObjectType, c ostree.Checksum) error {
	there, err := t.has(ty, c)
	if err != nil || there {
		return errors.Join(err, os.Remove(tmp))
	}
	name := t.r.objectName(ty, c)
	if err := os.Rename(tmp, filepath.Join(t.dir, stagedName(name))); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.staged[name] {
		t.written++
	}
	t.staged[name] = true
	return nil
}

// WriteMetadata writes a metadata object and returns its checksum.
func (t *Txn) WriteMetadata(ty ostree.ObjectType, b []byte) (ostree.Checksum, error) {
	c := ostree.Sum(b)
	return c, t.writeNamed(ty, c, b)
}

// WriteDetached writes the detached metadata of a commit, in the place of an older
// one.
func (t *Txn) WriteDetached(commit ostree.Checksum, b []byte) error {
	return t.writeNamed(ostree.TypeCommitMeta, commit, b)
}

func (t *Txn) writeNamed(ty ostree.ObjectType, c ostree.Checksum, b []byte) error {
	if len(b) > ostree.MaxMetadata {
		return objectError(ty, c, fmt.Errorf("%d bytes, at most %d are allowed: %w", len(b), ostree.MaxMetadata, ostree.ErrUnsupported))
	}
	if ty != ostree.TypeCommitMeta {
		if there, err := t.has(ty, c); err != nil || there {
			return err
		}
	}
	f, err := os.CreateTemp(t.dir, "tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return objectError(ty, c, err)
	}
	return t.keep(f.Name(), ty, c)
}

// WriteFile writes a file object, whose content of h.Size bytes is r, and returns
// its checksum. For a link r is not used.
func (t *Txn) WriteFile(h *ostree.File, r io.Reader) (c ostree.Checksum, err error) {
	sum, err := h.NewHash()
	if err != nil {
		return c, err
	}
	if h.IsLink() {
		r = bytes.NewReader(nil)
	}
	f, err := os.CreateTemp(t.dir, "tmp-*")
	if err != nil {
		return c, err
	}
	name := f.Name()
	if err := t.fill(f, h, io.TeeReader(r, sum)); err != nil {
		os.Remove(name)
		return c, err
	}
	sum.Sum(c[:0])
	return c, t.keep(name, ostree.TypeFile, c)
}

// fill writes the object's file in the form that the mode has and closes it.
func (t *Txn) fill(f *os.File, h *ostree.File, content io.Reader) error {
	var err error
	switch t.r.mode {
	case ostree.ModeArchive:
		err = t.fillArchive(f, h, content)
	case ostree.ModeBareUser:
		err = fillBareUser(f, h, content)
	case ostree.ModeBare:
		err = fillBare(f, h, content)
	default:
		err = fmt.Errorf("writing to a repository of mode %s: %w", t.r.mode, ostree.ErrUnsupported)
	}
	return errors.Join(err, f.Close())
}

// copyExactly copies content and checks that it has size bytes.
func copyExactly(w io.Writer, content io.Reader, size int64) error {
	n, err := io.Copy(w, io.LimitReader(content, size+1))
	if err == nil && n != size {
		return fmt.Errorf("content has %d bytes or more, promised were %d: %w", n, size, ostree.ErrCorrupt)
	}
	return err
}

func (t *Txn) fillArchive(f *os.File, h *ostree.File, content io.Reader) error {
	head, err := h.ArchiveHeader()
	if err != nil {
		return err
	}
	if _, err := f.Write(head); err != nil || h.IsLink() {
		return errors.Join(err, f.Chmod(0o644))
	}
	z, _ := t.pool.Get().(*compress.DeflateWriter)
	if z == nil {
		if z, err = compress.NewDeflateWriter(f, t.r.level); err != nil {
			return err
		}
	}
	z.Reset(f)
	defer t.pool.Put(z)
	if err := copyExactly(z, content, h.Size); err != nil {
		return err
	}
	return errors.Join(z.Close(), f.Chmod(0o644))
}

// Times of objects are 1970, so that a hard link to one is the same everywhere.
var epoch = []unix.Timeval{{}, {}}

func fillBareUser(f *os.File, h *ostree.File, content io.Reader) error {
	mode := fs.FileMode(h.Mode&0o775 | 0o400)
	var err error
	if h.IsLink() {
		mode = 0o644
		_, err = f.WriteString(h.Target + "\x00")
	} else {
		err = copyExactly(f, content, h.Size)
	}
	if err != nil {
		return err
	}
	meta, err := h.BareMeta()
	if err != nil {
		return err
	}
	if err := unix.Fsetxattr(int(f.Fd()), bareMetaXattr, meta, 0); err != nil {
		return fmt.Errorf("%s: attribute %s: %w (a bare-user repository needs a file system with user attributes)", f.Name(), bareMetaXattr, err)
	}
	return errors.Join(f.Chmod(mode), unix.Futimes(int(f.Fd()), epoch))
}

func fillBare(f *os.File, h *ostree.File, content io.Reader) error {
	name := f.Name()
	if h.IsLink() {
		if err := errors.Join(os.Remove(name), os.Symlink(h.Target, name)); err != nil {
			return err
		}
		return errors.Join(os.Lchown(name, int(h.UID), int(h.GID)), writeXattrs(name, h.Xattrs))
	}
	if err := copyExactly(f, content, h.Size); err != nil {
		return err
	}
	if err := f.Chown(int(h.UID), int(h.GID)); err != nil {
		return fmt.Errorf("%w (a bare repository keeps owners, which needs root)", err)
	}
	// Changing the owner clears setuid and capabilities, so they come behind.
	return errors.Join(unix.Fchmod(int(f.Fd()), h.Mode&0o7777), writeXattrs(name, h.Xattrs), unix.Futimes(int(f.Fd()), epoch))
}

// SetRef makes a ref point to a commit when the transaction ends.
func (t *Txn) SetRef(name string, c ostree.Checksum) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refs[name] = c
}

// Commit makes the objects visible, then moves the refs. On error nothing has
// become visible but objects that no ref leads to.
func (t *Txn) Commit(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, t.end()) }()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := t.r.sync(); err != nil {
		return err
	}
	if err := t.publish(); err != nil {
		return err
	}
	if err := t.r.sync(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(keys(t.refs)) {
		if err := t.r.SetRef(name, t.refs[name]); err != nil {
			return err
		}
	}
	return nil
}

func keys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// publish renames the staged objects into place.
func (t *Txn) publish() error {
	made := map[string]bool{}
	for name := range t.staged {
		if dir := name[:2]; !made[dir] {
			if err := os.MkdirAll(t.r.file("objects", dir), 0o755); err != nil {
				return err
			}
			made[dir] = true
		}
		if err := os.Rename(filepath.Join(t.dir, stagedName(name)), t.r.file("objects", name)); err != nil {
			return err
		}
	}
	return nil
}

// sync flushes the repository's file system, unless the configuration says not to.
func (r *Repo) sync() error {
	if !r.fsync {
		return nil
	}
	d, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("sync of %s: %w", r.path, err)
	}
	return nil
}

// Abort ends the transaction and leaves the repository as it was. Behind a Commit it
// does nothing.
func (t *Txn) Abort() error { return t.end() }

func (t *Txn) end() error {
	if t.lock == nil {
		return nil
	}
	err := errors.Join(os.RemoveAll(t.dir), os.Remove(t.dirLock.Name()), t.dirLock.Close(), t.lock.Close())
	t.lock = nil
	return err
}
