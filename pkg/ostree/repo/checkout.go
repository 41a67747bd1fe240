package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// CheckoutOptions tells how a tree is written to disk.
type CheckoutOptions struct {
	// UserMode leaves owners and attributes out and clears setuid and setgid, so that
	// a plain user can do it.
	UserMode bool
	// Subpath is the folder of the tree to write; empty: the root.
	Subpath string
	// Copy makes copies where hard links would do, so that files can be written to.
	Copy bool
}

// Checkout writes the tree of a commit into the new folder dest. Files are hard
// links to the objects where the repository's mode allows it. On error dest does
// not exist.
func (r *Repo) Checkout(ctx context.Context, c ostree.Checksum, dest string, o CheckoutOptions) (err error) {
	commit, err := r.ReadCommit(c)
	if err != nil {
		return err
	}
	tree, meta, err := r.subtree(commit, o.Subpath)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(dest); err == nil {
		return fmt.Errorf("%s: %w", dest, fs.ErrExist)
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
	co := &checkout{ctx: ctx, r: r, o: o}
	if err := co.dir(tree, meta, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, dest)
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

// subtree finds a folder of a commit.
func (r *Repo) subtree(commit *ostree.Commit, sub string) (tree, meta ostree.Checksum, err error) {
	tree, meta = commit.Root, commit.RootMeta
	for _, name := range splitPath(sub) {
		dt, err := r.readDirTree(tree)
		if err != nil {
			return tree, meta, err
		}
		found := false
		for _, d := range dt.Dirs {
			if d.Name == name {
				tree, meta, found = d.Tree, d.Meta, true
			}
		}
		if !found {
			return tree, meta, fmt.Errorf("folder %s in the tree: %w", sub, ostree.ErrNotFound)
		}
	}
	return tree, meta, nil
}

type checkout struct {
	ctx context.Context
	r   *Repo
	o   CheckoutOptions
}

// dir fills the existing folder path.
func (c *checkout) dir(tree, meta ostree.Checksum, path string) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	dt, err := c.r.readDirTree(tree)
	if err != nil {
		return err
	}
	for _, f := range dt.Files {
		if err := c.file(f.Checksum, filepath.Join(path, f.Name)); err != nil {
			return err
		}
	}
	for _, d := range dt.Dirs {
		sub := filepath.Join(path, d.Name)
		if err := os.Mkdir(sub, 0o700); err != nil {
			return err
		}
		if err := c.dir(d.Tree, d.Meta, sub); err != nil {
			return err
		}
	}
	return c.dirMeta(meta, path)
}

// dirMeta gives a folder its mode, and owner and attributes unless in user mode.
func (c *checkout) dirMeta(sum ostree.Checksum, path string) error {
	raw, err := c.r.ReadObject(ostree.TypeDirMeta, sum)
	if err != nil {
		return err
	}
	m, err := ostree.ParseDirMeta(raw)
	if err != nil {
		return objectError(ostree.TypeDirMeta, sum, err)
	}
	if !c.o.UserMode {
		if err := errors.Join(os.Lchown(path, int(m.UID), int(m.GID)), writeXattrs(path, m.Xattrs)); err != nil {
			return err
		}
	}
	mode := m.Mode
	if c.o.UserMode {
		mode |= 0o700
	}
	return errors.Join(unix.Chmod(path, mode), unix.Utimes(path, epoch))
}

// linkable tells whether an object can be hard-linked into this checkout.
func (c *checkout) linkable(h *ostree.File) bool {
	if c.o.Copy || h.Size == 0 && !h.IsLink() {
		return false
	}
	switch c.r.mode {
	case ostree.ModeBare:
		return !c.o.UserMode
	case ostree.ModeBareUser:
		return c.o.UserMode && !h.IsLink() && h.Mode&0o6000 == 0
	case ostree.ModeBareUserOnly:
		return true
	}
	return false
}

func (c *checkout) file(sum ostree.Checksum, path string) error {
	h, rc, err := c.r.OpenFile(sum)
	if err != nil {
		return err
	}
	defer rc.Close()
	if c.linkable(h) {
		err := os.Link(c.r.objectPath(ostree.TypeFile, sum), path)
		if err == nil || !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EMLINK) && !errors.Is(err, unix.EPERM) {
			return err
		}
	}
	if h.IsLink() {
		if err := os.Symlink(h.Target, path); err != nil || c.o.UserMode {
			return err
		}
		return errors.Join(os.Lchown(path, int(h.UID), int(h.GID)), writeXattrs(path, h.Xattrs))
	}
	return c.copy(h, rc, path, sum)
}

func (c *checkout) copy(h *ostree.File, r io.Reader, path string, sum ostree.Checksum) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := copyExactly(f, r, h.Size); err != nil {
		return objectError(ostree.TypeFile, sum, err)
	}
	mode := h.Mode & 0o7777
	if c.o.UserMode {
		mode = mode&^0o6000 | 0o400
	} else if err := errors.Join(f.Chown(int(h.UID), int(h.GID)), writeXattrs(path, h.Xattrs)); err != nil {
		return err
	}
	return errors.Join(unix.Fchmod(int(f.Fd()), mode), unix.Futimes(int(f.Fd()), epoch))
}
