package repo

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// cacheDir has objects of an archive that were unpacked for checkouts in user mode:
// XX/REST.file, without setuid and setgid.
const cacheDir = "uncompressed-objects-cache"

// objectCache is the open folder of unpacked objects. nil is none.
type objectCache struct{ fd, tmp int }

// openCache opens the folder of unpacked objects. There is none when the configuration
// says so, or when this user may not write to the repository.
func (r *Repo) openCache() (*objectCache, error) {
	if on, err := r.config.flag("core.enable-uncompressed-cache", true); err != nil || !on {
		return nil, err
	}
	if unix.Faccessat(unix.AT_FDCWD, r.file("objects"), unix.W_OK, unix.AT_EACCESS) != nil {
		return nil, nil
	}
	if err := unix.Mkdir(r.file(cacheDir), 0o775); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, err
	}
	fd, err := unix.Open(r.file(cacheDir), openDir, 0)
	if err != nil {
		return nil, err
	}
	tmp, err := unix.Open(r.file("tmp"), openDir, 0)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &objectCache{fd, tmp}, nil
}

func (k *objectCache) close() {
	if k != nil {
		unix.Close(k.fd)
		unix.Close(k.tmp)
	}
}

// has tells whether an object is there, whole: a crash may have cut it short.
func (k *objectCache) has(name string, size int64) bool {
	var st unix.Stat_t
	err := unix.Fstatat(k.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size == size
}

// cached writes a file by way of the unpacked objects.
func (c *checkout) cached(f *folder, e ostree.FileEntry) error {
	h, rc, err := c.r.OpenFile(e.Checksum)
	if err != nil {
		return err
	}
	defer rc.Close()
	if h.IsLink() || c.mustCopy(&glance{mode: h.Mode, size: h.Size}) {
		return c.write(f, e, h, rc)
	}
	s := e.Checksum.String()
	name := s[:2] + "/" + s[2:] + ".file"
	isNew := !c.cache.has(name, h.Size)
	if isNew {
		if err := c.unpack(name, e, h, rc); err != nil {
			return err
		}
	}
	done, err := c.linkTo(f, e, c.cache.fd, name)
	if err != nil && isNew {
		return c.failed(StepUnpacked, e.Checksum, e.Name, err)
	}
	if done || err != nil {
		return err
	}
	return c.copy(f, e)
}

// unpack puts an object into the cache.
func (c *checkout) unpack(name string, e ostree.FileEntry, h *ostree.File, content io.Reader) error {
	t, err := newTemp(c.cache.tmp)
	if err != nil {
		return err
	}
	defer t.close()
	if err := c.fill(t.fd, h, nil, content); err != nil {
		return c.copied(e, err)
	}
	err = t.linkInto(c.cache.fd, name)
	if errors.Is(err, unix.ENOENT) {
		if err := unix.Mkdirat(c.cache.fd, name[:2], 0o777); err != nil && !errors.Is(err, unix.EEXIST) {
			return c.copied(e, errSystem("mkdirat", err))
		}
		err = t.linkInto(c.cache.fd, name)
	}
	if errors.Is(err, unix.EEXIST) {
		if c.cache.has(name, h.Size) {
			return nil // somebody else has unpacked it
		}
		if err := unix.Unlinkat(c.cache.fd, name, 0); err != nil {
			return c.copied(e, errSystem("unlinkat", err))
		}
		err = t.linkInto(c.cache.fd, name)
	}
	return c.copied(e, err)
}
