package sandbox

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
)

// Walk calls fn for all below dir, by path, with what lstat says of it. It goes into
// folders that a program has closed to their owner, and leaves them open: no program
// should run there afterwards. fn may return [fs.SkipDir].
func Walk(dir string, fn func(p string, st *unix.Stat_t) error) error { return walk(dir, "", fn) }

func walk(dir, p string, fn func(p string, st *unix.Stat_t) error) error {
	entries, err := os.ReadDir(filepath.Join(dir, p))
	if err != nil {
		return err
	}
	for _, e := range entries {
		at := filepath.Join(p, e.Name())
		full := filepath.Join(dir, at)
		var st unix.Stat_t
		if err := unix.Lstat(full, &st); err != nil {
			return &os.PathError{Op: "lstat", Path: full, Err: err}
		}
		if err := fn(at, &st); err == fs.SkipDir {
			continue
		} else if err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		if st.Mode&0o700 != 0o700 {
			if err := unix.Chmod(full, st.Mode&0o7777|0o700); err != nil {
				return &os.PathError{Op: "chmod", Path: full, Err: err}
			}
		}
		if err := walk(dir, at, fn); err != nil {
			return err
		}
	}
	return nil
}

// ReadNode returns a file, folder or link on disk as a node of root's, without its time;
// nil for a socket or the like. Content stays on disk.
func ReadNode(path string) (*filetree.Node, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	n := &filetree.Node{Mode: st.Mode & 0o7777}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		n.Kind = filetree.Dir
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		return filetree.NewSymlink(target), err
	case unix.S_IFREG:
		n.Kind, n.Size, n.From = filetree.File, st.Size, diskFile(path)
		if caps := fileCaps(path); caps != nil {
			n.SetXattr(capsXattr, caps)
		}
	default:
		return nil, nil
	}
	return n, nil
}

const capsXattr = "security.capability"

// fileCaps reads file capabilities. Those that were set in a user namespace name the
// user who is root there (revision 3, 24 bytes); a tree has the plain form
// (revision 2, 20 bytes).
func fileCaps(path string) []byte {
	b := make([]byte, 24)
	n, err := unix.Lgetxattr(path, capsXattr, b)
	if err != nil || n < 20 {
		return nil
	}
	b[3] = 2 // the revision is the highest byte of a little-endian word
	return b[:20]
}

// diskFile is content on disk, of a file that its owner may have no right to read.
type diskFile string

func (f diskFile) Open() (io.ReadCloser, error) {
	r, err := os.Open(string(f))
	if !errors.Is(err, fs.ErrPermission) {
		return r, err
	}
	st, err := os.Lstat(string(f))
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(string(f), st.Mode()|0o400); err != nil {
		return nil, err
	}
	defer os.Chmod(string(f), st.Mode())
	return os.Open(string(f))
}
