package filetree

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"time"
)

// FS returns the tree below root as a file system to read. Links are followed, with
// root as "/": they never lead out of it.
func FS(root *Node) fs.FS { return treeFS{root} }

type treeFS struct{ root *Node }

func (t treeFS) Open(name string) (fs.File, error) {
	n, err := t.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	info := nodeInfo{path.Base(name), n}
	if n.Kind == Dir {
		return &openDir{info: info}, nil
	}
	f := &openFile{info: info}
	if n.Kind == File && n.Size > 0 {
		if f.content, err = n.From.Open(); err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	return f, nil
}

func (t treeFS) find(name string) (*Node, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	at, err := t.root.Resolve(name)
	if errors.Is(err, ErrNotFound) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	n := t.root.Lookup(at)
	if n == nil {
		return nil, fs.ErrNotExist
	}
	if n.Link != nil {
		n = n.Link
	}
	return n, nil
}

// nodeInfo describes a node.
type nodeInfo struct {
	name string
	node *Node
}

func (i nodeInfo) Name() string               { return i.name }
func (i nodeInfo) Size() int64                { return i.node.Size }
func (i nodeInfo) ModTime() time.Time         { return time.Unix(i.node.ModTime, 0) }
func (i nodeInfo) IsDir() bool                { return i.node.Kind == Dir }
func (i nodeInfo) Sys() any                   { return i.node }
func (i nodeInfo) Info() (fs.FileInfo, error) { return i, nil }
func (i nodeInfo) Type() fs.FileMode          { return i.Mode().Type() }

func (i nodeInfo) Mode() fs.FileMode {
	m := fs.FileMode(i.node.Mode & 0o777)
	for bit, to := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if i.node.Mode&bit != 0 {
			m |= to
		}
	}
	return m | map[Kind]fs.FileMode{
		Dir: fs.ModeDir, Symlink: fs.ModeSymlink, CharDevice: fs.ModeDevice | fs.ModeCharDevice,
		BlockDevice: fs.ModeDevice, FIFO: fs.ModeNamedPipe, Socket: fs.ModeSocket,
	}[i.node.Kind]
}

type openFile struct {
	info    nodeInfo
	content io.ReadCloser // nil: empty
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

func (f *openFile) Read(b []byte) (int, error) {
	if f.content == nil {
		return 0, io.EOF
	}
	return f.content.Read(b)
}

func (f *openFile) Close() error {
	if f.content == nil {
		return nil
	}
	return f.content.Close()
}

type openDir struct {
	info nodeInfo
	done int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	names := d.info.node.Names()[d.done:]
	if n > 0 && len(names) == 0 {
		return nil, io.EOF
	}
	if n > 0 {
		names = names[:min(n, len(names))]
	}
	d.done += len(names)
	out := make([]fs.DirEntry, len(names))
	for i, name := range names {
		c := d.info.node.Child(name)
		if c.Link != nil {
			c = c.Link
		}
		out[i] = nodeInfo{name, c}
	}
	return out, nil
}
