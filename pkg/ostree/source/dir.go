package source

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree/repo"
)

// AddFolder lays a folder on disk over what has been read. Content stays on disk until
// somebody opens it. A link to a folder is none.
func (t *Tree) AddFolder(ctx context.Context, dir string) error {
	st, err := os.Lstat(dir)
	if err == nil && !st.IsDir() {
		err = unix.ENOTDIR
	}
	if err != nil {
		return &OpenError{Path: dir, Err: err}
	}
	f := &folderReader{ctx: ctx, t: t}
	n, err := f.node(dir+"/.", "/")
	if err != nil || n == nil {
		return err
	}
	return t.overlay(n)
}

// An OpenError is a folder that cannot be read.
type OpenError struct {
	Path string
	Err  error
}

func (e *OpenError) Error() string { return fmt.Sprintf("folder %s: %v", e.Path, e.Err) }

func (e *OpenError) Unwrap() error { return e.Err }

type folderReader struct {
	ctx context.Context
	t   *Tree
}

// node reads what is at file; its path in the tree is at. The result is nil when it is
// to be left out.
func (f *folderReader) node(file, at string) (*filetree.Node, error) {
	var st unix.Stat_t
	if err := unix.Lstat(file, &st); err != nil {
		return nil, &os.PathError{Op: "lstat", Path: file, Err: err}
	}
	n := &filetree.Node{Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		n.Kind, n.Size, n.From = filetree.File, st.Size, onDisk(file)
	case unix.S_IFLNK:
		n.Kind = filetree.Symlink
		n.Target, err = os.Readlink(file)
	case unix.S_IFDIR:
	default:
		n.Kind = filetree.Socket
	}
	if err == nil && !f.t.changes.bareXattrs() && n.Kind != filetree.Socket {
		n.Xattrs, err = repo.ReadXattrs(file)
	}
	if err != nil {
		return nil, err
	}
	keep, err := f.t.changes.apply(at, n, false)
	if err != nil || !keep {
		return nil, err
	}
	switch n.Kind {
	case filetree.Socket:
		return nil, &KindError{Path: at}
	case filetree.Dir:
		return n, f.children(n, file, at)
	}
	return n, nil
}

func (f *folderReader) children(n *filetree.Node, dir, at string) error {
	if f.ctx.Err() != nil {
		return context.Cause(f.ctx)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		child, err := f.node(dir+"/"+e.Name(), path.Join(at, e.Name()))
		if err != nil {
			return err
		}
		if child == nil {
			continue
		}
		if err := n.Set(e.Name(), child); err != nil {
			return err
		}
	}
	return nil
}

// onDisk is the content of a file on disk.
type onDisk string

func (f onDisk) Open() (io.ReadCloser, error) { return os.Open(string(f)) }
