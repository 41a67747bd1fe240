package source

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"sync"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
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
	f := &folderReader{t: t}
	f.group, f.ctx = errgroup.WithContext(ctx)
	f.group.SetLimit(runtime.GOMAXPROCS(0))
	n, err := f.node(dir+"/.", "/")
	if err == nil && n != nil {
		err = f.children(n, dir, "/")
	}
	if waited := f.group.Wait(); waited != nil {
		err = waited
	}
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

// folderReader reads folders, some at once.
type folderReader struct {
	ctx   context.Context
	t     *Tree
	group *errgroup.Group
	mu    sync.Mutex // of the changes
}

// node reads what is at file, without what is in it; its path in the tree is at. The
// result is nil when it is to be left out.
func (f *folderReader) node(file, at string) (*filetree.Node, error) {
	var st unix.Stat_t
	if err := unix.Lstat(file, &st); err != nil {
		return nil, &os.PathError{Op: "lstat", Path: file, Err: err}
	}
	if n, ok, err := f.linked(file, at, &st); ok {
		return n, err
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
	keep, err := f.apply(at, n)
	switch {
	case err != nil || !keep:
		return nil, err
	case n.Kind == filetree.Socket:
		return nil, &KindError{Path: at}
	}
	return n, nil
}

func (f *folderReader) apply(at string, n *filetree.Node) (keep bool, err error) {
	if f.t.changes.none() {
		return true, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.t.changes.apply(at, n, false)
}

// children reads what is in a folder.
func (f *folderReader) children(n *filetree.Node, dir, at string) error {
	if f.ctx.Err() != nil {
		return context.Cause(f.ctx)
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	d.Close()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !utf8.ValidString(name) {
			return &NameError{Dir: at, Name: name}
		}
		file, below := dir+"/"+name, path.Join(at, name)
		child, err := f.node(file, below)
		if err != nil {
			return err
		}
		if child == nil {
			continue
		}
		if err := n.Set(name, child); err != nil {
			return err
		}
		if child.Kind != filetree.Dir {
			continue
		}
		read := func() error { return f.children(child, file, below) }
		if !f.group.TryGo(read) {
			if err := read(); err != nil {
				return err
			}
		}
	}
	return nil
}

// A NameError is a file name that is not UTF-8, which no commit can have.
type NameError struct{ Dir, Name string }

func (e *NameError) Error() string {
	return fmt.Sprintf("%s: file name %q is not UTF-8: %v", e.Dir, e.Name, ostree.ErrUnsupported)
}

func (e *NameError) Unwrap() error { return ostree.ErrUnsupported }

// onDisk is the content of a file on disk.
type onDisk string

// OnDisk is the path of a file whose content comes from a folder on disk.
func OnDisk(n *filetree.Node) (path string, ok bool) {
	f, ok := n.From.(onDisk)
	return string(f), ok
}

// Open opens the file: without what os.Open does for files that one may have to wait
// for, as a tree has many.
func (f onDisk) Open() (io.ReadCloser, error) {
	fd, err := unix.Open(string(f), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: string(f), Err: err}
	}
	return &diskFile{fd: fd, path: string(f)}, nil
}

// diskFile is an open file.
type diskFile struct {
	fd   int
	path string
}

func (d *diskFile) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(d.fd, p)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, &os.PathError{Op: "read", Path: d.path, Err: err}
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (d *diskFile) Seek(offset int64, whence int) (int64, error) {
	return unix.Seek(d.fd, offset, whence)
}

func (d *diskFile) Close() error { return unix.Close(d.fd) }
