package repo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// CheckoutError tells where in a checkout something could not be put in its place. Err
// is the number of the system's error, or an [*os.SyscallError], [*os.LinkError] or
// [*os.PathError] that says more.
type CheckoutError struct {
	Step   CheckoutStep
	Object ostree.Checksum // of StepLink, StepCopy, StepUnpacked
	Name   string          // in its folder
	Err    error
}

// CheckoutStep is what was to be done.
type CheckoutStep string

// The steps.
const (
	StepMkdir    CheckoutStep = "make folder"
	StepOpenDir  CheckoutStep = "open folder"
	StepFinish   CheckoutStep = "finish folder"
	StepLink     CheckoutStep = "link to object"
	StepCopy     CheckoutStep = "copy object"
	StepUnpacked CheckoutStep = "link to unpacked object"
	StepReplace  CheckoutStep = "replace"                  // a file by a link to an object
	StepAcross   CheckoutStep = "link to object elsewhere" // on another file system
	StepDevice   CheckoutStep = "make device"
	StepDelete   CheckoutStep = "delete"
)

func (e *CheckoutError) Error() string {
	if e.Step == StepLink || e.Step == StepCopy || e.Step == StepUnpacked {
		return fmt.Sprintf("%s %s as %s: %v", e.Step, e.Object, e.Name, e.Err)
	}
	return fmt.Sprintf("%s %s: %v", e.Step, e.Name, e.Err)
}

func (e *CheckoutError) Unwrap() error { return e.Err }

func (c *checkout) failed(step CheckoutStep, sum ostree.Checksum, name string, err error) error {
	return &CheckoutError{step, sum, name, err}
}

func errSystem(call string, err error) error { return os.NewSyscallError(call, err) }

// regular writes a file. Where others can see the destination it comes whole.
func (c *checkout) regular(f *folder, e ostree.FileEntry, h *ostree.File, xattrs []filetree.Xattr, content io.Reader) error {
	if c.private {
		fd, err := unix.Openat(f.fd, e.Name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return c.failed(StepCopy, e.Checksum, e.Name, errSystem("openat", err))
		}
		defer unix.Close(fd)
		return c.copied(e, c.fill(fd, h, xattrs, content))
	}
	if there, err := c.keeps(f, e, h, xattrs); there || err != nil {
		return err
	}
	t, err := newTemp(f.fd)
	if err != nil {
		return c.failed(StepCopy, e.Checksum, e.Name, err)
	}
	defer t.close()
	if err := c.fill(t.fd, h, xattrs, content); err != nil {
		return c.copied(e, err)
	}
	if c.o.Overwrite == OverwriteFiles {
		return c.copied(e, t.replace(e.Name))
	}
	return c.copied(e, t.link(e.Name))
}

// copied names the file that an error of copying is about. What is wrong with the
// object itself is said of the object.
func (c *checkout) copied(e ostree.FileEntry, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ostree.ErrCorrupt):
		return objectError(ostree.TypeFile, e.Checksum, err)
	}
	return c.failed(StepCopy, e.Checksum, e.Name, err)
}

// keeps tells whether what is there stays.
func (c *checkout) keeps(f *folder, e ostree.FileEntry, h *ostree.File, xattrs []filetree.Xattr) (bool, error) {
	if c.o.Overwrite != OverwriteAdd && c.o.Overwrite != OverwriteIdentical {
		return false, nil
	}
	var st unix.Stat_t
	err := unix.Fstatat(f.fd, e.Name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil || c.o.Overwrite == OverwriteAdd {
		return err == nil, err
	}
	same, err := c.sameAsCopy(f, e, h, xattrs, &st)
	if err == nil && !same {
		call := "linkat"
		if h.IsLink() {
			call = "symlinkat"
		}
		err = c.failed(StepCopy, e.Checksum, e.Name, errSystem(call, unix.EEXIST))
	}
	return true, err
}

// sameAsCopy tells whether a file is what a copy of the object would be.
func (c *checkout) sameAsCopy(f *folder, e ostree.FileEntry, h *ostree.File, xattrs []filetree.Xattr, st *unix.Stat_t) (bool, error) {
	if st.Mode&unix.S_IFMT != h.Mode&unix.S_IFMT {
		return false, nil
	}
	if h.IsLink() {
		target, err := readlinkAt(f.fd, e.Name)
		return target == h.Target, err
	}
	uid, gid := h.UID, h.GID
	if c.o.UserMode {
		uid, gid = uint32(os.Geteuid()), uint32(os.Getegid())
	}
	owned := c.r.mode != ostree.ModeBareUserOnly
	if st.Size != h.Size || st.Mode&0o7777 != c.mode(h) || owned && (st.Uid != uid || st.Gid != gid) {
		return false, nil
	}
	p := procName(f.fd, e.Name)
	if owned {
		there, err := ReadXattrs(p)
		if err != nil || !(&ostree.File{Xattrs: there}).Equal(&ostree.File{Xattrs: xattrs}) {
			return false, err
		}
	}
	_, rc, err := c.r.OpenFile(e.Checksum)
	if err != nil {
		return false, err
	}
	defer rc.Close()
	return sameContent(p, rc)
}

// symlink makes a link.
func (c *checkout) symlink(f *folder, e ostree.FileEntry, h *ostree.File, xattrs []filetree.Xattr) error {
	name := e.Name
	if there, err := c.keeps(f, e, h, xattrs); there || err != nil {
		return err
	}
	err := unix.Symlinkat(h.Target, f.fd, name)
	over := errors.Is(err, unix.EEXIST) && c.o.Overwrite == OverwriteFiles
	if over {
		name = tempName()
		err = unix.Symlinkat(h.Target, f.fd, name)
	}
	if err != nil {
		return c.copied(e, errSystem("symlinkat", err))
	}
	if !c.o.UserMode {
		if err := unix.Fchownat(f.fd, name, int(h.UID), int(h.GID), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return c.copied(e, errSystem("fchownat", err))
		}
	}
	if len(xattrs) > 0 {
		if err := writeXattrs(procName(f.fd, name), xattrs); err != nil {
			return c.copied(e, err)
		}
	}
	if !over {
		return nil
	}
	if err := unix.Renameat(f.fd, name, f.fd, e.Name); err != nil {
		unix.Unlinkat(f.fd, name, 0)
		return c.copied(e, &os.PathError{Op: "unlinkat", Path: e.Name, Err: err})
	}
	return nil
}

// linkOver decides what becomes of a file in whose place a hard link should be.
func (c *checkout) linkOver(f *folder, e ostree.FileEntry, dir int, object string) (bool, error) {
	if c.o.Overwrite == OverwriteAdd {
		return true, nil
	}
	if c.o.Overwrite != OverwriteNothing {
		if same, err := c.sameFile(f.fd, e.Name, dir, object); same || err != nil {
			return true, err
		}
	}
	if c.o.Overwrite != OverwriteFiles {
		return false, c.failed(StepLink, e.Checksum, e.Name, unix.EEXIST)
	}
	tmp := tempName()
	err := unix.Linkat(dir, object, f.fd, tmp, 0)
	if cannotLink(err) && !c.o.RequireLinks {
		return false, nil
	}
	if err != nil {
		return false, c.failed(StepLink, e.Checksum, e.Name, err)
	}
	if err := unix.Renameat(f.fd, tmp, f.fd, e.Name); err != nil {
		unix.Unlinkat(f.fd, tmp, 0)
		return false, c.failed(StepReplace, e.Checksum, e.Name, &os.LinkError{Op: "renameat", Old: tmp, New: e.Name, Err: err})
	}
	return true, nil
}

// sameFile tells whether a file has the same inode as an object, or else owner, mode,
// attributes and content. In user-only repositories owner and attributes don't count.
func (c *checkout) sameFile(dir int, name string, objects int, object string) (bool, error) {
	var a, b unix.Stat_t
	if err := errors.Join(unix.Fstatat(objects, object, &a, unix.AT_SYMLINK_NOFOLLOW), unix.Fstatat(dir, name, &b, unix.AT_SYMLINK_NOFOLLOW)); err != nil {
		return false, err
	}
	if a.Dev == b.Dev && a.Ino == b.Ino {
		return true, nil
	}
	if a.Mode != b.Mode || a.Uid != b.Uid || a.Gid != b.Gid || a.Size != b.Size {
		return false, nil
	}
	p, q := procName(objects, object), procName(dir, name)
	if c.r.xattrs && c.r.mode != ostree.ModeBareUserOnly {
		if same, err := sameXattrs(p, q); err != nil || !same {
			return false, err
		}
	}
	if a.Mode&unix.S_IFMT == unix.S_IFLNK {
		s, err := os.Readlink(p)
		t, err2 := os.Readlink(q)
		return s == t, errors.Join(err, err2)
	}
	r, err := os.Open(p)
	if err != nil {
		return false, err
	}
	defer r.Close()
	return sameContent(q, r)
}

// sameXattrs compares all attributes but the one that is an object's only.
func sameXattrs(p, q string) (bool, error) {
	var lists [2]ostree.File
	for i, at := range []string{p, q} {
		all, err := ReadXattrs(at)
		if err != nil {
			return false, err
		}
		for _, x := range all {
			if x.Name != bareMetaXattr {
				lists[i].Xattrs = append(lists[i].Xattrs, x)
			}
		}
	}
	return lists[0].Equal(&lists[1]), nil
}

// sameContent compares a file with what is read.
func sameContent(path string, r io.Reader) (bool, error) {
	f, _, err := openRegular(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(f, a)
		m, err2 := io.ReadFull(r, b)
		if n != m || !bytes.Equal(a[:n], b[:m]) {
			return false, nil
		}
		if n < len(a) {
			for _, err := range []error{err, err2} {
				if err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
					return false, err
				}
			}
			return true, nil
		}
	}
}

func readlinkAt(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buf)
	return string(buf[:max(n, 0)]), err
}

// procName is a path to a name in an open folder, for calls that know no descriptors.
func procName(dir int, name string) string {
	if dir == unix.AT_FDCWD {
		return name
	}
	return "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name
}

// tempName is a name that nobody else uses.
func tempName() string { return ".checkout-" + strconv.FormatUint(rand.Uint64(), 36) }

// temp is a file that has no name yet, or one that nobody looks for.
type temp struct {
	dir, fd int
	name    string // "": none
}

// newTemp makes a file in a folder.
func newTemp(dir int) (*temp, error) {
	fd, err := unix.Openat(dir, ".", unix.O_WRONLY|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return &temp{dir: dir, fd: fd}, nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EINVAL) {
		return nil, errSystem("openat", err)
	}
	name := tempName() // not every file system has files without a name
	fd, err = unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	return &temp{dir, fd, name}, errSystem("openat", err)
}

// link gives the file a name that nothing has.
func (t *temp) link(name string) error {
	if t.name != "" {
		return errSystem("linkat", unix.Linkat(t.dir, t.name, t.dir, name, 0))
	}
	return t.linkInto(t.dir, name)
}

// linkInto gives a file without a name one in another folder.
func (t *temp) linkInto(dir int, name string) error {
	if t.name != "" {
		return errSystem("linkat", unix.Linkat(t.dir, t.name, dir, name, 0))
	}
	return errSystem("linkat", unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(t.fd), dir, name, unix.AT_SYMLINK_FOLLOW))
}

// replace puts the file in the place of another one.
func (t *temp) replace(name string) error {
	err := t.link(name)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if t.name == "" {
		tmp := tempName()
		if err := t.link(tmp); err != nil {
			return err
		}
		t.name = tmp
	}
	if err := unix.Renameat(t.dir, t.name, t.dir, name); err != nil {
		return &os.LinkError{Op: "renameat", Old: "./" + t.name, New: name, Err: err}
	}
	t.name = ""
	return nil
}

func (t *temp) close() {
	unix.Close(t.fd)
	if t.name != "" {
		unix.Unlinkat(t.dir, t.name, 0)
	}
}
