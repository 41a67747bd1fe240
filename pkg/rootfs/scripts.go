package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/rootfs/sandbox"
)

// runScripts writes the tree to disk when something must run in it, runs that, and
// takes back what it changed.
func (a *assembly) runScripts() error {
	kernel, err := a.kernelScripts()
	if err != nil {
		return err
	}
	scripts := append(a.o.Scripts, kernel...)
	if len(scripts) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp(a.o.WorkDir, "root-*")
	if err != nil {
		return err
	}
	defer removeTree(dir)
	a.o.Step("writing the tree for scripts")
	known, err := a.materialise(dir)
	if err != nil {
		return err
	}
	for _, s := range scripts {
		a.o.Step("running " + s.Name)
		if err := a.runScript(dir, s); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	a.o.Step("reading back what scripts changed")
	return a.takeBack(dir, known)
}

// removeTree removes a folder in which some may be read-only.
func removeTree(dir string) {
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	os.RemoveAll(dir)
}

// runScript runs one script with the tree as its root.
func (a *assembly) runScript(dir string, s Script) error {
	const name = "usr/bin/.treewright-script"
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, s.Body, 0o755); err != nil {
		return err
	}
	err := sandbox.Run(a.ctx, sandbox.Options{
		Root: dir, Args: []string{"/" + name}, Env: []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", a.o.Time)}, Stdout: a.o.Output,
	})
	return errors.Join(err, os.Remove(file))
}

// written is how a file was left on disk, by which a change is seen.
type written struct {
	node *filetree.Node
	ino  uint64
	mode uint32
	size int64
}

// materialise writes the tree below dir, content in parallel. Owners are left out:
// inside, all belongs to root.
func (a *assembly) materialise(dir string) (map[string]written, error) {
	known := map[string]written{}
	type file struct {
		path string
		node *filetree.Node
	}
	var files []file
	err := a.root.Walk(func(p string, n *filetree.Node) error {
		full := filepath.Join(dir, p)
		switch n.Kind {
		case filetree.Dir:
			if p == "" {
				return os.Chmod(full, 0o755)
			}
			return os.Mkdir(full, 0o755)
		case filetree.Symlink:
			return os.Symlink(n.Target, full)
		}
		files = append(files, file{full, n})
		return nil
	})
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(a.ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range files {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return writeFile(f.path, f.node)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return known, a.root.Walk(func(p string, n *filetree.Node) error {
		full := filepath.Join(dir, p)
		if n.Kind == filetree.Dir {
			// The owner of the process must be able to work in it.
			if err := unix.Chmod(full, n.Mode|0o700); err != nil {
				return err
			}
		}
		var st unix.Stat_t
		if err := unix.Lstat(full, &st); err != nil {
			return err
		}
		known[p] = written{n, st.Ino, st.Mode, st.Size}
		return nil
	})
}

func writeFile(path string, n *filetree.Node) (err error) {
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
	return errors.Join(unix.Fchmod(int(f.Fd()), n.Mode|0o400), unix.Futimes(int(f.Fd()), []unix.Timeval{{}, {}}))
}

// mountPoints belong to the sandbox.
var mountPoints = map[string]bool{"proc": true, "sys": true, "dev": true, "tmp": true, "run": true, "var": true}

// takeBack brings the tree in line with what is on disk now.
func (a *assembly) takeBack(dir string, known map[string]written) error {
	seen := map[string]bool{}
	err := filepath.WalkDir(dir, func(full string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		p, err := filepath.Rel(dir, full)
		if err != nil {
			return err
		}
		if p == "." {
			return nil
		}
		p = filepath.ToSlash(p)
		if mountPoints[p] {
			return fs.SkipDir
		}
		seen[p] = true
		return a.takeBackOne(p, full, known)
	})
	if err != nil {
		return err
	}
	for p := range known {
		top, _, _ := strings.Cut(p, "/")
		if p != "" && !seen[p] && !mountPoints[top] {
			a.root.Remove(p)
		}
	}
	return nil
}

// takeBackOne compares one path with what was written.
func (a *assembly) takeBackOne(p, full string, known map[string]written) error {
	var st unix.Stat_t
	if err := unix.Lstat(full, &st); err != nil {
		return err
	}
	k, was := known[p]
	if was && k.ino == st.Ino && k.mode == st.Mode && k.size == st.Size && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mtim.Sec == 0) {
		return nil
	}
	if was && st.Mode&unix.S_IFMT == unix.S_IFDIR && k.node.Kind == filetree.Dir {
		if k.mode != st.Mode {
			k.node.Mode = st.Mode & 0o7777
		}
		return nil
	}
	n, err := a.nodeOf(full, &st)
	if err != nil || n == nil {
		return err
	}
	if was { // a file that is written anew keeps its owner and attributes
		n.UID, n.GID, n.Xattrs = k.node.UID, k.node.GID, k.node.Xattrs
		if k.mode == st.Mode {
			n.Mode = k.node.Mode
		}
		if n.Kind == filetree.File && k.node.Kind == filetree.File && n.Digest == k.node.Digest && n.Mode == k.node.Mode {
			return nil
		}
	}
	return a.root.Put(p, n)
}

// nodeOf reads a file that a script made. Its content is kept in memory: the folder
// is removed.
func (a *assembly) nodeOf(full string, st *unix.Stat_t) (*filetree.Node, error) {
	mode := st.Mode & 0o7777
	switch st.Mode & unix.S_IFMT {
	case syscall.S_IFDIR:
		return filetree.NewDir(mode), nil
	case syscall.S_IFLNK:
		target, err := os.Readlink(full)
		return filetree.NewSymlink(target), err
	case syscall.S_IFREG:
		b, err := os.ReadFile(full)
		if err != nil {
			return nil, err
		}
		return filetree.Bytes(b, mode), nil
	}
	return nil, nil // a socket or the like
}
