package repo

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/treewright/treewright/pkg/compress"
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

// verifyArchive reads files at once that are not too large, so that they are inflated
// in memory, which is faster.
func (r *Repo) verifyArchive(c ostree.Checksum) error {
	f, err := openRaw(r.objectPath(ostree.TypeFile, c))
	if err != nil {
		return err
	}
	defer f.Close()
	if f.size > wholeSize() {
		br := r.pool.buffer(f)
		defer r.pool.buffers.Put(br)
		return r.inflateAndHash(c, br, nil)
	}
	buf := grown(&r.pool.stored, f.size)
	defer r.pool.stored.Put(buf)
	if _, err := io.ReadFull(f, *buf); err != nil {
		return err
	}
	return r.inflateAndHash(c, bytes.NewReader(*buf), *buf)
}

// wholeSize is the largest file, and the most content, in bytes, that is held in
// memory: by all workers together some 64 MiB.
func wholeSize() int64 { return int64(max(128<<10, min(8<<20, 32<<20/workers()))) }

// grown returns a buffer of n bytes; put it back behind its use.
func grown(p *sync.Pool, n int64) *[]byte {
	b, ok := p.Get().(*[]byte)
	if !ok {
		b = new([]byte)
	}
	if int64(cap(*b)) < n {
		*b = make([]byte, n+n/2)
	}
	*b = (*b)[:n]
	return b
}

// archiveReader is what a .filez is read from: inflating takes no byte too many of it.
type archiveReader interface {
	io.Reader
	io.ByteReader
}

// inflateAndHash checks what in has to give. whole is all of it when in reads from
// memory.
func (r *Repo) inflateAndHash(c ostree.Checksum, in archiveReader, whole []byte) error {
	h, err := ostree.ReadArchiveHeader(in)
	if err != nil {
		return err
	}
	sum, err := h.NewHash()
	if err != nil {
		return err
	}
	mem, ok := in.(*bytes.Reader)
	switch {
	case h.IsLink():
		return mismatch(c, sum)
	case ok && h.Size <= wholeSize():
		err = r.inflateWhole(sum, mem, whole[len(whole)-mem.Len():], h.Size)
	default:
		err = r.inflateStream(c, sum, in, h.Size)
	}
	if err != nil {
		return err
	}
	if err := mismatch(c, sum); err != nil {
		return err
	}
	if _, err := in.ReadByte(); err == nil {
		return fmt.Errorf("bytes behind the end of the content: %w", ostree.ErrCorrupt)
	}
	return nil
}

func (r *Repo) inflateStream(c ostree.Checksum, sum hash.Hash, in io.Reader, size int64) error {
	z, err := r.pool.inflater(in)
	if err != nil {
		return err
	}
	defer r.pool.inflaters.Put(z)
	return r.hashContent(sum, &archived{c: c, pool: r.pool, z: z, left: size}, size)
}

func (r *Repo) inflateWhole(sum hash.Hash, in *bytes.Reader, src []byte, size int64) error {
	z, ok := r.pool.fast.Get().(*compress.Inflater)
	if !ok {
		z = new(compress.Inflater)
	}
	defer r.pool.fast.Put(z)
	content := grown(&r.pool.whole, size)
	defer r.pool.whole.Put(content)
	n, err := z.Inflate(*content, src)
	if err != nil {
		return fmt.Errorf("%v: %w", err, ostree.ErrCorrupt)
	}
	sum.Write(*content)
	_, err = in.Seek(int64(n), io.SeekCurrent)
	return err
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
