package repo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/treewright/treewright/pkg/compress"
	"github.com/treewright/treewright/pkg/ostree"
)

// What an import holds in memory of one object, in bytes: as it is stored, and its
// content.
const (
	importStored   = 512 << 10
	importInflated = 2 << 20
)

// ImportArchived writes a file object from the bytes that an archive repository has
// for it. An archive repository keeps them as they are.
//
// The error is a [MismatchError] or wraps [ostree.ErrCorrupt] or [ostree.ErrMalformed]
// when they are not those of the object.
func (t *Txn) ImportArchived(c ostree.Checksum, r io.Reader, o ImportOptions) (written int64, err error) {
	buf := grown(&t.r.pool.stored, importStored)
	defer t.r.pool.stored.Put(buf)
	n, err := io.ReadFull(r, *buf)
	switch {
	case err == nil:
		return t.importStream(c, io.MultiReader(bytes.NewReader(*buf), r), o)
	case err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF):
		return 0, err
	}
	whole := (*buf)[:n]
	in := bytes.NewReader(whole)
	h, err := ostree.ReadArchiveHeader(in)
	switch {
	case err != nil:
		return 0, objectError(ostree.TypeFile, c, err)
	case h.Size > importInflated:
		return t.importStream(c, bytes.NewReader(whole), o)
	}
	return t.importWhole(c, h, whole, whole[len(whole)-in.Len():], o)
}

// importWhole writes an object that is in memory as it is stored; rest is what is behind
// its header.
func (t *Txn) importWhole(c ostree.Checksum, h *ostree.File, whole, rest []byte, o ImportOptions) (int64, error) {
	if err := o.check(c, h); err != nil {
		return 0, err
	}
	archive := t.r.mode == ostree.ModeArchive
	content := grown(&t.r.pool.whole, h.Size)
	defer t.r.pool.whole.Put(content)
	if !archive || !o.Trust {
		if err := t.r.inflateInto(c, h, *content, rest); err != nil {
			return 0, err
		}
	}
	if archive {
		return t.stage(c, func(f *os.File) error {
			_, err := f.Write(whole)
			return errors.Join(err, t.room.take(int64(len(whole))), f.Chmod(0o644))
		})
	}
	return t.importContent(c, h, bytes.NewReader(*content), ImportOptions{Trust: true, UserOnly: o.UserOnly})
}

// inflateInto inflates all of src into content, and compares with the checksum.
func (r *Repo) inflateInto(c ostree.Checksum, h *ostree.File, content, src []byte) error {
	sum, err := h.NewHash()
	if err != nil {
		return objectError(ostree.TypeFile, c, err)
	}
	n := 0
	if !h.IsLink() {
		z, ok := r.pool.fast.Get().(*compress.Inflater)
		if !ok {
			z = new(compress.Inflater)
		}
		defer r.pool.fast.Put(z)
		if n, err = z.Inflate(content, src); err != nil {
			return objectError(ostree.TypeFile, c, fmt.Errorf("%v: %w", err, ostree.ErrCorrupt))
		}
		sum.Write(content)
	}
	if err := mismatch(c, sum); err != nil {
		return err
	}
	if n < len(src) {
		return objectError(ostree.TypeFile, c, fmt.Errorf("%d bytes behind the content: %w", len(src)-n, ostree.ErrCorrupt))
	}
	return nil
}
