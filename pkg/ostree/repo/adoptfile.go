package repo

import (
	"errors"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// adoptable tells whether a file on disk already is what the object with header h is
// in this repository, but for its time.
func (t *Txn) adoptable(h *ostree.File, path string) bool {
	owned := t.r.mode == ostree.ModeBare
	if !owned && t.r.mode != ostree.ModeBareUserOnly || t.storable(h) != nil {
		return false
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil || st.Mode != h.Mode {
		return false
	}
	if owned && (st.Uid != h.UID || st.Gid != h.GID) || !owned && int(st.Uid) != os.Geteuid() {
		return false
	}
	xattrs, err := ReadXattrs(path)
	return err == nil && slices.EqualFunc(xattrs, h.Xattrs, func(a, b filetree.Xattr) bool {
		return a.Name == b.Name && string(a.Value) == string(b.Value)
	})
}

// adoptFile is [Txn.WriteFile] of a file on disk that the caller is going to delete: it
// becomes the object itself, where it can. r is its content.
func (t *Txn) adoptFile(h *ostree.File, path string, r io.ReadSeeker) (c ostree.Checksum, err error) {
	if !t.adoptable(h, path) {
		return t.WriteFile(h, r)
	}
	sum, err := h.NewHash()
	if err != nil {
		return c, err
	}
	if err := t.pools.copyExactly(sum, r, h.Size); err != nil {
		return c, err
	}
	sum.Sum(c[:0])
	if there, err := t.has(ostree.TypeFile, c); err != nil || there {
		t.countContent(0, false)
		return c, err
	}
	tmp, err := t.newName()
	if err != nil {
		return c, err
	}
	if err := os.Link(path, tmp); err != nil { // another file system, or too many links
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return c, err
		}
		return t.WriteFile(h, r)
	}
	if err := unix.Utimes(tmp, epoch); err != nil {
		return c, errors.Join(&os.PathError{Op: "utimes", Path: path, Err: err}, os.Remove(tmp))
	}
	t.countContent(h.Size, true)
	return c, t.keep(tmp, ostree.TypeFile, c)
}
