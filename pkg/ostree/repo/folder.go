package repo

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
)

// FolderOptions tells how [ReadFolder] reads.
type FolderOptions struct {
	UID, GID *uint32 // owner of everything; nil: as on disk
	NoXattrs bool    // leave extended attributes out
}

// ReadFolder returns the tree of a folder on disk, as commits have it: without times.
// Content stays on disk until somebody opens it.
func ReadFolder(dir string, o FolderOptions) (*filetree.Node, error) {
	n, err := o.node(dir)
	if err != nil {
		return nil, err
	}
	if n.Kind != filetree.Dir {
		return nil, fmt.Errorf("%s: %w", dir, filetree.ErrNotDir)
	}
	return n, nil
}

func (o *FolderOptions) node(path string) (*filetree.Node, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	n := &filetree.Node{Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid}
	if o.UID != nil {
		n.UID = *o.UID
	}
	if o.GID != nil {
		n.GID = *o.GID
	}
	var err error
	if !o.NoXattrs {
		if n.Xattrs, err = readXattrs(path); err != nil {
			return nil, err
		}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		n.Kind, n.Size, n.From = filetree.File, st.Size, fileSource(path)
	case unix.S_IFLNK:
		n.Kind = filetree.Symlink
		n.Target, err = os.Readlink(path)
	case unix.S_IFDIR:
		err = o.children(n, path)
	default:
		err = fmt.Errorf("%s: a device, FIFO or socket cannot be in a commit", path)
	}
	return n, err
}

func (o *FolderOptions) children(n *filetree.Node, path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		child, err := o.node(filepath.Join(path, e.Name()))
		if err != nil {
			return err
		}
		if err := n.Set(e.Name(), child); err != nil {
			return err
		}
	}
	return nil
}

// fileSource is a file on disk.
type fileSource string

func (f fileSource) Open() (io.ReadCloser, error) { return os.Open(string(f)) }
