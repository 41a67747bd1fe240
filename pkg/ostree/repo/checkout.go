package repo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// CheckoutOptions tells how a tree is written to disk.
type CheckoutOptions struct {
	// UserMode leaves owners and attributes out and clears setuid and setgid, so that
	// a plain user can do it. Checkouts of bare-user-only repositories always do.
	UserMode bool
	// Subpath is what of the tree is written; empty: all. Of a file, dest is the
	// folder that gets it, which may be there already.
	Subpath string
	// Copy makes copies where hard links would do, so that files can be written to.
	// Folders keep the time at which they were made.
	Copy bool
	// RequireLinks fails where a file would have to be copied, but for empty files,
	// those that their owner may not read, and links.
	RequireLinks bool
	// Overwrite tells what may be at dest, and what becomes of it.
	Overwrite Overwrite
	// Whiteouts takes files .wh.NAME as orders to delete NAME, and .wh..wh..opq as one
	// to delete what was in its folder before.
	Whiteouts bool
	// Devices makes files .ostree-wh.NAME the character device 0:0 called NAME, which
	// is overlayfs's word for a deleted file.
	Devices bool
	// PlainDirs gives folders no mode bits outside 0775. Checkouts of bare-user-only
	// repositories always do.
	PlainDirs bool
	// Cache keeps what a checkout in user mode has unpacked from an archive, in the
	// repository, and makes hard links to it, unless core.enable-uncompressed-cache
	// is false.
	Cache bool
	// Skip is asked about each path below dest, from "/" on, a folder's with a slash
	// at its end; true leaves it out. nil leaves nothing out. Of a file that is the
	// Subpath it is not asked.
	Skip func(path string) bool
	// Label is what SELinux calls a file: its path has a leading slash, its mode the
	// bits of the type. When ok it takes the place of the commit's label. nil keeps
	// those. Paths are those in the tree, behind LabelPrefix. Hard links keep the
	// labels of objects, so Copy must be set, too. In user mode nothing is labelled.
	Label       func(path string, mode uint32) (label string, ok bool, err error)
	LabelPrefix string
	Workers     int // files written at once; 0: one a core
}

// Overwrite is what a checkout does with what is at its destination.
type Overwrite uint8

// The ways to write into a folder. In all but the first one folders that are there
// keep their owner, mode and attributes; a link to a folder in the destination is
// followed, but not out of it.
const (
	OverwriteNothing   Overwrite = iota // the destination must not be there
	OverwriteFiles                      // files take the place of others
	OverwriteAdd                        // what is there stays
	OverwriteIdentical                  // what is there must be the same, or the checkout fails
)

// Checkout writes the tree of a commit into the folder dest. Files are hard links to
// the objects where the repository's mode allows it: such files must not be written to.
//
// A dest that is not there yet appears whole or not at all. In one that is there files
// do; on error it has what was written before.
//
// A path that is not in the tree is a [*TreePathError], a file that cannot be put in
// its place a [*CheckoutError], a mode that does not allow required links a
// [*LinkModeError].
func (r *Repo) Checkout(ctx context.Context, c ostree.Checksum, dest string, o CheckoutOptions) error {
	commit, err := r.ReadCommit(c)
	if err != nil {
		return err
	}
	top, err := r.lookup(commit, o.Subpath)
	if err != nil {
		return err
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	o.UserMode = o.UserMode || r.mode == ostree.ModeBareUserOnly
	o.PlainDirs = o.PlainDirs || r.mode == ostree.ModeBareUserOnly
	if dest == "" {
		return &fs.PathError{Op: "mkdirat", Path: dest, Err: unix.ENOENT}
	}
	if _, err := os.Lstat(dest); err == nil {
		return r.checkoutInto(ctx, top, dest, o)
	}
	err = r.checkoutNew(ctx, top, dest, o)
	if errors.Is(err, errAppeared) && o.Overwrite != OverwriteNothing {
		return r.checkoutInto(ctx, top, dest, o) // somebody else made it meanwhile
	}
	return err
}

// checkoutInto writes into a folder that is there.
func (r *Repo) checkoutInto(ctx context.Context, top place, dest string, o CheckoutOptions) error {
	if o.Overwrite == OverwriteNothing && !top.isFile {
		return &fs.PathError{Op: "mkdirat", Path: dest, Err: unix.EEXIST}
	}
	c, err := newCheckout(r, o)
	if err != nil {
		return err
	}
	defer c.close()
	return c.run(ctx, top, dest)
}

// errAppeared tells that there is something at a new destination after all.
var errAppeared = errors.New("destination appeared meanwhile")

// checkoutNew writes a folder beside dest and renames it.
func (r *Repo) checkoutNew(ctx context.Context, top place, dest string, o CheckoutOptions) (err error) {
	c, err := newCheckout(r, o)
	if err != nil {
		return err
	}
	defer c.close()
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dest)), ".checkout-*")
	if err != nil {
		return &fs.PathError{Op: "mkdirat", Path: dest, Err: errnoOf(err)}
	}
	defer func() {
		if err != nil {
			removeAll(tmp)
		}
	}()
	c.private = true
	if err := c.run(ctx, top, tmp); err != nil {
		return err
	}
	if _, err := os.Lstat(tmp); errors.Is(err, fs.ErrNotExist) {
		return nil // the root was left out
	}
	if err := renameNew(tmp, dest); errors.Is(err, fs.ErrExist) {
		return errors.Join(errAppeared, err)
	} else {
		return err
	}
}

// errnoOf is the number of the system's error, or err when it has none.
func errnoOf(err error) error {
	var n unix.Errno
	if errors.As(err, &n) {
		return n
	}
	return err
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
