package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// CheckoutOptions tells how a tree is written to disk.
type CheckoutOptions struct {
	// UserMode leaves owners and attributes out and clears setuid and setgid, so that
	// a plain user can do it.
	UserMode bool
	// Subpath is the folder of the tree to write; empty: the root. Of a file, dest
	// becomes a folder with that file.
	Subpath string
	// Copy makes copies where hard links would do, so that files can be written to.
	Copy    bool
	Workers int // files written at once; 0: one a core
}

// Checkout writes the tree of a commit into the new folder dest. Files are hard
// links to the objects where the repository's mode allows it: such files must not be
// written to. On error dest does not exist.
func (r *Repo) Checkout(ctx context.Context, c ostree.Checksum, dest string, o CheckoutOptions) (err error) {
	commit, err := r.ReadCommit(c)
	if err != nil {
		return err
	}
	top, err := r.lookup(commit, o.Subpath)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(dest); err == nil {
		return &fs.PathError{Op: "checkout", Path: dest, Err: fs.ErrExist}
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dest)), ".checkout-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			removeAll(tmp)
		}
	}()
	if err := newCheckout(ctx, r, o).run(top, tmp); err != nil {
		return err
	}
	return renameNew(tmp, dest)
}

// renameNew renames a folder to a name that nothing has.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return os.Rename(from, to) // not every file system can
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// removeAll removes a tree whose folders may be read-only.
func removeAll(dir string) {
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	os.RemoveAll(dir)
}

// madeDir is a folder that gets its mode when all that is in it is written.
type madeDir struct {
	path string
	meta ostree.Checksum
}

type checkout struct {
	ctx    context.Context
	r      *Repo
	o      CheckoutOptions
	group  *errgroup.Group
	budget budget
	dirs   []madeDir // a folder before those in it
	metas  map[ostree.Checksum]*ostree.DirMeta
	pools  writerPools
}

func newCheckout(ctx context.Context, r *Repo, o CheckoutOptions) *checkout {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	c := &checkout{r: r, o: o, metas: map[ostree.Checksum]*ostree.DirMeta{}}
	c.group, c.ctx = errgroup.WithContext(ctx)
	c.group.SetLimit(o.Workers)
	return c
}

// run writes files in parallel with the folders, and then the modes of folders, from
// the bottom up.
func (c *checkout) run(top place, dest string) error {
	if top.isFile {
		if err := c.file(top.file, filepath.Join(dest, top.name)); err != nil {
			return err
		}
		return os.Chmod(dest, 0o755)
	}
	err := c.dir(top.tree, top.meta, dest, 0)
	if failed := c.group.Wait(); failed != nil {
		err = failed // what stopped the walk, if anything did
	}
	if err != nil {
		return err
	}
	for i := len(c.dirs) - 1; i >= 0; i-- {
		if err := c.dirMeta(c.dirs[i]); err != nil {
			return err
		}
	}
	return nil
}

// dir fills the existing folder path.
func (c *checkout) dir(tree, meta ostree.Checksum, path string, depth int) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	c.dirs = append(c.dirs, madeDir{path, meta})
	dt, err := c.r.readDirTree(tree)
	if err != nil {
		return err
	}
	if err := c.budget.take(depth, dt); err != nil {
		return err
	}
	for _, f := range dt.Files {
		c.group.Go(func() error {
			if c.ctx.Err() != nil {
				return context.Cause(c.ctx)
			}
			return c.file(f.Checksum, filepath.Join(path, f.Name))
		})
	}
	for _, d := range dt.Dirs {
		sub := filepath.Join(path, d.Name)
		if err := os.Mkdir(sub, 0o700); err != nil {
			return err
		}
		if err := c.dir(d.Tree, d.Meta, sub, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// dirMeta gives a folder its mode, and owner and attributes unless in user mode.
func (c *checkout) dirMeta(d madeDir) error {
	m, ok := c.metas[d.meta]
	if !ok {
		var err error
		if m, err = c.r.readDirMeta(d.meta); err != nil {
			return err
		}
		c.metas[d.meta] = m
	}
	if !c.o.UserMode {
		if err := errors.Join(os.Lchown(d.path, int(m.UID), int(m.GID)), writeXattrs(d.path, m.Xattrs)); err != nil {
			return err
		}
	}
	return errors.Join(chmod(d.path, m.Mode), unix.Utimes(d.path, epoch))
}

func chmod(path string, mode uint32) error {
	if err := unix.Chmod(path, mode); err != nil {
		return &fs.PathError{Op: "chmod", Path: path, Err: err}
	}
	return nil
}

// linkable tells whether an object can be hard-linked into this checkout. Empty files
// are never: they are many, and a file system bounds the links to one.
func (c *checkout) linkable(h *ostree.File) bool {
	if c.o.Copy || h.Size == 0 && !h.IsLink() {
		return false
	}
	switch c.r.mode {
	case ostree.ModeBare:
		return !c.o.UserMode
	case ostree.ModeBareUser:
		return c.o.UserMode && !h.IsLink() // setuid is not in the file's own mode
	case ostree.ModeBareUserOnly:
		return true
	}
	return false
}

func (c *checkout) file(sum ostree.Checksum, path string) error {
	if c.r.mode != ostree.ModeArchive {
		h, err := c.r.StatFile(sum)
		if err != nil {
			return err
		}
		if c.linkable(h) {
			err := os.Link(c.r.objectPath(ostree.TypeFile, sum), path)
			if err == nil || !cannotLink(err) {
				return err
			}
		}
	}
	h, rc, err := c.r.OpenFile(sum)
	if err != nil {
		return err
	}
	defer rc.Close()
	if h.IsLink() {
		return c.symlink(h, path)
	}
	if err := c.copy(h, rc, path); err != nil {
		return objectError(ostree.TypeFile, sum, err)
	}
	return nil
}

// cannotLink tells whether a copy helps where a hard link failed: on another file
// system, with too many links, or with the object of another user.
func cannotLink(err error) bool {
	return errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.EPERM)
}

func (c *checkout) symlink(h *ostree.File, path string) error {
	if err := os.Symlink(h.Target, path); err != nil || !c.owned() {
		return err
	}
	return errors.Join(os.Lchown(path, int(h.UID), int(h.GID)), writeXattrs(path, h.Xattrs))
}

// owned tells whether files get the owner and the attributes of the commit. A
// bare-user-only repository has none.
func (c *checkout) owned() bool { return !c.o.UserMode && c.r.mode != ostree.ModeBareUserOnly }

func (c *checkout) copy(h *ostree.File, r io.Reader, path string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := c.pools.copyExactly(f, r, h.Size); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	mode := h.Mode & 0o7777
	if c.o.UserMode {
		mode &^= 0o6000
	}
	if c.owned() {
		if err := errors.Join(f.Chown(int(h.UID), int(h.GID)), writeXattrs(path, h.Xattrs)); err != nil {
			return err
		}
	}
	fd := int(f.Fd())
	return errors.Join(unix.Fchmod(fd, mode), unix.Futimes(fd, epoch))
}
