package rootfs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/digest"
	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
)

// disk is the tree on disk, for programs to run in. Owners and attributes are left
// out: inside, all belongs to root.
//
// Where overlays can be mounted the tree is never written to: files that lie on disk
// elsewhere are hard links to there, and what programs change is in the overlay.
type disk struct {
	dir     string
	root    string
	overlay string // "": programs change root itself
	known   map[string]written
}

// written is how a path was left on disk, by which a change is seen.
type written struct {
	node *filetree.Node
	mode uint32
	ino  uint64
	size int64
}

// A linker is content that lies on disk as a file of its own.
type linker interface {
	// Link makes a hard link to it, if the file has that mode and the file system
	// allows it.
	Link(path string, mode uint32) (bool, error)
}

// onDisk writes the tree.
func (a *assembly) onDisk() (d *disk, err error) {
	a.o.Step("writing the tree for scripts")
	dir, err := os.MkdirTemp(a.o.WorkDir, "root-*")
	if err != nil {
		return nil, err
	}
	a.dirs = append(a.dirs, dir)
	d = &disk{dir: dir, root: filepath.Join(dir, "root"), known: map[string]written{}}
	switch err := sandbox.CheckOverlay(a.ctx, dir); {
	case err == nil:
		d.overlay = filepath.Join(dir, "overlay")
	case !errors.Is(err, sandbox.ErrNoOverlay):
		return nil, err
	}
	for _, name := range []string{"root", "var/lib/rpm-state", "var/tmp", "var/cache", "var/log"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(filepath.Join(dir, "var/tmp"), 0o1777); err != nil {
		return nil, err
	}
	for _, l := range a.varLines { // scripts find what packages have in /var
		if l.kind == "d" && strings.HasPrefix(l.path, "/var/") && l.path != "/var/lib/alternatives" {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Clean(l.path)), 0o755); err != nil {
				return nil, err
			}
		}
	}
	if a.root.Lookup(alternatives) != nil {
		if err := os.Symlink("../../"+alternatives, filepath.Join(dir, "var/lib/alternatives")); err != nil {
			return nil, err
		}
	}
	if a.root.Lookup("etc/selinux") != nil {
		if err := os.Symlink("../../etc/selinux", filepath.Join(dir, "var/lib/selinux")); err != nil {
			return nil, err
		}
	}
	if err := d.write(a.ctx, a.root); err != nil {
		return nil, err
	}
	for _, name := range []string{"root", "home", "srv", "mnt", "media"} { // the layout makes them links
		if err := os.Mkdir(filepath.Join(d.root, name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return d, nil
}

// write writes folders and links, then files, several at once.
func (d *disk) write(ctx context.Context, root *filetree.Node) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	err := root.Walk(func(p string, n *filetree.Node) error {
		full := filepath.Join(d.root, p)
		switch n.Kind {
		case filetree.Dir:
			if p == "" {
				return os.Chmod(full, 0o755)
			}
			return os.Mkdir(full, 0o755)
		case filetree.Symlink:
			return os.Symlink(n.Target, full)
		}
		group.Go(func() error {
			if gctx.Err() != nil {
				return context.Cause(gctx)
			}
			return d.writeFile(full, n)
		})
		return nil
	})
	if failed := group.Wait(); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	return root.Walk(func(p string, n *filetree.Node) error {
		full := filepath.Join(d.root, p)
		if n.Kind == filetree.Dir && n.Mode != 0o755 && p != "" {
			if err := unix.Chmod(full, onDiskMode(n)); err != nil {
				return &fs.PathError{Op: "chmod", Path: full, Err: err}
			}
		}
		var st unix.Stat_t
		if d.overlay == "" { // else changes are told
			if err := unix.Lstat(full, &st); err != nil {
				return &fs.PathError{Op: "lstat", Path: full, Err: err}
			}
		}
		d.known[p] = written{n, onDiskMode(n), st.Ino, st.Size}
		return nil
	})
}

// onDiskMode is a node's mode, with what the owner of the process needs to work with it.
func onDiskMode(n *filetree.Node) uint32 {
	switch n.Kind {
	case filetree.Dir:
		return n.Mode | 0o700
	case filetree.Symlink:
		return 0o777
	}
	return n.Mode | 0o400
}

func (d *disk) writeFile(path string, n *filetree.Node) (err error) {
	if l, ok := n.From.(linker); ok && d.overlay != "" && n.Size > 0 {
		if done, err := l.Link(path, onDiskMode(n)); done || err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if n.Size > 0 {
		rc, err := n.From.Open()
		if err != nil {
			return err
		}
		_, err = io.Copy(f, rc)
		if err = errors.Join(err, rc.Close()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	// A time of 1970 tells later that nobody has written to it.
	return errors.Join(unix.Fchmod(int(f.Fd()), onDiskMode(n)), unix.Futimes(int(f.Fd()), []unix.Timeval{{}, {}}))
}

// read returns a file as programs see it now; nil when there is none.
func (d *disk) read(p string) ([]byte, error) {
	for _, top := range []string{filepath.Join(d.overlay, "upper"), d.root} {
		if d.overlay == "" && top != d.root {
			continue
		}
		b, err := os.ReadFile(filepath.Join(top, p))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return nil, nil
}

// run runs a program with the tree as its root. /var is one that lasts until the disk
// is gone, and is no part of the tree.
func (d *disk) run(ctx context.Context, o sandbox.Options) error {
	o.Root, o.Overlay, o.Users = d.root, d.overlay, sandbox.AllUsers
	o.Binds = append([]sandbox.Bind{{Source: filepath.Join(d.dir, "var"), Target: "var"}}, o.Binds...)
	return sandbox.Run(ctx, o)
}

// mountPoints belong to the sandbox.
var mountPoints = map[string]bool{"proc": true, "sys": true, "dev": true, "tmp": true, "run": true, "var": true}

// takeBack brings the tree in line with what is on disk now. No program can run there
// afterwards.
func (a *assembly) takeBack(d *disk) error {
	a.o.Step("reading back what scripts changed")
	changes, err := d.changes(a.ctx)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if mountPoints[topOf(c.Path)] {
			continue
		}
		if err := a.takeChange(d, c); err != nil {
			return fmt.Errorf("/%s: %w", c.Path, err)
		}
	}
	return nil
}

func topOf(p string) string {
	for i := range p {
		if p[i] == '/' {
			return p[:i]
		}
	}
	return p
}

// changes lists what programs changed.
func (d *disk) changes(ctx context.Context) ([]sandbox.Change, error) {
	if d.overlay != "" {
		return sandbox.Changes(ctx, d.overlay)
	}
	list, err := sandbox.Contents(ctx, d.root)
	if err != nil {
		return nil, err
	}
	var out []sandbox.Change
	seen := map[string]bool{"": true}
	for _, c := range list {
		seen[c.Path] = true
		if !d.same(c) {
			out = append(out, c)
		}
	}
	for p := range d.known {
		if !seen[p] {
			out = append(out, sandbox.Change{Path: p, Deleted: true})
		}
	}
	return out, nil
}

// same tells whether a path is as it was written.
func (d *disk) same(c sandbox.Change) bool {
	k, ok := d.known[c.Path]
	var st unix.Stat_t
	if !ok || c.Node.UID != 0 || c.Node.GID != 0 || unix.Lstat(filepath.Join(d.root, c.Path), &st) != nil {
		return false
	}
	return k.ino == st.Ino && k.mode == c.Node.Mode && (c.Node.Kind != filetree.File || k.size == st.Size && st.Mtim.Sec == 0)
}

// takeChange takes one change over. What is changed and not given to another user
// keeps its owner, and its attributes.
func (a *assembly) takeChange(d *disk, c sandbox.Change) error {
	k, was := d.known[c.Path]
	if c.Deleted {
		a.root.Remove(c.Path)
		return nil
	}
	n := c.Node
	if was && k.node.Kind == n.Kind {
		if k.mode == n.Mode {
			n.Mode = k.node.Mode
		}
		if n.UID == 0 && n.GID == 0 {
			n.UID, n.GID = k.node.UID, k.node.GID
		}
		if len(n.Xattrs) == 0 {
			n.Xattrs = k.node.Xattrs
		}
	}
	switch n.Kind {
	case filetree.Dir:
		return a.takeDir(c)
	case filetree.File:
		sum, err := sumOf(n)
		if err != nil {
			return err
		}
		n.Digest = sum
		if was && k.node.Kind == n.Kind && k.node.Digest == sum && k.node.Mode == n.Mode && k.node.UID == n.UID && k.node.GID == n.GID && len(k.node.Xattrs) == len(n.Xattrs) {
			return nil
		}
	}
	return a.root.Put(c.Path, n)
}

// takeDir takes a folder's mode and owner over; what is in it comes on its own.
func (a *assembly) takeDir(c sandbox.Change) error {
	if c.Path == "" {
		return nil
	}
	old := a.root.Lookup(c.Path)
	if old == nil || old.Kind != filetree.Dir || c.Opaque {
		return a.root.Put(c.Path, c.Node)
	}
	old.Mode, old.UID, old.GID = c.Node.Mode, c.Node.UID, c.Node.GID
	return nil
}

// sumOf reads a file for its digest.
func sumOf(n *filetree.Node) (digest.Digest, error) {
	rc, err := n.From.Open()
	if err != nil {
		return digest.Digest{}, err
	}
	defer rc.Close()
	h := sha256.New()
	if _, err := io.Copy(h, rc); err != nil {
		return digest.Digest{}, err
	}
	return digest.FromHash(digest.SHA256, h), nil
}
