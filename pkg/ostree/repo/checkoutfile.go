package repo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/filetree"
	"github.com/treewright/treewright/pkg/ostree"
)

// LinkModeError tells that files had to be hard links and that the repository's mode
// has none in such a checkout.
type LinkModeError struct {
	Mode     ostree.Mode
	UserMode bool
}

func (e *LinkModeError) Error() string {
	kind := "with owners"
	if e.UserMode {
		kind = "in user mode"
	}
	return fmt.Sprintf("a repository of mode %s has no hard links for a checkout %s: %v", e.Mode, kind, ostree.ErrUnsupported)
}

func (e *LinkModeError) Unwrap() error { return ostree.ErrUnsupported }

// file writes a file or link of the tree.
func (c *checkout) file(f *folder, e ostree.FileEntry) error {
	if c.o.Skip != nil && c.o.Skip(f.path+e.Name) {
		return nil
	}
	if c.o.Devices {
		if done, err := c.device(f, e); done || err != nil {
			return err
		}
	}
	if c.cache != nil {
		return c.cached(f, e)
	}
	if !c.o.Copy {
		if done, err := c.link(f, e); done || err != nil {
			return err
		}
	}
	return c.copy(f, e)
}

// glance is what there is to know of an object before it can be linked.
type glance struct {
	mode uint32 // with the type
	size int64
}

func (g *glance) isLink() bool { return g.mode&unix.S_IFMT == unix.S_IFLNK }

// mustCopy tells whether a file is copied also where others are links. Empty files are
// many, and a file system bounds the links to one; a file that its owner may not read
// gets another mode.
func (c *checkout) mustCopy(g *glance) bool {
	return !g.isLink() && (g.size == 0 || c.o.UserMode && g.mode&0o400 == 0)
}

// holder is the repository that an object lies in: this one, or one above.
func (r *Repo) holder(t ostree.ObjectType, c ostree.Checksum) *Repo {
	for r.parent != nil && !r.own(t, c) {
		r = r.parent
	}
	return r
}

// glance looks at an object of a repository of one of the bare modes.
func (r *Repo) glance(sum ostree.Checksum) (g glance, err error) {
	p := r.objectPath(ostree.TypeFile, sum)
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		return g, objectError(ostree.TypeFile, sum, err)
	}
	g = glance{mode: st.Mode, size: st.Size}
	if r.mode != ostree.ModeBareUser {
		return g, nil
	}
	meta, err := getXattr(p, bareMetaXattr)
	if err == nil && len(meta) < 12 {
		err = fmt.Errorf("attribute %s of %d bytes: %w", bareMetaXattr, len(meta), ostree.ErrCorrupt)
	}
	if err != nil {
		return g, objectError(ostree.TypeFile, sum, err)
	}
	g.mode = binary.BigEndian.Uint32(meta[8:])
	return g, nil
}

// link makes a hard link to the object, and tells whether it could.
func (c *checkout) link(f *folder, e ostree.FileEntry) (bool, error) {
	r := c.r.holder(ostree.TypeFile, e.Checksum)
	possible := r.mode != ostree.ModeArchive && r.mode != ostree.ModeSplitXattrs && (r.mode == ostree.ModeBareUserOnly || c.o.UserMode == (r.mode == ostree.ModeBareUser))
	if !possible && !c.o.RequireLinks {
		return false, nil
	}
	if r.mode == ostree.ModeArchive || r.mode == ostree.ModeSplitXattrs {
		return false, &LinkModeError{r.mode, c.o.UserMode}
	}
	g, err := r.glance(e.Checksum)
	if err != nil || c.mustCopy(&g) {
		return false, err
	}
	if !possible {
		return false, &LinkModeError{r.mode, c.o.UserMode}
	}
	if g.isLink() && r.mode != ostree.ModeBare {
		return false, nil // they keep none of what is in the object
	}
	return c.linkTo(f, e, unix.AT_FDCWD, r.objectPath(ostree.TypeFile, e.Checksum))
}

// linkTo links to a file that holds the object. It tells whether the object is in its
// place; if not, a copy may be.
func (c *checkout) linkTo(f *folder, e ostree.FileEntry, dir int, name string) (bool, error) {
	err := unix.Linkat(dir, name, f.fd, e.Name, 0)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.EEXIST):
		return c.linkOver(f, e, dir, name)
	case cannotLink(err) && !c.o.RequireLinks:
		return false, nil
	}
	if cannotLink(err) {
		return false, c.across(f, e, dir, name)
	}
	return false, c.failed(StepLink, e.Checksum, e.Name, err)
}

// across names the devices that a link would have joined.
func (c *checkout) across(f *folder, e ostree.FileEntry, dir int, name string) error {
	var from, to unix.Stat_t
	if err := errors.Join(unix.Fstatat(dir, name, &from, unix.AT_SYMLINK_NOFOLLOW), unix.Fstat(f.fd, &to)); err != nil {
		return err
	}
	return &CheckoutError{StepAcross, e.Checksum, fmt.Sprintf("(src=%d destination=%d)", from.Dev, to.Dev), unix.EXDEV}
}

// cannotLink tells whether a copy helps where a hard link failed: on another file
// system, with too many links, or with the object of another user.
func cannotLink(err error) bool {
	return errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.EPERM)
}

// copy writes what is in the object.
func (c *checkout) copy(f *folder, e ostree.FileEntry) error {
	h, rc, err := c.r.OpenFile(e.Checksum)
	if err != nil {
		return err
	}
	defer rc.Close()
	return c.write(f, e, h, rc)
}

// write writes a file or link whose header and content are at hand.
func (c *checkout) write(f *folder, e ostree.FileEntry, h *ostree.File, content io.Reader) error {
	xattrs, err := c.xattrs(h.Xattrs, f.path+e.Name, h.Mode)
	if err != nil {
		return err
	}
	if h.IsLink() {
		return c.symlink(f, e, h, xattrs)
	}
	return c.regular(f, e, h, xattrs, content)
}

// xattrs is the list of attributes that a file or folder gets.
func (c *checkout) xattrs(list []filetree.Xattr, at string, mode uint32) ([]filetree.Xattr, error) {
	if c.o.UserMode {
		return nil, nil
	}
	if c.o.Label == nil {
		return list, nil
	}
	label, ok, err := c.o.Label(path.Clean("/"+c.o.LabelPrefix+"/"+c.within+at), mode)
	if err != nil || !ok {
		return list, err
	}
	var out []filetree.Xattr
	for _, x := range list {
		if x.Name != labelXattr {
			out = append(out, x)
		}
	}
	return append(out, filetree.Xattr{Name: labelXattr, Value: []byte(label)}), nil
}

// labelXattr is where SELinux has a file's label.
const labelXattr = "security.selinux"

// mode is that of a file in this checkout.
func (c *checkout) mode(h *ostree.File) uint32 {
	mode := h.Mode & 0o7777
	if c.o.UserMode {
		mode = mode&^0o6000 | 0o400
	}
	return mode
}

// fill writes content, owner, mode and attributes to a new file that nobody else sees.
func (c *checkout) fill(fd int, h *ostree.File, xattrs []filetree.Xattr, content io.Reader) error {
	if err := c.pools.copyTo(fd, content, h.Size); err != nil {
		return err
	}
	if !c.o.UserMode { // this clears setuid and capabilities, so they come behind
		if err := unix.Fchown(fd, int(h.UID), int(h.GID)); err != nil {
			return errSystem("fchown", err)
		}
	}
	if err := unix.Fchmod(fd, c.mode(h)); err != nil {
		return errSystem("fchmod", err)
	}
	return setXattrs(fd, "", xattrs)
}
