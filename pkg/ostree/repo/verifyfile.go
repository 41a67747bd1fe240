package repo

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/ostree"
)

// VerifyFile reads a file object and compares it with its checksum.
func (r *Repo) VerifyFile(c ostree.Checksum) error {
	var err error
	switch r.mode {
	case ostree.ModeArchive:
		err = r.verifyArchive(c)
	case ostree.ModeBareUser:
		err = r.verifyBareUser(c)
	default:
		return r.verifyPlain(c)
	}
	if r.above(err) {
		return r.parent.VerifyFile(c)
	}
	var named *ObjectError
	var sum *MismatchError
	if err == nil || errors.As(err, &named) || errors.As(err, &sum) {
		return err
	}
	return objectError(ostree.TypeFile, c, err)
}

// verifyArchive reads small files at once, so that they are inflated from memory.
func (r *Repo) verifyArchive(c ostree.Checksum) error {
	f, err := openRaw(r.objectPath(ostree.TypeFile, c))
	if err != nil {
		return err
	}
	defer f.Close()
	buf := get(&r.pool.whole, wholeSize)
	defer r.pool.whole.Put(buf)
	if f.size > wholeSize {
		br := r.pool.buffer(f)
		defer r.pool.buffers.Put(br)
		return r.inflateAndHash(c, br)
	}
	if _, err := io.ReadFull(f, (*buf)[:f.size]); err != nil {
		return err
	}
	return r.inflateAndHash(c, bytes.NewReader((*buf)[:f.size]))
}

// wholeSize is the largest file, in bytes, that is read at once.
const wholeSize = 128 << 10

// archiveReader is what a .filez is read from: inflating takes no byte too many of it.
type archiveReader interface {
	io.Reader
	io.ByteReader
}

func (r *Repo) inflateAndHash(c ostree.Checksum, in archiveReader) error {
	h, err := ostree.ReadArchiveHeader(in)
	if err != nil {
		return err
	}
	sum, err := h.NewHash()
	if err != nil {
		return err
	}
	if !h.IsLink() {
		z, err := r.pool.inflater(in)
		if err != nil {
			return err
		}
		defer r.pool.inflaters.Put(z)
		if err := r.hashContent(sum, &archived{c: c, pool: r.pool, z: z, left: h.Size}, h.Size); err != nil {
			return err
		}
	}
	if err := mismatch(c, sum); err != nil {
		return err
	}
	if _, err := in.ReadByte(); err == nil && !h.IsLink() {
		return fmt.Errorf("bytes behind the end of the content: %w", ostree.ErrCorrupt)
	}
	return nil
}

// hashContent hashes size bytes of content, which must be all there is.
func (r *Repo) hashContent(sum hash.Hash, content io.Reader, size int64) error {
	buf := get(&r.pool.copies, 128<<10)
	defer r.pool.copies.Put(buf)
	n, err := io.CopyBuffer(sum, struct{ io.Reader }{io.LimitReader(content, size+1)}, *buf)
	if err == nil && n != size {
		err = fmt.Errorf("content has another size than %d bytes: %w", size, ostree.ErrCorrupt)
	}
	return err
}

func (r *Repo) verifyBareUser(c ostree.Checksum) error {
	f, err := openRaw(r.objectPath(ostree.TypeFile, c))
	if err != nil {
		return err
	}
	defer f.Close()
	meta, err := f.xattr(bareMetaXattr)
	if err != nil {
		return bareMetaError(err)
	}
	h, err := ostree.ParseBareMeta(meta)
	if err != nil {
		return err
	}
	if h.IsLink() {
		if h.Target, err = readTarget(f); err != nil {
			return err
		}
	}
	sum, err := h.NewHash()
	if err != nil {
		return err
	}
	if !h.IsLink() {
		if err := r.hashFile(sum, f); err != nil {
			return err
		}
	}
	return mismatch(c, sum)
}

// hashFile hashes a file of the size that it had when it was opened.
func (r *Repo) hashFile(sum hash.Hash, f *rawFile) error {
	buf := get(&r.pool.copies, 128<<10)
	defer r.pool.copies.Put(buf)
	for left := f.size; left > 0; {
		n, err := f.Read((*buf)[:min(left, int64(len(*buf)))])
		if err == io.EOF {
			return fmt.Errorf("content ends %d bytes early: %w", left, ostree.ErrCorrupt)
		}
		if err != nil {
			return err
		}
		sum.Write((*buf)[:n])
		left -= int64(n)
	}
	return nil
}

// verifyPlain is for the modes in which the file system keeps the header.
func (r *Repo) verifyPlain(c ostree.Checksum) error {
	h, rc, err := r.OpenFile(c)
	if err != nil {
		return err
	}
	defer rc.Close()
	sum, err := h.NewHash()
	if err != nil {
		return objectError(ostree.TypeFile, c, fmt.Errorf("%v: %w", err, ostree.ErrCorrupt))
	}
	if err := r.hashContent(sum, rc, h.Size); err != nil {
		return objectError(ostree.TypeFile, c, err)
	}
	return mismatch(c, sum)
}

// mismatch is nil when sum is at the checksum of the file object c.
func mismatch(c ostree.Checksum, sum hash.Hash) error {
	var buf [sha256.Size]byte
	if got := ostree.Checksum(sum.Sum(buf[:0])); got != c {
		return &MismatchError{Object{ostree.TypeFile, c}, got}
	}
	return nil
}

// bareMetaError is about the attribute of a file in a bare-user repository.
func bareMetaError(err error) error {
	if errors.Is(err, unix.ENODATA) {
		return fmt.Errorf("attribute %s is missing: %w", bareMetaXattr, ostree.ErrCorrupt)
	}
	return fmt.Errorf("attribute %s: %w", bareMetaXattr, err)
}
