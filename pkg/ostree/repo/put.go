package repo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// put stages an object whose bytes are at hand, in its place right away: each system
// call counts when there are many small files. fill gets an open file of mode perm.
func (t *Txn) put(ty ostree.ObjectType, c ostree.Checksum, perm uint32, fill func(fd int) error) error {
	return t.place(ty, c, func(path string) error {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, perm)
		if err != nil {
			return &fs.PathError{Op: "open", Path: path, Err: err}
		}
		return errors.Join(fill(fd), unix.Close(fd))
	})
}

// place stages an object that write makes at a path.
func (t *Txn) place(ty ostree.ObjectType, c ostree.Checksum, write func(path string) error) error {
	if err := t.stagedDir(ty, c); err != nil {
		return err
	}
	name := t.r.objectName(ty, c)
	mine, err := t.claim(name)
	if err != nil || !mine {
		return err
	}
	path := t.stagedPath(name)
	if err = write(path); err != nil {
		os.Remove(path)
	}
	t.settle(name, err)
	return err
}

// writeAll writes b to a file.
func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		b = b[n:]
	}
	return nil
}

// putContent stages a file object with content b in the form that the mode has.
func (t *Txn) putContent(h *ostree.File, c ostree.Checksum, b []byte) error {
	if t.r.mode == ostree.ModeArchive {
		return t.putArchived(h, c, b)
	}
	if err := t.room.take(h.Size); err != nil {
		return err
	}
	if t.r.mode == ostree.ModeBareUser {
		return t.putBareUser(h, c, b)
	}
	return t.putBare(h, c, b)
}

// putArchived stages a .filez, which is compressed in memory.
func (t *Txn) putArchived(h *ostree.File, c ostree.Checksum, b []byte) error {
	head, err := h.ArchiveHeader()
	if err != nil {
		return err
	}
	out, ok := t.pools.stored.Get().(*bytes.Buffer)
	if !ok {
		out = new(bytes.Buffer)
	}
	defer t.pools.stored.Put(out)
	out.Reset()
	out.Write(head)
	if !h.IsLink() {
		if err := t.deflate(out, bytes.NewReader(b), h.Size); err != nil {
			return err
		}
	}
	if err := t.room.take(int64(out.Len())); err != nil {
		return err
	}
	return t.put(ostree.TypeFile, c, 0o644, func(fd int) error { return writeAll(fd, out.Bytes()) })
}

func (t *Txn) putBareUser(h *ostree.File, c ostree.Checksum, b []byte) error {
	if h.IsLink() {
		b = append([]byte(h.Target), 0)
	}
	return t.put(ostree.TypeFile, c, 0o600, func(fd int) error {
		return errors.Join(writeAll(fd, b), finishBareUser(fd, h))
	})
}

// putBare stages the file or the link itself. In a bare-user-only repository it is
// this user's.
func (t *Txn) putBare(h *ostree.File, c ostree.Checksum, b []byte) error {
	owned := t.r.mode == ostree.ModeBare
	return t.place(ostree.TypeFile, c, func(path string) error {
		if h.IsLink() {
			return linkBare(path, h, owned)
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(b)
		if err == nil {
			err = finishBare(f, h, owned)
		}
		return errors.Join(err, f.Close())
	})
}
