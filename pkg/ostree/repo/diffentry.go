package repo

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// entry is a file, link or folder of a commit, or one on disk.
type entry struct {
	name  string
	path  string // below the root, without a leading slash
	isDir bool

	r         *Repo // of a commit
	sum, meta ostree.Checksum

	root   string // of a folder on disk
	second bool   // of the trees that are compared
}

// shown is the path as it is printed.
func (e *entry) shown() string {
	if e.r != nil {
		return "/" + e.path
	}
	return e.path
}

func (e *entry) onDisk() string { return filepath.Join(e.root, e.path) }

// root is the tree's uppermost folder.
func (t Tree) root() (entry, error) {
	if t.folder != "" {
		if _, err := os.Stat(t.folder); err != nil {
			return entry{}, err
		}
		return entry{root: t.folder, isDir: true}, nil
	}
	c, err := t.r.ReadCommit(t.commit)
	if err != nil {
		return entry{}, err
	}
	return entry{r: t.r, isDir: true, sum: c.Root, meta: c.RootMeta}, nil
}

// list is what is in a folder: of a commit files before folders, by name; on disk in
// the order of [readDirByInode].
func (e *entry) list() ([]entry, error) {
	if e.r == nil {
		return e.listDisk()
	}
	dt, err := e.r.readDirTree(e.sum)
	if err != nil {
		return nil, err
	}
	out := make([]entry, 0, len(dt.Files)+len(dt.Dirs))
	for _, f := range dt.Files {
		out = append(out, entry{name: f.Name, path: path.Join(e.path, f.Name), r: e.r, sum: f.Checksum})
	}
	for _, d := range dt.Dirs {
		out = append(out, entry{name: d.Name, path: path.Join(e.path, d.Name), r: e.r, isDir: true, sum: d.Tree, meta: d.Meta})
	}
	return out, nil
}

func (e *entry) listDisk() ([]entry, error) {
	list, err := readDirByInode(e.onDisk())
	out := make([]entry, 0, len(list))
	for _, d := range list {
		out = append(out, entry{name: d.name, path: path.Join(e.path, d.name), isDir: d.isDir, root: e.root, second: e.second})
	}
	return out, err
}

// header is what is to be compared of a file, link or folder, but for the content. ino
// is the inode that has it, where it is known.
func (d *differ) header(e *entry) (h *ostree.File, ino fileID, err error) {
	switch {
	case e.r == nil:
		return d.diskHeader(e)
	case !e.isDir:
		h, err = e.r.StatFile(e.sum)
		return h, fileID{}, err
	}
	m, err := e.r.readDirMeta(e.meta)
	if err != nil {
		return nil, ino, err
	}
	return &ostree.File{UID: m.UID, GID: m.GID, Mode: unix.S_IFDIR | m.Mode, Xattrs: m.Xattrs}, ino, nil
}

// fileID tells files from one another.
type fileID struct{ dev, ino uint64 }

func (d *differ) diskHeader(e *entry) (*ostree.File, fileID, error) {
	var st unix.Stat_t
	p := e.onDisk()
	if err := unix.Lstat(p, &st); err != nil {
		return nil, fileID{}, &os.PathError{Op: "lstat", Path: p, Err: err}
	}
	h := &ostree.File{UID: st.Uid, GID: st.Gid, Mode: st.Mode}
	if e.second && d.o.UID != nil {
		h.UID = *d.o.UID
	}
	if e.second && d.o.GID != nil {
		h.GID = *d.o.GID
	}
	var err error
	if !d.o.NoXattrs {
		if h.Xattrs, err = ReadXattrs(p); err != nil {
			return nil, fileID{}, err
		}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		h.Size = st.Size
	case unix.S_IFLNK:
		h.Target, err = os.Readlink(p)
	}
	return h, fileID{st.Dev, st.Ino}, err
}

// same tells whether what both trees have at a path is the same.
func (d *differ) same(a, b *entry) (bool, error) {
	x, i, err := d.header(a)
	if err != nil {
		return false, err
	}
	y, j, err := d.header(b)
	if err != nil || !x.Equal(y) {
		return false, err
	}
	if x.Mode&unix.S_IFMT != unix.S_IFREG || x.Size == 0 || i == j && i != (fileID{}) {
		return true, nil
	}
	if a.r != nil {
		return b.hasContent(y, j, a)
	}
	if b.r != nil {
		return a.hasContent(x, i, b)
	}
	f, err := os.Open(a.onDisk())
	if err != nil {
		return false, err
	}
	defer f.Close()
	return sameContent(b.onDisk(), f)
}

// hasContent tells whether a file on disk has the content of an object whose header
// it has: a hard link to the object has; else the checksum tells.
func (e *entry) hasContent(h *ostree.File, id fileID, object *entry) (bool, error) {
	if object.r.mode != ostree.ModeArchive {
		var st unix.Stat_t
		if unix.Lstat(object.r.objectPath(ostree.TypeFile, object.sum), &st) == nil && id == (fileID{st.Dev, st.Ino}) {
			return true, nil
		}
	}
	f, _, err := openRegular(e.onDisk())
	if err != nil {
		return false, err
	}
	defer f.Close()
	sum, err := h.NewHash()
	if err != nil {
		return false, err
	}
	buf := get(&object.r.pool.copies, 128<<10)
	defer object.r.pool.copies.Put(buf)
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{f}, *buf); err != nil {
		return false, fmt.Errorf("%s: %w", e.onDisk(), err)
	}
	return ostree.Checksum(sum.Sum(nil)) == object.sum, nil
}
