package repo

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// Names of files that stand for something deleted: in layers of container images, and
// in commits that are to be lower layers of an overlayfs.
const (
	deletionPrefix = ".wh."
	opaqueName     = ".wh..wh..opq"
	devicePrefix   = ".ostree-wh."
)

// ErrEmptyWhiteout is a file that deletes nothing.
var ErrEmptyWhiteout = fmt.Errorf("whiteout %q names no file: %w", deletionPrefix, ostree.ErrMalformed)

// opaque deletes a folder that is there when the one of the tree says so.
func (c *checkout) opaque(up *folder, name string, dt *ostree.DirTree) error {
	if _, ok := dt.File(opaqueName); !ok || up == nil && c.private {
		return nil
	}
	return c.delete(fdOf(up), name)
}

// deletions deletes what files of the tree tell, and returns the other files.
func (c *checkout) deletions(f *folder, files []ostree.FileEntry) ([]ostree.FileEntry, error) {
	var rest []ostree.FileEntry
	for _, e := range files {
		name, ok := strings.CutPrefix(e.Name, deletionPrefix)
		if ok && (c.o.Skip == nil || !c.o.Skip(f.path+e.Name)) {
			link, err := c.isLink(e.Checksum)
			if err != nil {
				return nil, err
			}
			ok = !link
		}
		switch {
		case !ok:
			rest = append(rest, e)
		case e.Name == opaqueName:
		case name == "":
			return nil, ErrEmptyWhiteout
		default:
			if err := c.delete(f.fd, name); err != nil {
				return nil, err
			}
		}
	}
	return rest, nil
}

func (c *checkout) delete(dir int, name string) error {
	if err := unix.Unlinkat(dir, name, 0); err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if name == "." || name == ".." {
		return c.failed(StepDelete, ostree.Checksum{}, name, unix.EINVAL)
	}
	if err := os.RemoveAll(procName(dir, name)); err != nil {
		return c.failed(StepDelete, ostree.Checksum{}, name, errnoOf(err))
	}
	return nil
}

// isLink tells whether an object is a link.
func (c *checkout) isLink(sum ostree.Checksum) (bool, error) {
	h, err := c.r.StatFile(sum)
	return err == nil && h.IsLink(), err
}

// device makes the device that a file stands for, and tells whether it stands for one.
func (c *checkout) device(f *folder, e ostree.FileEntry) (bool, error) {
	name, ok := strings.CutPrefix(e.Name, devicePrefix)
	if !ok || name == "" {
		return false, nil
	}
	h, err := c.r.StatFile(e.Checksum)
	if err != nil || h.IsLink() {
		return false, err
	}
	xattrs, err := c.xattrs(h.Xattrs, f.path+name, unix.S_IFCHR|h.Mode&0o7777)
	if err != nil {
		return false, err
	}
	err = unix.Mknodat(f.fd, name, unix.S_IFCHR|h.Mode&0o777, 0)
	if errors.Is(err, unix.EEXIST) {
		switch c.o.Overwrite {
		case OverwriteAdd:
			return true, nil
		case OverwriteIdentical:
			return true, c.sameDevice(f, name, h, xattrs)
		case OverwriteFiles:
			if err := unix.Unlinkat(f.fd, name, 0); err != nil {
				return false, c.failed(StepReplace, e.Checksum, name, &os.PathError{Op: "unlink", Path: name, Err: err})
			}
			err = unix.Mknodat(f.fd, name, unix.S_IFCHR|h.Mode&0o777, 0)
		}
	}
	if err == nil && !c.o.UserMode {
		err = unix.Fchownat(f.fd, name, int(h.UID), int(h.GID), unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil {
		err = unix.Fchmodat(f.fd, name, h.Mode&0o7777, 0)
	}
	if err == nil {
		err = writeXattrs(procName(f.fd, name), xattrs)
	}
	if err != nil {
		return false, c.failed(StepDevice, e.Checksum, name, err)
	}
	return true, nil
}

// DifferentDeviceError tells that there is something else in the place of a device.
type DifferentDeviceError struct {
	Name  string
	Field string // mode, uid, gid or xattrs
	Want  string // its value; "" of xattrs
}

func (e *DifferentDeviceError) Error() string {
	return fmt.Sprintf("%s is there and has another %s", e.Name, e.Field)
}

// sameDevice compares what is in the place of a device with it.
func (c *checkout) sameDevice(f *folder, name string, h *ostree.File, xattrs []filetree.Xattr) error {
	var st unix.Stat_t
	if err := unix.Fstatat(f.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return c.failed(StepDevice, ostree.Checksum{}, name, err)
	}
	there, err := ReadXattrs(procName(f.fd, name))
	if err != nil {
		return err
	}
	switch {
	case !c.o.UserMode && !(&ostree.File{Xattrs: there}).Equal(&ostree.File{Xattrs: xattrs}):
		return &DifferentDeviceError{name, "xattrs", ""}
	case !c.o.UserMode && st.Gid != h.GID:
		return &DifferentDeviceError{name, "gid", fmt.Sprint(h.GID)}
	case !c.o.UserMode && st.Uid != h.UID:
		return &DifferentDeviceError{name, "uid", fmt.Sprint(h.UID)}
	case st.Mode&0o7777 != h.Mode&0o7777:
		return &DifferentDeviceError{name, "mode", fmt.Sprint(h.Mode)}
	case st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != 0:
		return c.failed(StepDevice, ostree.Checksum{}, name, unix.EEXIST)
	}
	return nil
}
